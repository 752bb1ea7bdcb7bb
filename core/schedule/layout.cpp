// storage_align, transform_layout: where a buffer's elements lie.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/relocate.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cctype>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool is_param(const Program& program, const Buffer& buffer) {
    return std::ranges::find(program->params, buffer) != program->params.end();
}

/// The one buffer the block writes, which must be no parameter.
Result<Buffer> own_buffer(const Program& program, const BlockPlace& place, const Refusal& refuse) {
    const std::vector<Buffer> written = buffers_written(place.block->fields.body);
    if (written.size() != 1)
        return refuse("it writes " + std::to_string(written.size()) + " buffers",
                      "choose a block that writes one buffer");
    if (is_param(program, written.front()))
        return refuse(written.front()->name + " is a parameter, whose layout is its caller's", "cache_write it first");
    return written.front();
}

/// An index map from text: "n, c, h -> n, c // 4, h, c % 4".
struct IndexMap {
    std::vector<VarRef> from;
    std::vector<Expr> to;
};

Diagnostic bad_map(const std::string& text, const std::string& why) {
    return {Code::BadArgument,
            "transform_layout: \"" + text + "\" is no index map: " + why,
            {},
            "write it like \"n, c, h -> n, c // 4, h, c % 4\""};
}

std::vector<std::string> pieces_of(const std::string& text, char separator) {
    std::vector<std::string> out(1);
    int depth = 0;
    for (const char c : text) {
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        if (c == separator && depth == 0)
            out.emplace_back();
        else if (!std::isspace(static_cast<unsigned char>(c)) || !out.back().empty())
            out.back() += c;
    }
    for (std::string& piece : out)
        while (!piece.empty() && std::isspace(static_cast<unsigned char>(piece.back()))) piece.pop_back();
    return out;
}

/// Expressions are read by the parser of tensor programs: a block whose iterators are the names, with a store for each.
Result<IndexMap> parse_map(const std::string& text, const std::vector<std::int64_t>& shape) {
    constexpr std::size_t kMostText = 1000, kMostDims = 8;
    const std::size_t arrow = text.find("->");
    if (arrow == std::string::npos || text.size() > kMostText) return bad_map(text, "it has no ->");
    const std::vector<std::string> names = pieces_of(text.substr(0, arrow), ','),
                                   exprs = pieces_of(text.substr(arrow + 2), ',');
    if (names.size() != shape.size())
        return bad_map(text, "the buffer has " + std::to_string(shape.size()) + " dimensions");
    if (exprs.size() > kMostDims) return bad_map(text, "it makes more than 8 dimensions");
    std::string program = "fn map() -> (map_result: i64[1]) { block map(";
    for (std::size_t d = 0; d < names.size(); ++d) {
        const std::string& name = names[d];
        const bool word =
            !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
        if (!word || name == "map_result") return bad_map(text, "\"" + name + "\" is no name");
        program += (d ? ", " : "") + name + " = 0 in " + std::to_string(shape[d]);
    }
    program += ") { writes map_result[0]\n";
    for (const std::string& expr : exprs) {
        if (expr.find_first_of("{}[];\n#\"") != std::string::npos) return bad_map(text, "it has a stray character");
        program += "map_result[0] = " + expr + "\n";
    }
    const Result<Program> parsed = parse_program(program + "} }");
    if (!parsed) return bad_map(text, parsed.error().message);
    const Block* block = blocks_of((*parsed)->body).front();
    IndexMap out;
    for (const BlockIter& iter : block->fields.iters) out.from.push_back(iter.var);
    const Seq* seq = as<Seq>(block->fields.body);
    const std::vector<Stmt> stores = seq ? seq->stmts : std::vector<Stmt>{block->fields.body};
    for (const Stmt& stmt : stores) {
        const Store* store = as<Store>(stmt);
        if (!store) return bad_map(text, "an index is an expression");
        out.to.push_back(store->value);
    }
    return out;
}

/// Two different elements that the map puts into one place; empty when there are none.
std::string collision(const IndexMap& map, const std::vector<std::int64_t>& shape) {
    // As loops over the old indices that store at the new ones: injective when no two iterations share an element.
    Touch touch;
    Stmt body = Seq::make({});
    std::vector<Stmt> loops;
    for (std::size_t d = shape.size(); d-- > 0;) {
        body = For::make(map.from[d], imm(shape[d]), LoopKind::Serial, body);
        loops.insert(loops.begin(), body);
    }
    for (const Stmt& loop : loops) touch.loops.push_back(as<For>(loop));
    touch.indices = map.to;
    touch.is_write = true;
    touch.buffer = make_buffer("there", DType::I8, std::vector<std::int64_t>(map.to.size(), 1));
    const Bounds nothing;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        TouchPair pair(touch, touch, nothing);
        pair.same_element();
        for (std::size_t i = 0; i < d; ++i) pair.same(touch.loops[i]);
        pair.less(touch.loops[d], TouchPair::First);
        const IntegerSet::Solution solution = pair.solve();
        if (solution.answer == IntegerSet::Answer::Empty) continue;
        if (solution.answer == IntegerSet::Answer::Open) return "it could not be shown that no two elements meet";
        return "elements with " + pair.loop_text(solution, touch.loops[d], TouchPair::First) + " and " +
               pair.loop_text(solution, touch.loops[d], TouchPair::Second) + " meet at " +
               pair.touch_text(solution, TouchPair::First);
    }
    return {};
}

