// Outline: declarations as text, the registry with what comes with the program, matching a block.

#include "core/schedule/intrinsics.hpp"

#include "core/schedule/locate.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/externs.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <mutex>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

Diagnostic bad_text(const std::string& what, int line) {
    return {
        Code::BadText,
        what,
        {TextPosition{line, 1}},
        "a declaration is intrinsic NAME [needs FEATURE], fn ... { }, "
        "and maybe RESULT = llvm.NAME(PARAM as TYPE, ...) or call_extern(\"SYMBOL\", access_ptr(PARAM, \"rw\"), ...)"};
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> out;
    std::string word;
    for (const char c : text) {
        if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == ':') {
            word += c;
            continue;
        }
        if (!word.empty()) out.push_back(std::exchange(word, {}));
        if (c == '=' || c == '(' || c == ')' || c == ',') out.emplace_back(1, c);
    }
    if (!word.empty()) out.push_back(word);
    return out;
}

/// c = llvm.NAME(c as i32x16, a splat i32 as i32x16)
bool read_implementation(std::string_view line, TensorIntrinsic& out) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 4 || words[1] != "=" || !words[2].starts_with("llvm.") || words[3] != "(") return false;
    out.result = words[0];
    out.llvm_name = words[2];
    for (std::size_t i = 4; i < words.size();) {
        IntrinsicOperand operand{words[i++], {}, {}};
        if (i + 1 < words.size() && words[i] == "splat") {
            operand.splat = words[i + 1];
            i += 2;
        }
        if (i + 1 >= words.size() || words[i] != "as") return false;
        operand.type = words[i + 1];
        i += 2;
        out.operands.push_back(std::move(operand));
        if (i < words.size() && words[i] == ")") return i + 1 == words.size();
        if (i >= words.size() || words[i++] != ",") return false;
    }
    return false;
}

const Buffer* param_of(const Program& program, const std::string& name);
/// Null where there is none of that rank.
const Buffer* param_at(const Program& program, const char* name, std::size_t rank) {
    const Buffer* found = param_of(program, name);
    return found && (*found)->rank() == rank ? found : nullptr;
}

const Buffer* param_of(const Program& program, const std::string& name) {
    for (const Buffer& param : program->params)
        if (param->name == name) return &param;
    return nullptr;
}

/// Bits of "i32x16"; 0 for what is no type.
std::int64_t bits_of(std::string_view type) {
    const std::size_t times = type.find('x');
    const std::optional<DType> dtype = parse_dtype(type.substr(0, times));
    if (!dtype) return 0;
    std::int64_t count = 1;
    if (times != std::string_view::npos) {
        const std::string_view digits = type.substr(times + 1);
        const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
        if (code != std::errc{} || end != digits.data() + digits.size() || count < 1 || count > 1 << 16) return 0;
    }
    return std::int64_t{8} * byte_size(*dtype) * count;
}

/// call_extern("SYMBOL", access_ptr(c, "rw"), ...) over the description's parameters.
Result<Program> read_extern(const std::string& description, std::string_view line) {
    const std::size_t brace = description.find('{');
    ORRERY_TRY(Program made, parse_program(description.substr(0, brace) + "{ " + std::string(line) + " }"));
    ORRERY_CHECK_OK(verify(made));
    ORRERY_CHECK_OK(check_externs(made));
    return made;
}

/// c = tiles.NAME(a, b)
Result<std::string> read_tiles(std::string_view text, int line) {
    constexpr std::string_view kBefore = "c = tiles.", kAfter = "(a, b)";
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
    if (!text.starts_with(kBefore) || !text.ends_with(kAfter) || text.size() <= kBefore.size() + kAfter.size())
        return bad_text("a product like c = tiles.tdpbf16ps(a, b) is expected", line);
    return std::string(text.substr(kBefore.size(), text.size() - kBefore.size() - kAfter.size()));
}

constexpr std::size_t kTileRows = 16; ///< of a tile, at most

