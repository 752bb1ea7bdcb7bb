#include "core/transform/pack_products.hpp"

#include "core/graph/builder.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/rows.hpp"
#include "core/transform/layout_converter.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <map>
#include <numeric>

namespace orrery::transform {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Var;

namespace {

constexpr std::int64_t kFewRows = 4; ///< our choice: fewer are one tile as they are
/// Our choice: of so many registers of columns, the last ones of a panel are few.
constexpr std::int64_t kManyColumns = 16;
/// Our choice: from so many rows on, a copy of a matrix known only when it runs costs little beside the product.
constexpr std::int64_t kManyRows = 192;

/// How many columns lie side by side: two registers beside as many rows as hide the latency of sums, four where rows
/// are few. One register is enough where there are rows for it, or several panels go together. 1 where none divides.
std::int64_t panel_for(std::int64_t rows, std::int64_t columns, std::int64_t lanes) {
    const bool few = rows < kFewRows;
    for (std::int64_t registers = few ? 4 : 2; registers > 1; registers /= 2)
        if (columns % (registers * lanes) == 0) return registers * lanes;
    if (columns % lanes != 0) return 1;
    bool together = !few;
    for (std::int64_t panels = 4; panels <= 8; ++panels) together = together || columns / lanes % panels == 0;
    return together ? lanes : 1;
}

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/// Columns of a panel of two to four registers where zeros fill the last one: with the fewest zeros, and the widest of
/// these.
std::int64_t panel_with_zeros(std::int64_t columns, std::int64_t lanes) {
    std::int64_t best = 4 * lanes;
    for (std::int64_t panel = 3 * lanes; panel >= 2 * lanes; panel -= lanes)
        if (round_up(columns, panel) < round_up(columns, best)) best = panel;
    return best;
}

/// In what multiples columns of a matrix that is no constant are computed, from a copy of it, where they fill no
/// registers (so many keys as a sentence has words): two registers, or one where those would do too much. 1 where they
/// fill them, or rows are too few for a copy.
std::int64_t column_group(std::int64_t rows, std::int64_t columns, std::int64_t lanes) {
    constexpr std::int64_t kRowsForCopy = 12, kMostWaste = 16; // our choice: two groups of rows; one part in so many
    if (columns % lanes == 0 || columns < 2 * lanes || rows < kRowsForCopy) return 1;
    return (round_up(columns, 2 * lanes) - columns) * kMostWaste <= columns ? 2 * lanes : lanes;
}

class Packer final : public graph::Rewriter {
  public:
    Packer(pass::Recorder* recorder, const ProductUnits& units) : Rewriter(recorder), units_(units) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call || call->op.name != "matmul" || call->attrs.flag("transpose_a") || call->attrs.flag("transpose_b"))
            return keep(binding);
        const Var &a = call->args[0], &b = call->args[1];
        const std::optional<Shape> left = shape_of(a), right = shape_of(b);
        if (!left || !right || left->size() < 2 || right->size() < 2) return keep(binding);
        const DType dtype = graph::as_tensor(a->type)->dtype;
        const NDArray* weight = right->size() == 2 ? constant_of(b) : nullptr;
        const std::int64_t rows =
            right->size() == 2 ? std::accumulate(left->begin(), left->end() - 1, std::int64_t{1}, std::multiplies<>())
                               : (*left)[left->size() - 2];
        const std::int64_t lanes = units_.vector_bits / 8 / byte_size(dtype);
        const std::int64_t group = rows < kFewRows ? 1 : weight ? product_rows(rows) : value_rows(rows);
        if (weight && units_.bytes != ByteProducts::None && dtype == DType::U8 &&
            graph::as_tensor(binding.var->type)->dtype == DType::I32)
            if (const Var done = of_bytes(binding, *call, *weight, rows)) return done;
        if (!is_float(dtype)) return keep(binding);
        if (units_.bf16_tiles && dtype == DType::BF16 && rows >= kTileRows && *(right->end() - 2) % kTile == 0 &&
            right->back() % kTile == 0)
            return in_parts(binding, *call, weight, {kTile, 2, tile_rows(rows, rows)});
        if (weight && rows == 1 && right->back() % lanes != 0 && right->back() >= kManyColumns * lanes)
            return with_zeros(binding, *call, *weight, panel_with_zeros(right->back(), lanes));
        const bool packs = right->size() == 2 && (weight || rows >= kManyRows);
        const std::int64_t panel = packs ? panel_for(rows, right->back(), lanes) : 1;
        const std::int64_t stretch = dtype == DType::F16 ? units_.f16_stretch : 0;
        const std::int64_t columns = weight || panel > 1 ? 1 : column_group(rows, right->back(), lanes);
        if (panel == 1 && columns == 1 && ((rows % group == 0 && stretch == 0) || right->back() < lanes))
            return keep(binding);
        Attrs::Map attrs = kept_attrs(*call);
        if (stretch > 0) attrs.insert_or_assign("stretch", stretch);
        if (panel > 1) attrs.insert_or_assign("panel", panel);
        if (group > 1) attrs.insert_or_assign("rows", group);
        if (columns > 1) attrs.insert_or_assign("columns", columns);
        const Var packed = panel > 1 ? in_panels(binding, b, weight, panel) : b;
        return replace(binding, make_call("layout_matmul", {a, packed}, Attrs(std::move(attrs))),
                       panel > 1     ? "a matrix in panels"
                       : columns > 1 ? "columns in groups"
                       : group > 1   ? "rows in groups"
                                     : "sums in stretches",
                       std::vector{b});
    }