/// Loads and stores of one buffer at mapped indices of another. No extern call is given it.
class Relayout final : public Relocator {
  public:
    Relayout(const Buffer& before, const Buffer& after, const IndexMap& map) : Relocator(before, after), map_(map) {}

  protected:
    using Relocator::rewrite_node;
    Stmt rewrite_node(const Alloc& node) override {
        if (node.buffer != before_) return Relocator::rewrite_node(node);
        return Alloc::make(after_, rewrite(node.body));
    }
    Stmt rewrite_node(const Block& node) override {
        const Bounds outside = bounds_;
        for (const BlockIter& iter : node.fields.iters)
            if (const auto extent = as_int(iter.extent)) bounds_[iter.var] = {0, *extent - 1};
        Block::Fields fields = node.fields;
        fields.body = rewrite(fields.body);
        if (fields.init) fields.init = rewrite(fields.init);
        bounds_ = outside;
        if (fields.body == node.fields.body && fields.init == node.fields.init) return handle(node);
        return rebuild_block(node, std::move(fields));
    }

    std::vector<Expr> relocated(std::vector<Expr> indices) const override {
        VarMap at;
        for (std::size_t d = 0; d < indices.size(); ++d) at[map_.from[d]] = indices[d];
        std::vector<Expr> out;
        for (const Expr& expr : map_.to) out.push_back(simplify(substitute(expr, at), bounds_));
        return out;
    }

  private:
    const IndexMap& map_;
    Bounds bounds_;
};

} // namespace

Result<Rewritten> transform_layout(const Program& program, const std::string& name, const std::string& text) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"transform_layout", program, "block " + name};
    ORRERY_TRY(const Buffer before, own_buffer(program, place, refuse));
    if (given_to_extern(program->body, before))
        return refuse("an extern call is given " + before->name + ", whose layout it knows",
                      "cache_read it before the call, and transform the copy's source");
    const std::vector<std::int64_t> shape = before->static_shape();
    ORRERY_TRY(const IndexMap map, parse_map(text, shape));
    Bounds bounds;
    for (std::size_t d = 0; d < shape.size(); ++d) bounds[map.from[d]] = {0, shape[d] - 1};
    std::vector<std::int64_t> after_shape;
    std::int64_t elements = 1;
    for (const Expr& expr : map.to) {
        const std::optional<Interval> range = interval_of(simplify(expr, bounds), bounds);
        if (!range || range->min < 0)
            return refuse("index " + to_string(expr) + " may be negative or unbounded", "add a constant to it");
        after_shape.push_back(range->max + 1);
        if (__builtin_mul_overflow(elements, range->max + 1, &elements) ||
            elements > 64 * std::max<std::int64_t>(before->static_size(), 1))
            return refuse("the buffer would grow more than 64 times",
                          "write a map that leaves fewer holes: n // 4, n % 4 instead of n, n % 4");
    }
    if (const std::string why = collision(map, shape); !why.empty())
        return refuse(why, "every element needs a place of its own");
    const Buffer after = make_buffer(before->name, before->dtype, after_shape, before->scope);
    return Rewritten{with_body(program, Relayout(before, after, map).rewrite(program->body)), {}};
}

Result<Rewritten> storage_align(const Program& program, const std::string& name, std::int64_t dim, std::int64_t factor,
                                std::int64_t offset) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"storage_align", program, "block " + name};
    ORRERY_TRY(const Buffer before, own_buffer(program, place, refuse));
    std::vector<std::int64_t> shape = before->static_shape();
    const auto rank = static_cast<std::int64_t>(shape.size());
    if (dim < 0 || dim + 1 >= rank)
        return refuse("dimension " + std::to_string(dim) + " of " + before->name + " has no stride to choose",
                      "choose one from 0 to " + std::to_string(rank - 2));
    constexpr std::int64_t kMostFactor = 4096; // our choice: a page
    if (factor < 1 || factor > kMostFactor || offset < 0 || offset >= factor)
        return refuse("factor " + std::to_string(factor) + " with offset " + std::to_string(offset) +
                          " is not 0 <= offset < factor <= 4096",
                      "choose a factor from 1 to 4096 and an offset below it");
    // Rows of dimension dim + 1 grow until the stride of `dim` is right.
    std::int64_t inner = 1;
    for (std::size_t d = static_cast<std::size_t>(dim) + 2; d < shape.size(); ++d) inner *= shape[d];
    std::int64_t& row = shape[static_cast<std::size_t>(dim) + 1];
    const std::int64_t start = row;
    while (row * inner % factor != offset && row < start + factor) ++row;
    if (row * inner % factor != offset)
        return refuse("no row length makes the stride " + std::to_string(offset) + " modulo " + std::to_string(factor),
                      "rows hold " + std::to_string(inner) + " elements a step: choose an offset they divide");
    if (row == start) return Rewritten{program, {}};
    const Buffer after = make_buffer(before->name, before->dtype, shape, before->scope);
    return Rewritten{with_body(program, substitute_buffers(program->body, {{before, after}})), {}};
}

} // namespace orrery::schedule