/// Whether a description is c[M, N] += a[M, K] * b[K / p, N, p] over what tiles hold: 16 rows of 64 bytes, two by two.
/// Source: Intel 64 manual, volume 1, chapter 18.
bool fits_tiles(const Program& description) {
    constexpr std::int64_t kRows = static_cast<std::int64_t>(kTileRows), kRowBytes = 64, kSumBytes = 4;
    const Buffer *a = param_at(description, "a", 2), *b = param_at(description, "b", 3),
                 *c = param_at(description, "c", 2);
    if (!a || !b || !c) return false;
    const auto of = [](const Buffer* buffer) { return (*buffer)->static_shape(); };
    const std::int64_t m = of(c)[0], n = of(c)[1], k = of(a)[1], bytes = byte_size((*a)->dtype);
    return byte_size((*c)->dtype) == kSumBytes && byte_size((*b)->dtype) == bytes && of(a)[0] == m && of(b)[1] == n &&
           of(b)[2] * bytes == kSumBytes && of(b)[0] * of(b)[2] == k && k * bytes <= kRowBytes && m >= 1 &&
           m <= 2 * kRows && (m <= kRows || m % 2 == 0) && (n == kRows || n == 2 * kRows);
}

/// Loops with constant extents around one block with no predicate and no init.
struct Shape {
    std::vector<const For*> loops;
    const Block* block = nullptr;
};
std::optional<Shape> shape_of(const Stmt& stmt) {
    Shape out;
    const Stmt* at = &stmt;
    while (const For* loop = as<For>(*at)) {
        if (!as_int(loop->extent)) return std::nullopt;
        out.loops.push_back(loop);
        at = &loop->body;
    }
    out.block = as<Block>(*at);
    if (!out.block || out.block->fields.predicate != nullptr || out.block->fields.init != nullptr ||
        !as<Store>(out.block->fields.body))
        return std::nullopt;
    return out;
}

constexpr const char* kShipped[] = {
    R"(# Adds to 16 sums of 32 bits the products of 4 unsigned bytes, the same for all, with 4 signed bytes each.
intrinsic x86_vnni_u8i8_16x4 needs x86:avx512vnni
fn dot(a: u8[4], b: i8[16,4]) -> (c: i32[16]) {
  for i in 16 { for k in 4 { block dot(vi = i in 16, reduce vk = k in 4) {
    reads c[vi], a[vk], b[vi, vk] writes c[vi]
    c[vi] = c[vi] + i32(a[vk]) * i32(b[vi, vk]) } } } }
c = llvm.x86.avx512.vpdpbusd.512(c as i32x16, a splat i32 as i32x16, b as i32x16))",
    R"(# The same for 8 sums, in the registers of AVX2.
intrinsic x86_vnni_u8i8_8x4 needs x86:avxvnni|avx512vnni
fn dot(a: u8[4], b: i8[8,4]) -> (c: i32[8]) {
  for i in 8 { for k in 4 { block dot(vi = i in 8, reduce vk = k in 4) {
    reads c[vi], a[vk], b[vi, vk] writes c[vi]
    c[vi] = c[vi] + i32(a[vk]) * i32(b[vi, vk]) } } } }
c = llvm.x86.avx512.vpdpbusd.256(c as i32x8, a splat i32 as i32x8, b as i32x8))",
    R"(# Arm's dot product: adds to 4 sums of 32 bits the products of 4 signed bytes, the same for all, with 4 each.
intrinsic arm_sdot_i8_4x4 needs aarch64:dotprod
fn dot(a: i8[4], b: i8[4,4]) -> (c: i32[4]) {
  for i in 4 { for k in 4 { block dot(vi = i in 4, reduce vk = k in 4) {
    reads c[vi], a[vk], b[vi, vk] writes c[vi]
    c[vi] = c[vi] + i32(a[vk]) * i32(b[vi, vk]) } } } }
c = llvm.aarch64.neon.sdot.v4i32.v16i8(c as i32x4, a splat i32 as i8x16, b as i8x16))",
    R"(# AMX: adds the product of two tiles of bytes to a tile of 16 by 16 sums; the second is packed in fours.
