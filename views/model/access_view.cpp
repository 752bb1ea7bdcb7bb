#include "views/model/access_view.hpp"

#include "core/schedule/footprint.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "views/model/json.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/memory_view.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

// Outline: the block and its numbers; tables; the picture; as text.

namespace orrery::views {

namespace {

using schedule::BlockAccesses;
using schedule::ElementSet;
using tensor::Program;

constexpr std::int64_t kLineBytes = 64; ///< of a cache. Source: every x86 and Arm processor there is a target for

// -------------------------------------------------------------------------- the block and its numbers

/// What one level takes of one buffer.
struct Use {
    double accesses = 0;
    std::int64_t elements = 0, lines = 0;
    bool exact = true;
};

struct Study {
    BlockAccesses accesses;
    std::string block;
    std::vector<std::vector<Use>> uses; ///< by level, then buffer
    std::vector<std::int64_t> bytes;    ///< of cache lines, by level: all buffers but those in registers
    bool exact = true;

    [[nodiscard]] std::size_t loops() const { return accesses.loops().size(); }
};

Study study_of(BlockAccesses accesses, std::string block) {
    Study study{std::move(accesses), std::move(block), {}, {}, true};
    for (std::size_t level = 0; level <= study.loops(); ++level) {
        std::vector<Use>& uses = study.uses.emplace_back();
        std::int64_t& bytes = study.bytes.emplace_back(0);
        for (std::size_t b = 0; b < study.accesses.buffers().size(); ++b) {
            const tensor::Buffer& buffer = study.accesses.buffers()[b].buffer;
            const ElementSet set = study.accesses.touched(b, level);
            uses.push_back({set.accesses, set.size(), set.lines(byte_size(buffer->dtype), kLineBytes), set.exact});
            if (buffer->scope != tensor::Scope::Registers) bytes += uses.back().lines * kLineBytes;
            study.exact = study.exact && set.exact;
        }
    }
    return study;
}

struct Names {
    std::string block, loop;
};
Names names_of(const std::string& place) {
    const std::size_t dot = place.find('.');
    return {place.substr(0, dot), dot == std::string::npos ? std::string() : place.substr(dot + 1)};
}

/// Names of blocks, the one that is run most often first.
class Blocks final : public tensor::Visitor {
  public:
    std::vector<std::pair<double, std::string>> found;

  protected:
    using Visitor::visit_node;
    void visit_node(const tensor::For& node) override {
        const double outer = runs_;
        const auto* extent = tensor::as<tensor::IntImm>(node.extent);
        if (extent != nullptr) runs_ *= static_cast<double>(extent->value);
        visit(node.body);
        runs_ = outer;
    }
    void visit_node(const tensor::Block& node) override {
        found.emplace_back(runs_, node.fields.name);
        visit(node.fields.body);
    }