  private:
    static constexpr std::int64_t kTile = 32, kTileRows = 16;

    /// Rows of a product with a matrix that is no constant, each of which reads all of it from further away than a
    /// panel: twice as many at once, where registers are many and that adds little to do.
    std::int64_t value_rows(std::int64_t rows) const {
        constexpr int kManyRegisters = 512; // bits of those that processors have 32 of
        constexpr std::int64_t kLittle = 32;
        const std::int64_t group = product_rows(rows), both = round_up(rows, 2 * group);
        return units_.vector_bits >= kManyRegisters && group == 6 && (both - rows) * kLittle <= rows ? 2 * group
                                                                                                     : group;
    }

    /// What a product keeps of its attributes: all but transpositions, of which it has none here.
    static Attrs::Map kept_attrs(const CallOp& call) {
        Attrs::Map attrs = call.attrs.values();
        std::erase_if(attrs, [](const auto& attr) { return attr.first.starts_with("transpose_"); });
        return attrs;
    }

    /// A product of bytes in tiles, or by fours in registers. Null where neither divides the matrix.
    Var of_bytes(const Binding& binding, const CallOp& call, const NDArray& matrix, std::int64_t rows) {
        constexpr std::int64_t kPart = 4, kTileDepth = 64;
        const std::int64_t lanes = units_.vector_bits / 8 / byte_size(DType::I32), depth = matrix.shape()[0],
                           columns = matrix.shape()[1];
        if (units_.bytes == ByteProducts::Tiles && rows >= kTileRows && depth % kTileDepth == 0 && columns % kTile == 0)
            return in_parts(binding, call, &matrix, {kTile, kPart, tile_rows(rows, rows)});
        if (depth % kPart != 0) return nullptr;
        const std::int64_t panel = dots_block(columns, lanes);
        if (panel == 0) return nullptr;
        return in_parts(binding, call, &matrix, {panel, kPart, rows < kFewRows ? 1 : product_rows(rows)});
    }
    /// How a matrix is laid out for products of narrow elements.
    struct Parts {
        std::int64_t panel = 1, part = 1, rows = 1;
    };
    /// `matrix`: the value of the second factor; null when that is not known.
    Var in_parts(const Binding& binding, const CallOp& call, const NDArray* matrix, const Parts& parts) {
        static constexpr std::string_view kBatch = "ABCDEFGHIJ"; // names of its dimensions before the last two
        const std::size_t rank = shape_of(call.args[1])->size() - 2;
        if (rank > kBatch.size()) return keep(binding);
        const std::string batch(kBatch.substr(0, rank)),
            to = batch + "NK" + std::to_string(parts.panel) + "n" + std::to_string(parts.part) + "k";
        const Var packed = emit(binding, laid_out(call.args[1], matrix, batch + "KN", to), call.args[1]->name);
        Attrs::Map attrs = kept_attrs(call);
        attrs.insert({{"panel", parts.panel}, {"part", parts.part}});
        if (parts.rows > 1) attrs.insert({"rows", parts.rows});
        return replace(binding, make_call("layout_matmul", {call.args[0], packed}, Attrs(std::move(attrs))),
                       "a product of narrow elements", std::vector{call.args[1]});
    }

    /// One row times a matrix whose columns fill no panels: columns of zeros do, and their sums are cut off.
    Var with_zeros(const Binding& binding, const CallOp& call, const NDArray& matrix, std::int64_t panel) {
        const std::int64_t columns = matrix.shape()[1];
        const Var& b = call.args[1];
        const NDArray wide = ops::with_zeros(matrix, 1, round_up(columns, panel));
        Attrs::Map attrs = kept_attrs(call);
        attrs.insert_or_assign("panel", panel);
        const Var packed = emit(binding, laid_out(b, &wide, "KN", "NK" + std::to_string(panel) + "n"), b->name);
        const Var all = emit(binding, make_call("layout_matmul", {call.args[0], packed}, Attrs(std::move(attrs))),
                             binding.var->name);
        const Shape result = *shape_of(binding.var);
        return replace(binding,
                       make_call("slice", {all}, {{"begins", graph::Ints(result.size(), 0)}, {"sizes", result}}),
                       "columns of zeros fill panels", std::vector{b});
    }

    /// Made once for all who want it. `matrix`: its value; null when that is not known.
    Var in_panels(const Binding& binding, const Var& var, const NDArray* matrix, std::int64_t panel) {
        Var& made = made_[{var, panel}];
        if (made) return made;
        const std::string plain = "KN", panels = "NK" + std::to_string(panel) + "n";
        made = emit(binding, laid_out(var, matrix, plain, panels), var->name);
        return made;
    }
    /// A value in another layout: at once where it is known, which `matrix` is then.
    static graph::Expr laid_out(const Var& var, const NDArray* matrix, const std::string& from, const std::string& to) {
        if (!matrix) return make_call("layout_transform", {var}, {{"from", from}, {"to", to}});
        return make_ref<const graph::Constant>(
            ops::transformed(*matrix, ops::parse_layout(from).value(), ops::parse_layout(to).value()));
    }

    ProductUnits units_;
    std::map<std::pair<Var, std::int64_t>, Var> made_;
};

} // namespace

graph::Module pack_products(const graph::Module& module, const pass::Context& context, const ProductUnits& units) {
    graph::Module out = module;
    out.main = Packer(context.recorder, units).run(module.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context)).value();
}

} // namespace orrery::transform