intrinsic x86_amx_i8_16x16x64 needs x86:amx-int8
fn tile(a: i8[16,64], b: i8[16,16,4]) -> (c: i32[16,16]) {
  for i in 16 { for j in 16 { for k in 16 { for q in 4 {
    block tile(vi = i in 16, vj = j in 16, reduce vk = k in 16, reduce vq = q in 4) {
      reads c[vi, vj], a[vi, vk * 4 + vq], b[vk, vj, vq] writes c[vi, vj]
      c[vi, vj] = c[vi, vj] + i32(a[vi, vk * 4 + vq]) * i32(b[vk, vj, vq]) } } } } } }
c = tiles.tdpbssd(a, b))",
    R"(# VTA's GEMM: adds the product of a row of 16 bytes with a 16 by 16 block, transposed, to 16 sums of 32 bits.
intrinsic vta_gemm_1x16x16 needs vta:gemm
fn gemm(a: i8[1,16], b: i8[16,16]) -> (c: i32[1,16]) {
  for m in 1 { for i in 16 { for k in 16 { block gemm(vm = m in 1, vi = i in 16, reduce vk = k in 16) {
    reads c[vm, vi], a[vm, vk], b[vi, vk] writes c[vm, vi]
    c[vm, vi] = c[vm, vi] + i32(a[vm, vk]) * i32(b[vi, vk]) } } } } })",
};

/// Products of tiles with sums of 32 bits, known by their sizes.
struct TileKind {
    std::string_view prefix, feature, instruction;
    std::string_view a, b, sum; ///< element types
    int part = 2;               ///< elements of b side by side, down a column
};
constexpr TileKind kTileKinds[] = {{"x86_amx_bf16_", "amx-bf16", "tdpbf16ps", "bf16", "bf16", "f32", 2},
                                   {"x86_amx_u8i8_", "amx-int8", "tdpbusd", "u8", "i8", "i32", 4}};

std::string tiles_name(const TileKind& kind, std::int64_t rows, std::int64_t columns) {
    return std::string(kind.prefix) + std::to_string(rows) + "x" + std::to_string(columns) + "x" +
           std::to_string(16 * kind.part);
}

std::string tiles_text(const TileKind& kind, std::int64_t rows, std::int64_t columns) {
    const std::string m = std::to_string(rows), n = std::to_string(columns), p = std::to_string(kind.part), a(kind.a),
                      b(kind.b), sum(kind.sum), depth = std::to_string(16 * kind.part);
    return "# AMX: adds to " + m + " by " + n + " sums the product of tiles of " + a + " and " + b +
           "; the second is packed by " + p + " rows.\n" + "intrinsic " + tiles_name(kind, rows, columns) +
           " needs x86:" + std::string(kind.feature) + "\n" + "fn tile(a: " + a + "[" + m + "," + depth + "], b: " + b +
           "[16," + n + "," + p + "]) -> (c: " + sum + "[" + m + "," + n + "]) {\n  for i in " + m + " { for j in " +
           n + " { for k in 16 { for q in " + p + " {\n    block tile(vi = i in " + m + ", vj = j in " + n +
           ", reduce vk = k in 16, reduce vq = q in " + p + ") {\n      reads c[vi, vj], a[vi, vk * " + p +
           " + vq], b[vk, vj, vq] writes c[vi, vj]\n      c[vi, vj] = c[vi, vj] + " + sum + "(a[vi, vk * " + p +
           " + vq]) * " + sum + "(b[vk, vj, vq]) } } } } } }\n" + "c = tiles." + std::string(kind.instruction) +
           "(a, b)";
}

/// The declaration that a name of tiles_name stands for; nullopt for other names.
std::optional<std::string> tiles_text_of(std::string_view name) {
    constexpr std::int64_t kMostRows = 32; // two tiles
    for (const TileKind& kind : kTileKinds)
        for (const std::int64_t columns : {16, 32})
            for (std::int64_t rows = 1; rows <= kMostRows; rows += rows < kMostRows / 2 ? 1 : 2)
                if (name == tiles_name(kind, rows, columns)) return tiles_text(kind, rows, columns);
    return std::nullopt;
}