  private:
    double runs_ = 1;
};

/// Of the blocks in a statement: the one of that name, else the one that is run most often; empty without any.
std::string chosen_block(const tensor::Stmt& in, const std::string& wanted) {
    Blocks blocks;
    blocks.visit(in);
    std::string most;
    double runs = -1;
    for (const auto& [count, name] : blocks.found) {
        if (name == wanted) return name;
        if (count > runs) runs = count, most = name;
    }
    return most;
}

/// The loop of a place, "conv.oc"; null when there is none.
const tensor::For* loop_at(const Program& program, const std::string& place) {
    const Names names = names_of(place);
    if (names.loop.empty()) return nullptr;
    const Result<BlockAccesses> accesses = BlockAccesses::of(program, names.block);
    if (!accesses) return nullptr;
    const auto& loops = accesses->loops();
    const auto found = std::ranges::find_if(loops, [&](const tensor::For* l) { return l->var->name == names.loop; });
    return found == loops.end() ? nullptr : *found;
}

/// The loop whose iteration is looked at: the one that is asked for; of a block the innermost; when nothing is asked
/// for, the outermost one of whose iterations fits the first cache.
std::size_t chosen_loop(const Study& study, const tensor::For* wanted, bool innermost, std::int64_t l1_bytes) {
    const std::size_t count = study.loops();
    for (std::size_t i = 0; i < count; ++i)
        if (study.accesses.loops()[i] == wanted) return i;
    for (std::size_t i = 0; i < count && !innermost; ++i)
        if (study.bytes[i + 1] <= l1_bytes) return i;
    return count == 0 ? 0 : count - 1;
}

/// As the tree of loops calls it: after the first block inside.
std::string place_of(const tensor::For& loop) {
    Blocks inside;
    inside.visit(loop.body);
    return inside.found.empty() ? std::string() : inside.found.front().second + "." + loop.var->name;
}

// --------------------------------------------------------------------------------------------- tables

std::string count_text(double value) {
    char text[32];
    if (value >= 1e6)
        std::snprintf(text, sizeof text, "%.4g M", value / 1e6);
    else
        std::snprintf(text, sizeof text, "%.0f", value);
    return text;
}

std::string at_most(bool exact, const std::string& text) { return exact ? text : "≤ " + text; }

std::string reuse_text(const Use& use) {
    if (use.elements == 0) return "–";
    char text[32];
    const double reuse = use.accesses / static_cast<double>(use.elements);
    std::snprintf(text, sizeof text, reuse < 10 ? "%.3g×" : "%.0f×", reuse);
    return text;
}

std::string stride_text(const std::optional<std::int64_t>& stride) {
    return stride ? std::to_string(*stride) : "varies";
}

/// A footprint against a cache: its share, or how many times too large it is.
TableCell cache_cell(std::int64_t bytes, std::int64_t cache) {
    const double share = cache > 0 ? static_cast<double>(bytes) / static_cast<double>(cache) : 0;
    char text[32];
    if (share > 0 && share < 0.01)
        std::snprintf(text, sizeof text, "< 1 %%");
    else if (share > 1)
        std::snprintf(text, sizeof text, share < 10 ? "%.1f×" : "%.0f×", share);
    else
        std::snprintf(text, sizeof text, "%.0f %%", 100 * share);
    return {text, share, static_cast<float>(std::min(1.0, share))};
}

Tone cache_tone(std::int64_t bytes, const Target& target) {
    return bytes <= target.l1_bytes   ? Tone::Good
           : bytes <= target.l2_bytes ? Tone::Normal
           : bytes <= target.l3_bytes ? Tone::Warning
                                      : Tone::Bad;
}

const char* fit_text(std::int64_t bytes, const Target& target) {
    return bytes <= target.l1_bytes   ? "fits L1"
           : bytes <= target.l2_bytes ? "fits L2"
           : bytes <= target.l3_bytes ? "fits L3"
                                      : "larger than L3";
}

std::string loop_text(const tensor::For& loop) {
    const char* kind = loop_kind_name(static_cast<LoopStyle>(loop.loop));
    return loop.var->name + (loop.loop == tensor::LoopKind::Serial ? "" : std::string(" · ") + kind);
}

/// Where what is looked at stands.
struct Focus {
    std::size_t loop = 0;   ///< of the block; its iteration is level loop + 1
    std::size_t buffer = 0; ///< of the block
    [[nodiscard]] std::size_t level(const Study& study) const { return std::min(loop + 1, study.loops()); }
};

Table levels_table(const Study& study, const Focus& focus, const Target& target) {
    Table table;
    const bool any = !study.accesses.buffers().empty();
    table.columns = {{"Loop", Align::Left, 0},
                     {"Touches", Align::Right, 8, "bytes"},
                     {"L1", Align::Right, 5},
                     {"L2", Align::Right, 5},
                     {"L3", Align::Right, 5},
                     {"Elements", Align::Right, 7},
                     {"Stride", Align::Right, 6, "elements"},
                     {"Reuse", Align::Right, 6}};
    table.empty_reason = "No loop stands around this block.";
    for (std::size_t i = 0; i < study.loops(); ++i) {
        const std::int64_t bytes = study.bytes[i];
        const tensor::For& loop = *study.accesses.loops()[i];
        TableRow row;
        row.cells = {{std::string(i, ' ') + loop_text(loop), static_cast<double>(i + 1), -1},
                     {bytes_text(static_cast<std::uint64_t>(bytes)), static_cast<double>(bytes), -1},
                     cache_cell(bytes, target.l1_bytes),
                     cache_cell(bytes, target.l2_bytes),
                     cache_cell(bytes, target.l3_bytes)};
        if (any) {
            const Use& use = study.uses[i][focus.buffer];
            row.cells.push_back({at_most(use.exact, count_text(static_cast<double>(use.elements))),
                                 static_cast<double>(use.elements), -1});
            const auto stride = study.accesses.stride(focus.buffer, i);
            row.cells.push_back({stride_text(stride), stride ? static_cast<double>(*stride) : -1, -1});
            row.cells.push_back(
                {reuse_text(use), use.elements > 0 ? use.accesses / static_cast<double>(use.elements) : 0, -1});
        } else {
            row.cells.resize(table.columns.size());
        }
        row.tone = cache_tone(bytes, target);
        row.details = loop.var->name + ": all its " + std::to_string(study.accesses.trips(i)) +
                      " iterations, and the loops inside, touch " + bytes_text(static_cast<std::uint64_t>(bytes)) +
                      " of cache lines: " + fit_text(bytes, target) +
                      "\nOne iteration: " + bytes_text(static_cast<std::uint64_t>(study.bytes[i + 1])) + ", " +
                      fit_text(study.bytes[i + 1], target);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table uses_table(const Study& study) {
    Table table;
    table.columns = {{"Loop", Align::Left, 12},      {"Buffer", Align::Left, 0},  {"Accesses", Align::Right, 12},
                     {"Elements", Align::Right, 10}, {"Bytes", Align::Right, 10}, {"Lines", Align::Right, 8},
                     {"Stride", Align::Right, 8},    {"Reuse", Align::Right, 8}};
    table.empty_reason = "This block touches no buffer.";
    for (std::size_t level = 0; level <= study.loops(); ++level)
        for (std::size_t b = 0; b < study.accesses.buffers().size(); ++b) {
            const Use& use = study.uses[level][b];
            const tensor::Buffer& buffer = study.accesses.buffers()[b].buffer;
            const std::int64_t bytes = use.elements * byte_size(buffer->dtype);
            const bool loop = level < study.loops();
            const auto number = [&](std::int64_t value) {
                return TableCell{at_most(use.exact, count_text(static_cast<double>(value))), static_cast<double>(value),
                                 -1};
            };
            TableRow row;
            row.cells = {{loop ? study.accesses.loops()[level]->var->name : "(once)", static_cast<double>(level), -1},
                         {buffer->name, 0, -1},
                         {count_text(use.accesses), use.accesses, -1},
                         number(use.elements),
                         number(bytes),
                         number(use.lines),
                         {loop ? stride_text(study.accesses.stride(b, level)) : "–", 0, -1},
                         {reuse_text(use), 0, -1}};
            table.rows.push_back(std::move(row));
        }
    return table;
}

constexpr const char* kScopes[] = {"memory", "stack", "registers"};

std::string type_text(const tensor::BufferNode& buffer) {
    std::string text = std::string(to_string(buffer.dtype)) + "[";
    for (const tensor::Expr& extent : buffer.shape) text += (text.back() == '[' ? "" : ",") + tensor::to_string(extent);
    return text + "]";
}

/// Bytes of a buffer whose size is known.
std::optional<std::int64_t> bytes_of(const tensor::BufferNode& buffer) {
    std::int64_t bytes = byte_size(buffer.dtype);
    for (const tensor::Expr& extent : buffer.shape) {
        const auto* number = tensor::as<tensor::IntImm>(extent);
        if (number == nullptr) return std::nullopt;
        bytes *= number->value;
    }
    return bytes;
}

struct Shown {
    const Program& program;
    const tensor::PrintedProgram& printed;
    [[nodiscard]] int line_of(const tensor::StmtNode* stmt) const {
        const auto line = stmt == nullptr ? printed.line_of.end() : printed.line_of.find(stmt);
        return line == printed.line_of.end() ? 0 : line->second;
    }
};

/// What one iteration takes of a buffer, as the last cell of its row.
void add_use(TableRow& row, const Study* study, const Focus& focus, const tensor::Buffer& buffer) {
    if (study != nullptr)
        for (std::size_t b = 0; b < study->accesses.buffers().size(); ++b) {
            if (study->accesses.buffers()[b].buffer != buffer) continue;
            const Use& use = study->uses[focus.level(*study)][b];
            const std::int64_t bytes = use.elements * byte_size(buffer->dtype);
            row.cells.push_back(
                {at_most(use.exact, bytes_text(static_cast<std::uint64_t>(bytes))), static_cast<double>(bytes), -1});
            row.details += "\none iteration: " + row.cells.back().text + ", each element " + reuse_text(use);
            return;
        }
    row.cells.emplace_back();
    row.tone = Tone::Dim;
}

void add_buffers(AccessViewData& data, const Shown& shown, const Study* study, const Focus& focus) {
    data.buffers.columns = {{"Buffer", Align::Left, 8}, {"Scope", Align::Left, 7},
                            {"Type", Align::Left, 12},  {"Size", Align::Right, 7, "bytes"},
                            {"In use", Align::Left, 0}, {"Iteration", Align::Right, 8, "bytes"}};
    data.buffers.empty_reason = "This program has no buffers.";
    const auto lines = static_cast<float>(std::max<std::size_t>(1, shown.printed.lines.size()));
    for (const schedule::BufferLife& life : schedule::lifetimes(shown.program)) {
        const std::optional<std::int64_t> bytes = bytes_of(*life.buffer);
        const int first = shown.line_of(life.first), last = shown.line_of(life.last);
        TableRow row;
        const std::string scope = life.input    ? "input"
                                  : life.output ? "output"
                                                : kScopes[static_cast<std::size_t>(life.buffer->scope)];
        row.cells = {{life.buffer->name, 0, -1},
                     {scope, 0, -1},
                     {type_text(*life.buffer), 0, -1},
                     {bytes ? bytes_text(static_cast<std::uint64_t>(*bytes)) : "?",
                      bytes ? static_cast<double>(*bytes) : -1, -1},
                     {first == 0 ? "not used" : std::to_string(first) + "–" + std::to_string(last),
                      static_cast<double>(first), first == 0 ? -1 : static_cast<float>(last - first + 1) / lines,
                      static_cast<float>(std::max(0, first - 1)) / lines}};
        row.details = life.buffer->name + ": " + type_text(*life.buffer) + ", " + scope +
                      (life.written ? life.read ? ", written and read" : ", written"
                       : life.read  ? ", read"
                                    : "") +
                      (life.inside ? "\neach iteration of " + life.inside->var->name + " has one of its own" : "");
        add_use(row, study, focus, life.buffer);
        data.buffer_names.push_back(life.buffer->name);
        data.buffers.rows.push_back(std::move(row));
    }
}

// ---------------------------------------------------------------------------------------- the picture

constexpr int kMostRows = 48, kMostColumns = 128; ///< Source: our choice, cells that can still be told apart
constexpr std::size_t kMostPlaces = 1 << 18;

struct Axes {
    int row = -1, column = -1; ///< dimensions; -1 for none
};
/// The last two dimensions of more than one element.
Axes axes_of(const std::vector<std::int64_t>& shape) {
    Axes axes;
    for (int d = static_cast<int>(shape.size()) - 1; d >= 0; --d) {
        if (shape[static_cast<std::size_t>(d)] <= 1) continue;
        if (axes.column < 0) {
            axes.column = d;
        } else {
            axes.row = d;
            break;
        }
    }
    if (axes.column < 0 && !shape.empty()) axes.column = static_cast<int>(shape.size()) - 1;
    return axes;
}

/// The first element of a set, dimension by dimension.
std::vector<std::int64_t> corner_of(const ElementSet& set) {
    std::int64_t offset = 0;
    for (const auto& part : set.parts) offset += part.empty() ? 0 : part.front();
    std::vector<std::int64_t> corner(set.shape.size());
    for (std::size_t d = set.shape.size(); d-- > 0;) {
        corner[d] = offset % set.shape[d];
        offset /= set.shape[d];
    }
    return corner;
}

std::int64_t stride_of(const std::vector<std::int64_t>& shape, int dimension) {
    std::int64_t stride = 1;
    for (std::size_t d = static_cast<std::size_t>(dimension) + 1; d < shape.size(); ++d) stride *= shape[d];
    return stride;
}

void mark(AccessPicture& picture, const std::vector<std::array<std::int64_t, 2>>& places, std::uint8_t with) {
    for (const auto& [r, c] : places) {
        const std::int64_t row = r - picture.first_row, column = c - picture.first_column;
        if (row < 0 || column < 0 || row >= picture.rows || column >= picture.columns) continue;
        picture.cells[static_cast<std::size_t>(row * picture.columns + column)] |= with;
    }
}

/// Borders of cache lines, in the plane through `corner`.
void mark_lines(AccessPicture& picture, const std::vector<std::int64_t>& corner, const ElementSet& set,
                const Axes& axes, std::int64_t element_bytes) {
    std::int64_t base = 0;
    for (std::size_t d = 0; d < corner.size(); ++d)
        if (static_cast<int>(d) != axes.row && static_cast<int>(d) != axes.column)
            base += corner[d] * stride_of(set.shape, static_cast<int>(d));
    const std::int64_t down = axes.row < 0 ? 0 : stride_of(set.shape, axes.row);
    const std::int64_t right = axes.column < 0 ? 0 : stride_of(set.shape, axes.column);
    for (int r = 0; r < picture.rows; ++r)
        for (int c = 0; c < picture.columns; ++c) {
            const std::int64_t at =
                (base + (picture.first_row + r) * down + (picture.first_column + c) * right) * element_bytes;
            const bool border = at % kLineBytes == 0 || at / kLineBytes != (at - right * element_bytes) / kLineBytes;
            if (border) picture.cells[static_cast<std::size_t>(r * picture.columns + c)] |= kLineStart;
        }
}

std::string place_text(const ElementSet& set, const std::vector<std::int64_t>& corner, const Axes& axes) {
    std::string text;
    for (std::size_t d = 0; d < set.shape.size(); ++d) {
        const bool drawn = static_cast<int>(d) == axes.row || static_cast<int>(d) == axes.column;
        text += (text.empty() ? "" : ", ") + (drawn ? std::string("·") : std::to_string(corner[d]));
    }
    return "[" + text + "]";
}

AccessPicture picture_of(const Study& study, const Focus& focus) {
    AccessPicture picture;
    const tensor::Buffer& buffer = study.accesses.buffers()[focus.buffer].buffer;
    picture.buffer = buffer->name;
    const std::size_t level = focus.level(study);
    const ElementSet now = study.accesses.touched(focus.buffer, level);
    const Axes axes = axes_of(now.shape);
    const auto extent = [&](int d) { return d < 0 ? std::int64_t{1} : now.shape[static_cast<std::size_t>(d)]; };
    picture.all_rows = extent(axes.row), picture.all_columns = extent(axes.column);
    picture.rows = static_cast<int>(std::min<std::int64_t>(kMostRows, picture.all_rows));
    picture.columns = static_cast<int>(std::min<std::int64_t>(kMostColumns, picture.all_columns));
    picture.cells.assign(static_cast<std::size_t>(picture.rows) * static_cast<std::size_t>(picture.columns), 0);
    const auto places = now.projected(axes.row, axes.column, kMostPlaces);
    // What is touched stands a little inside of what is drawn.
    const auto begin = [&](std::size_t axis, std::int64_t drawn, std::int64_t all) {
        std::int64_t least = all;
        for (const auto& place : places) least = std::min(least, place[axis]);
        return std::clamp<std::int64_t>(least - 2, 0, std::max<std::int64_t>(0, all - drawn));
    };
    picture.first_row = begin(0, picture.rows, picture.all_rows);
    picture.first_column = begin(1, picture.columns, picture.all_columns);
    const std::vector<std::int64_t> corner = corner_of(now);
    if (level > 0) {
        mark(picture, study.accesses.touched(focus.buffer, level - 1).projected(axes.row, axes.column, kMostPlaces),
             kTouchedInLoop);
        const bool more = study.accesses.trips(level - 1) / 2 + 1 < study.accesses.trips(level - 1);
        if (study.accesses.trips(level - 1) > 1)
            mark(picture,
                 study.accesses.touched(focus.buffer, level, more ? 1 : -1)
                     .projected(axes.row, axes.column, kMostPlaces),
                 kTouchedNext);
    }
    mark(picture, places, kTouchedNow);
    mark_lines(picture, corner, now, axes, byte_size(buffer->dtype));
    const Use& use = study.uses[level][focus.buffer];
    picture.title = buffer->name + place_text(now, corner, axes);
    if (level > 0) picture.note = "one iteration of " + study.accesses.loops()[level - 1]->var->name + ": ";
    picture.note += at_most(use.exact, count_text(static_cast<double>(use.elements))) +
                    (use.elements == 1 ? " element, " : " elements, ") + std::to_string(use.lines) +
                    (use.lines == 1 ? " cache line" : " cache lines");
    return picture;
}

/// The buffer that is asked for, else the first that is only read, else the first.
std::size_t chosen_buffer(const Study& study, const std::string& wanted) {
    const auto& buffers = study.accesses.buffers();
    std::size_t chosen = 0;
    for (std::size_t b = buffers.size(); b-- > 0;)
        if (!buffers[b].written) chosen = b;
    for (std::size_t b = 0; b < buffers.size(); ++b)
        if (buffers[b].buffer->name == wanted) chosen = b;
    return chosen;
}

void add_study(AccessViewData& data, const Study& study, const Focus& focus, const Target& target) {
    data.levels = levels_table(study, focus, target);
    data.uses = uses_table(study);
    for (const tensor::For* loop : study.accesses.loops()) data.level_places.push_back(place_of(*loop));
    data.level_row = study.loops() == 0 ? -1 : static_cast<int>(focus.loop);
    data.place = study.block;
    if (study.loops() != 0) data.place += "." + study.accesses.loops()[focus.loop]->var->name;
    if (!study.accesses.buffers().empty()) data.picture = picture_of(study, focus);
    const std::int64_t bytes = study.bytes[focus.level(study)];
    const TableCell share = cache_cell(bytes, target.l1_bytes);
    data.summary = data.place + ": one iteration touches " +
                   at_most(study.exact, bytes_text(static_cast<std::uint64_t>(bytes))) + " of cache lines, " +
                   fit_text(bytes, target) + " (" + share.text + " of it)";
    if (bytes > target.l1_bytes)
        data.summary = data.place + ": one iteration touches " +
                       at_most(study.exact, bytes_text(static_cast<std::uint64_t>(bytes))) + " of cache lines, " +
                       share.text + " what L1 holds: " + fit_text(bytes, target);
}

} // namespace

AccessViewData build_access(const session::Snapshot& snapshot, const ViewOptions& options) {
    AccessViewData data;
    const auto nothing = [&data](const std::string& why) {
        data.empty_reason = data.buffers.empty_reason = data.levels.empty_reason = data.uses.empty_reason = why;
        return data;
    };
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (const std::string why = why_no_kernels(snapshot); !function && !why.empty()) return nothing(why);
    if (!function) return nothing("Open a model: what its kernels touch of their buffers appears here.");
    data.subject = function->lowered.name;
    if (!function->lowered.backend.empty())
        return nothing("This part is left to " + function->lowered.backend + ": it has no buffers of ours.");
    const std::size_t step = shown_program(*function, options.tensor_step);
    const Program& program = function->replay.programs[step];
    const bool last = step + 1 == function->replay.programs.size();
    const tensor::PrintedProgram earlier = last ? tensor::PrintedProgram{} : tensor::print_program(program);
    const Shown shown{program, last ? function->printed : earlier};
    // Of several blocks in the loop that is chosen, the one that is run most often tells most.
    const tensor::For* loop = loop_at(program, options.access.place);
    const std::string wanted = names_of(options.access.place).block;
    data.block = loop != nullptr ? chosen_block(loop->body, {}) : chosen_block(program->body, wanted);
    Focus focus;
    std::optional<Study> study;
    if (!data.block.empty()) {
        Result<BlockAccesses> accesses = BlockAccesses::of(program, data.block);
        if (accesses) {
            study = study_of(*std::move(accesses), data.block);
            focus.loop = chosen_loop(*study, loop, data.block == wanted, snapshot.recipe.target.l1_bytes);
            focus.buffer = chosen_buffer(*study, options.access.buffer);
        } else {
            data.levels.empty_reason = data.uses.empty_reason = accesses.error().message + ".";
        }
    } else {
        data.levels.empty_reason = data.uses.empty_reason = "This kernel has no blocks.";
    }
    add_buffers(data, shown, study ? &*study : nullptr, focus);
    if (!study) return data;
    add_study(data, *study, focus, snapshot.recipe.target);
    for (std::size_t i = 0; i < data.buffer_names.size(); ++i)
        if (data.buffer_names[i] == data.picture.buffer) data.buffer_row = static_cast<int>(i);
    return data;
}

// -------------------------------------------------------------------------------------------- as text

namespace {

std::string picture_text(const AccessPicture& picture) {
    if (picture.rows == 0) return {};
    std::string text = picture.title + " · " + picture.note + "\nrows " + std::to_string(picture.first_row) + "–" +
                       std::to_string(picture.first_row + picture.rows - 1) + " of " +
                       std::to_string(picture.all_rows) + ", columns " + std::to_string(picture.first_column) + "–" +
                       std::to_string(picture.first_column + picture.columns - 1) + " of " +
                       std::to_string(picture.all_columns) + "; # touched now, + next, o in the loop\n";
    for (int r = 0; r < picture.rows; ++r) {
        for (int c = 0; c < picture.columns; ++c) {
            if (c > 0 && picture.has(r, c, kLineStart)) text += '|';
            text += picture.has(r, c, kTouchedNow)      ? '#'
                    : picture.has(r, c, kTouchedNext)   ? '+'
                    : picture.has(r, c, kTouchedInLoop) ? 'o'
                                                        : '.';
        }
        text += "\n";
    }
    return text;
}

} // namespace

std::string to_text(const AccessViewData& data) {
    if (data.buffers.rows.empty()) return data.empty_reason + "\n";
    return data.subject + (data.summary.empty() ? "" : " · " + data.summary) + "\n\n" + to_text(data.buffers) + "\n" +
           to_text(data.levels) + "\n" + to_text(data.uses) + "\n" + picture_text(data.picture);
}

std::string to_json(const AccessViewData& data) {
    Json json{{"view", "access"},
              {"subject", data.subject},
              {"block", data.block},
              {"place", data.place},
              {"summary", data.summary},
              {"buffers", json_of(data.buffers)},
              {"levels", json_of(data.levels)},
              {"uses", json_of(data.uses)}};
    const AccessPicture& picture = data.picture;
    json["picture"] = Json{{"buffer", picture.buffer},
                           {"title", picture.title},
                           {"first", {picture.first_row, picture.first_column}},
                           {"drawn", {picture.rows, picture.columns}},
                           {"extents", {picture.all_rows, picture.all_columns}},
                           {"cells", picture.cells}};
    return dump(json);
}

} // namespace orrery::views