struct Registry {
    std::mutex mutex;
    std::map<std::string, TensorIntrinsic, std::less<>> all;
    std::map<std::string, std::optional<TensorIntrinsic>> made; ///< of names that need no declaration, as asked for
};
Registry& registry() {
    static Registry instance;
    static std::once_flag once;
    std::call_once(once, [] {
        for (const char* text : kShipped) {
            Result<TensorIntrinsic> parsed = parse_intrinsic(text);
            ORRERY_ASSERT(parsed.has_value(), "the declarations that come with the program are well-formed");
            const std::string name = parsed->name;
            instance.all[name] = *std::move(parsed);
        }
        constexpr std::int64_t kTile = 16; // the others are found by name
        for (const TileKind& kind : kTileKinds)
            instance.all[tiles_name(kind, kTile, kTile)] = parse_intrinsic(tiles_text(kind, kTile, kTile)).value();
    });
    return instance;
}

} // namespace

std::string bf16_tiles_name(std::int64_t rows, std::int64_t columns) {
    return tiles_name(kTileKinds[0], rows, columns);
}
std::string byte_tiles_name(std::int64_t rows, std::int64_t columns) {
    return tiles_name(kTileKinds[1], rows, columns);
}
std::string byte_dots_name(std::int64_t lanes) { return "x86_vnni_u8i8_" + std::to_string(lanes) + "x4"; }

Result<TensorIntrinsic> parse_intrinsic(std::string_view text) {
    TensorIntrinsic out;
    out.text = text;
    std::string body;
    int line = 0, depth = 0;
    bool in_body = false, done_body = false;
    std::string call;
    constexpr std::size_t kMostText = 1 << 16;
    if (text.size() > kMostText) return bad_text("the declaration is too long", 1);
    while (!text.empty()) {
        ++line;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view one = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t start = one.find_first_not_of(" \t\r");
        if (start == std::string_view::npos) continue;
        const std::string_view rest = one.substr(start);
        if (!in_body && rest.front() == '#') {
            out.doc += (out.doc.empty() ? "" : " ") + std::string(rest.substr(std::min<std::size_t>(2, rest.size())));
        } else if (out.name.empty()) {
            const std::string header(rest);
            const std::size_t needs = header.find(" needs ");
            const std::vector<std::string> words = words_of(header.substr(0, needs));
            if (words.size() != 2 || words[0] != "intrinsic") return bad_text("intrinsic NAME is expected", line);
            out.name = words[1];
            if (needs != std::string::npos) out.needs = header.substr(needs + 7);
            while (!out.needs.empty() && std::isspace(static_cast<unsigned char>(out.needs.back())))
                out.needs.pop_back();
        } else if (!done_body) {
            body += std::string(one) + "\n";
            for (const char c : one) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            in_body = true;
            done_body = depth == 0 && body.find('{') != std::string::npos;
        } else if (!out.llvm_name.empty() || !call.empty() || !out.tiles.empty()) {
            return bad_text("there are two implementations", line);
        } else if (rest.find("= tiles.") != std::string_view::npos) {
            ORRERY_TRY(out.tiles, read_tiles(rest, line));
        } else if (rest.starts_with("call_extern")) {
            call = rest;
        } else if (!read_implementation(rest, out)) {
            return bad_text("an implementation like c = llvm.NAME(c as i32x16, a splat i32 as i32x16) is expected",
                            line);
        }
    }
    if (out.name.empty()) return bad_text("intrinsic NAME is expected", line);
    ORRERY_TRY(out.description, parse_program(body));
    ORRERY_CHECK_OK(verify(out.description));
    if (!shape_of(out.description->body))
        return bad_text("the description is loops of constant extents around one block that stores one element", line);
    for (const IntrinsicOperand& operand : out.operands) {
        const Buffer* param = param_of(out.description, operand.param);
        if (!param) return bad_text("the description has no parameter " + operand.param, line);
        const std::string& loaded = operand.splat.empty() ? operand.type : operand.splat;
        const std::int64_t bits = (*param)->static_size() * 8 * byte_size((*param)->dtype);
        if (bits_of(loaded) != bits)
            return bad_text(loaded + " is not " + operand.param + ", which has " + std::to_string(bits) + " bits",
                            line);
    }
    if (!out.tiles.empty() && !fits_tiles(out.description))
        return bad_text("tiles compute c[M, N] += a[M, K] * b[K / p, N, p], where M is up to 16, or even and up to 32, "
                        "N is 16 or 32, rows of a have up to 64 bytes, and p elements are 4 bytes, as sums are",
                        line);
    if (!out.llvm_name.empty() && !param_of(out.description, out.result))
        return bad_text("the description has no parameter " + out.result, line);
    if (call.empty()) return out;
    ORRERY_TRY(out.implementation, read_extern(body, call));
    if (!as<ExternCall>(out.implementation->body)) return bad_text("one call_extern is expected", line);
    return out;
}

Result<void> declare_intrinsic(std::string_view text) {
    ORRERY_TRY(TensorIntrinsic made, parse_intrinsic(text));
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    const std::string name = made.name;
    known.all[name] = std::move(made);
    return {};
}

std::optional<TensorIntrinsic> find_intrinsic(std::string_view name) {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    if (const auto found = known.all.find(name); found != known.all.end()) return found->second;
    if (std::ranges::none_of(kTileKinds, [&](const TileKind& kind) { return name.starts_with(kind.prefix); }))
        return std::nullopt;
    const auto [made, fresh] = known.made.try_emplace(std::string(name));
    if (const auto text = tiles_text_of(name); fresh && text) made->second = parse_intrinsic(*text).value();
    return made->second;
}

std::vector<std::string> intrinsic_names() {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    std::vector<std::string> out;
    for (const auto& [name, intrinsic] : known.all) out.push_back(name);
    return out;
}

Hash intrinsics_hash(const Program& program) {
    class Finder final : public Visitor {
      public:
        std::set<std::string> names;

      protected:
        using Visitor::visit_node;
        void visit_node(const Block& node) override {
            const auto note = node.fields.annotations.find("tensorize");
            if (note != node.fields.annotations.end()) names.insert(note->second);
            Visitor::visit_node(node);
        }
    };
    Finder finder;
    finder.visit(program->body);
    if (finder.names.empty()) return {};
    Hasher hasher;
    for (const std::string& name : finder.names)
        if (const auto intrinsic = find_intrinsic(name)) hasher.add(name).add(intrinsic->text);
    return hasher.finish();
}

namespace {

class ExternCollector final : public StmtVisitor {
  public:
    std::vector<std::string> symbols;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const ExternCall& node) override {
        if (std::ranges::find(symbols, node.symbol) == symbols.end()) symbols.push_back(node.symbol);
    }
    void visit_node(const Block& node) override {
        if (const auto note = node.fields.annotations.find("tensorize"); note != node.fields.annotations.end())
            if (const auto intrinsic = find_intrinsic(note->second); intrinsic && intrinsic->implementation)
                visit(intrinsic->implementation->body);
        StmtVisitor::visit_node(node);
    }
};

} // namespace

std::vector<std::string> externs_of(const Program& program) {
    ExternCollector collector;
    collector.visit(program->body);
    return std::move(collector.symbols);
}

// ------------------------------------------------------------------------------------ matching

namespace {

class Matcher {
  public:
    /// `tiles`: rows may go through several dimensions.
    Matcher(const Shape& wanted, const Shape& there, bool tiles) : tiles_(tiles) {
        for (std::size_t i = 0; i < wanted.loops.size(); ++i) {
            loops_[wanted.loops[i]->var] = Expr(there.loops[i]->var);
            inner_[there.loops[i]->var] = imm(0);
            bounds_[there.loops[i]->var] = {0, *as_int(there.loops[i]->extent) - 1};
        }
        wanted_ = bindings(*wanted.block, loops_);
        there_ = bindings(*there.block, {});
    }
    std::map<const BufferNode*, IntrinsicMatch::Place> places;
    std::string why;

    bool same(const Expr& wanted, const Expr& there) {
        if (wanted->kind != there->kind || wanted->dtype != there->dtype)
            return fail("where the intrinsic has " + to_string(wanted) + ", the block has " + to_string(there));
        switch (wanted->kind) {
        case NodeKind::IntImm: return as<IntImm>(wanted)->value == as<IntImm>(there)->value || fail("constants differ");
        case NodeKind::FloatImm:
            return as<FloatImm>(wanted)->value == as<FloatImm>(there)->value || fail("constants differ");
        case NodeKind::Cast: return same(as<Cast>(wanted)->value, as<Cast>(there)->value);
        case NodeKind::Binary: return same_binary(*as<Binary>(wanted), *as<Binary>(there));
        case NodeKind::Load:
            return same_access(as<Load>(wanted)->buffer, as<Load>(wanted)->indices, as<Load>(there)->buffer,
                               as<Load>(there)->indices);
        default: return structural_equal(wanted, there) || fail("the expressions differ");
        }
    }
    bool same_access(const Buffer& wanted, const std::vector<Expr>& wanted_at, const Buffer& there,
                     const std::vector<Expr>& there_at) {
        if (wanted->dtype != there->dtype || there_at.size() < wanted_at.size())
            return fail(there->name + " does not fit " + wanted->name + " of the intrinsic");
        if (const auto rows = rows_of(wanted_at, there, there_at)) return placed(wanted, *rows);
        std::vector<Expr> corner;
        const std::size_t lead = there_at.size() - wanted_at.size();
        for (std::size_t d = 0; d < there_at.size(); ++d) {
            const Expr index = simplify(substitute(there_at[d], there_), bounds_);
            const Expr own = d < lead ? imm(0) : simplify(substitute(wanted_at[d - lead], wanted_), bounds_);
            const Expr rest = to_expr(affine_of(index - own));
            for (const auto& [loop, zero] : inner_)
                if (uses_var(rest, loop))
                    return fail("the block's index " + to_string(index) + " of " + there->name +
                                " moves in another way than the intrinsic's of " + wanted->name);
            corner.push_back(simplify(rest));
        }
        return placed(wanted, {there, corner, {}});
    }

  private:
    bool placed(const Buffer& wanted, const IntrinsicMatch::Place& at) {
        const auto [place, fresh] = places.try_emplace(wanted.get(), at);
        if (fresh) return true;
        const auto equal = [](const Expr& a, const Expr& b) { return constant_difference(a, b) == 0; };
        return (place->second.buffer == at.buffer && std::ranges::equal(place->second.corner, at.corner, equal)) ||
               fail("two places stand for " + wanted->name + " of the intrinsic");
    }
    /// Where the first index of two, a loop of the intrinsic's, goes through dimensions of what is there otherwise than
    /// element by element, as places through an image: how far each row lies from the first. nullopt where it does not.
    std::optional<IntrinsicMatch::Place> rows_of(const std::vector<Expr>& wanted_at, const Buffer& there,
                                                 const std::vector<Expr>& there_at) const {
        if (!tiles_ || wanted_at.size() != 2 || there_at.size() < 3) return std::nullopt;
        const Expr row = substitute(wanted_at[0], wanted_);
        const Var* loop = as<Var>(row);
        const auto bound = loop ? bounds_.find(VarRef(loop)) : bounds_.end();
        if (bound == bounds_.end()) return std::nullopt;
        IntrinsicMatch::Place out{
            there, {}, std::vector<std::int64_t>(static_cast<std::size_t>(bound->second.max) + 1)};
        const std::vector<std::int64_t> shape = there->static_shape();
        std::int64_t stride = 1, through = 0;
        for (std::size_t d = there_at.size(); d-- > 0; stride *= shape[d]) {
            Expr index = simplify(substitute(there_at[d], there_), bounds_);
            if (d + 1 == there_at.size()) {
                const Expr own = simplify(substitute(wanted_at[1], wanted_), bounds_);
                index = simplify(to_expr(affine_of(index - own)));
            }
            through += uses_var(index, VarRef(loop)) ? 1 : 0;
            const auto at = [&](std::int64_t i) {
                return simplify(substitute(index, {{VarRef(loop), imm(i)}}), bounds_);
            };
            const Expr first = at(0);
            for (const auto& [var, zero] : inner_)
                if (uses_var(first, var)) return std::nullopt;
            for (std::size_t i = 0; i < out.rows.size(); ++i) {
                const auto step = constant_difference(at(static_cast<std::int64_t>(i)), first);
                if (!step) return std::nullopt;
                out.rows[i] += *step * stride;
            }
            out.corner.insert(out.corner.begin(), first);
        }
        const std::size_t tile = out.rows.size() > kTileRows ? out.rows.size() / 2 : out.rows.size();
        for (std::size_t i = 1; i < out.rows.size(); ++i) // of each tile equally far apart
            if (i % tile != 0 && out.rows[i] - out.rows[i - 1] != out.rows[1] - out.rows[0]) return std::nullopt;
        const bool follow = through < 2 && (out.rows.size() < 2 || out.rows[1] == shape.back());
        return follow ? std::nullopt : std::optional(out);
    }
    static VarMap bindings(const Block& block, const VarMap& loops) {
        VarMap out;
        for (const BlockIter& iter : block.fields.iters) out[iter.var] = substitute(iter.binding, loops);
        return out;
    }
    bool same_binary(const Binary& wanted, const Binary& there) {
        if (wanted.op != there.op) return fail("the operators differ");
        const auto before = places;
        if (same(wanted.a, there.a) && same(wanted.b, there.b)) return true;
        if (wanted.op != BinaryOp::Add && wanted.op != BinaryOp::Mul) return false;
        const std::string first = why;
        places = before;
        if (same(wanted.a, there.b) && same(wanted.b, there.a)) return true;
        why = first;
        return false;
    }
    bool fail(const std::string& what) {
        why = what;
        return false;
    }

    VarMap loops_, inner_, wanted_, there_;
    Bounds bounds_;
    bool tiles_;
};

} // namespace

Result<IntrinsicMatch> match_intrinsic(const Block& block, const TensorIntrinsic& intrinsic) {
    const auto refuse = [&](const std::string& why) {
        return Diagnostic{Code::IllegalSchedule, why, {}, "intrinsic " + intrinsic.name + " is\n" + intrinsic.text};
    };
    const Shape wanted = *shape_of(intrinsic.description->body);
    const std::optional<Shape> there = shape_of(block.fields.body);
    if (!there) return refuse("it holds more than loops around one block without predicate and initial value");
    if (there->loops.size() != wanted.loops.size())
        return refuse("it has " + std::to_string(there->loops.size()) + " loops, the intrinsic " +
                      std::to_string(wanted.loops.size()));
    for (std::size_t i = 0; i < wanted.loops.size(); ++i)
        if (as_int(there->loops[i]->extent) != as_int(wanted.loops[i]->extent))
            return refuse("loop " + there->loops[i]->var->name + " has " + to_string(there->loops[i]->extent) +
                          " iterations, the intrinsic's " + to_string(wanted.loops[i]->extent));
    const Store& store = static_cast<const Store&>(*there->block->fields.body);
    const Store& wanted_store = static_cast<const Store&>(*wanted.block->fields.body);
    Matcher matcher(wanted, *there, !intrinsic.tiles.empty());
    if (!matcher.same_access(wanted_store.buffer, wanted_store.indices, store.buffer, store.indices) ||
        !matcher.same(wanted_store.value, store.value))
        return refuse(matcher.why);
    IntrinsicMatch out;
    for (const Buffer& param : intrinsic.description->params) {
        const auto place = matcher.places.find(param.get());
        if (place == matcher.places.end()) return refuse("nothing stands for " + param->name + " of the intrinsic");
        // A vector is loaded as one piece: rows of the parameter lie one behind the other.
        const std::size_t lead = place->second.buffer->rank() - param->rank();
        for (std::size_t d = 1; d < param->rank() && !intrinsic.llvm_name.empty(); ++d)
            if (as_int(place->second.buffer->shape[lead + d]) != as_int(param->shape[d]))
                return refuse("rows of " + place->second.buffer->name + ", which stands for " + param->name +
                              ", do not lie one behind the other: transform its layout, or copy it with reindex");
        out.params[param->name] = place->second;
    }
    return out;
}

} // namespace orrery::schedule
