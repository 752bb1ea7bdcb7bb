#include "core/schedule/tile_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/matching.hpp"
#include "core/schedule/row_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Tiling : TraceWriter {
  public:
    using TraceWriter::TraceWriter;
    enum class Unfold : std::uint8_t { Never, WherePossible };

    void tile(const std::string& name, Unfold unfold) {
        const Mark before_tile = mark();
        for (const MatrixUnit unit : {MatrixUnit::Bf16Tiles, MatrixUnit::ByteTiles, MatrixUnit::ByteDots})
            for (const Rows rows : {Rows::AsTheyLie, Rows::Copied}) {
                if (unfold == Unfold::Never || !has_unit(unit) || (dots(unit) && rows == Rows::Copied)) continue;
                if (tile_matrices(name, rows, unit)) return;
                take_back(before_tile);
            }
        pack(name);
        const std::optional<Sums> sums = sums_of(name);
        if (!sums) return;
        const Block* block = as<Block>(sums->block);
        const std::optional<ElementBlock> reduction = sums->reduction;
        const std::optional<TileShape> shape = tile_shape(*block, *reduction, target_);
        if (!shape || shape->lanes.size < 2) return void(sum_in_lanes(draft_, name));
        const std::string& whole = sums->whole;
        if (const std::int64_t piece = streamed_piece(*block, *reduction, *shape, target_); piece > 0 && whole == name)
            return stream(name, *reduction, piece);
        const OperandCopy copy = pieces_ ? OperandCopy{} : copy_operand(*sums, *shape);
        const std::string user = user_of(whole, *element(*find(whole)), unfold);
        if (user.empty()) return;
        const std::vector<std::string> loops = loop_names(user);
        if (loops.size() != reduction->iters.size()) return;

        // The user's loops: outer ones, the parts of the split dimensions, then rows, groups and lanes.
        const auto at = [&user](const std::string& loop) { return user + "." + loop; };
        const bool panels = side_by_side(*reduction, *shape);
        const auto late = [&](std::size_t d) {
            if (!copy.block.empty()) return !copy.moves_with[d];
            const bool chooses = chooses_lanes(*reduction, d) && d + 1 < loops.size();
            return panels && !chooses && reduction->buffer->static_shape()[d] > 1;
        };
        std::vector<std::string> outer, after_panel, rows, groups, lanes;
        for (std::size_t d = 0; d < loops.size(); ++d) {
            const TilePart* part = shape->part_of(d);
            auto& around = late(d) ? after_panel : outer;
            if (!part) {
                around.push_back(at(loops[d]));
                continue;
            }
            if (!step("split", {at(loops[d]), std::vector<std::int64_t>{-1, part->size}})) return;
            around.push_back(at(loops[d] + "_o"));
            auto& list = part == &shape->lanes ? lanes : part == &shape->groups ? groups : rows;
            list.push_back(at(loops[d] + "_i"));
        }
        if (copy.lanes.dim >= 0) lanes_in_pieces(copy.lanes, at(loops[copy.lanes.dim]), outer, after_panel);
        const std::size_t before_rows = outer.size();
        outer.insert(outer.end(), after_panel.begin(), after_panel.end());
        if (copy.block.empty()) rows_in_pieces(*reduction, *shape, loops, user, outer);
        std::vector<std::string> inner = rows;
        inner.insert(inner.end(), groups.begin(), groups.end());
        inner.insert(inner.end(), lanes.begin(), lanes.end());
        std::vector<std::string> order = outer;
        order.insert(order.end(), inner.begin(), inner.end());
        if (order.size() > 1) step("reorder", {order});
        if (!step("compute_at", {whole, outer.back()})) return;
        if (unfold != Unfold::Never && repeats_work(whole, *shape)) {
            take_back(before_tile);
            return tile(name, Unfold::Never);
        }
        done_.insert({name, user, name + "_init", whole, whole + "_init"});
        if (whole != name && !add_stretches(*sums, *shape)) return;
        const std::int64_t width = target_.lanes(byte_size(reduction->buffer->dtype));
        const bool in_registers = shape->lanes.size <= width * target_.vector_registers;
        step("set_scope", {name, std::string(in_registers ? "registers" : "stack")});
        finish_tile(name, *shape);
        for (const std::string& loop : inner) step(loop == inner.back() ? "vectorize" : "unroll", {loop});
        const double work = work_of(name);
        if (pieces_) return note_piece_loop(user, outer);
        if (copy.block.empty()) {
            const std::size_t around = shape->shares ? 0 : copies_beside(name, user, 0, outer.size());
            // All loops over panels in one: then the next panel is known at the end of the inner ones as well.
            return spread_outer(user, around > 0 ? around : outer.size(), work, panels ? before_rows : 0);
        }
        if (!step("compute_at", {copy.block, outer[before_rows - 1]})) return;
        done_.insert(copy.block);
        if (copy.of_rows) step("set_scope", {copy.block, std::string("stack")});
        step("vectorize", {copy.block + "." + loop_names(copy.block).back()});
        spread_outer(user, before_rows, work);
    }

    std::optional<PieceLoop> tile_in_pieces(const std::string& name, const Pieces& pieces) {
        pieces_ = pieces;
        tile(name, Unfold::WherePossible);
        return piece_loop_;
    }
    void lanes_last(const std::string& name, std::int64_t widest) { pack(name, widest); }
    void finish(const std::string& name, const TileShape& shape, const std::string& user, LoopRange own) {
        finish_tile(name, shape);
        if (!shape.shares) copies_beside(name, user, own.first, own.end);
    }

  private:
    // ---------------------------------------------------------------------- sums over stretches

    /// A reduction, and the one that adds its results up, if there is one: as if both were one.
    struct Sums {
        std::string name;
        Stmt block;             ///< with the iterators that go from stretch to stretch as those of a reduction
        ElementBlock reduction; ///< a stretch's results, but of the dimensions of the whole
        std::string whole;      ///< the block of the whole sums: `name` where they are one
        std::string steps;      ///< the innermost loop from stretch to stretch
    };
    std::optional<Sums> sums_of(const std::string& name) const {
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        if (!reduction) return std::nullopt;
        Sums out{name, rebuild_block(*block, block->fields), *reduction, name, {}};
        const std::vector<const Block*> readers = readers_of(reduction->buffer, *block);
        const std::optional<Update> own = update_of(*block);
        const Block* whole = readers.size() == 1 && !is_param(reduction->buffer) ? readers.front() : nullptr;
        const std::optional<ElementBlock> sum = whole ? element(*whole) : std::nullopt;
        const std::optional<Update> update = sum && sum->reduces ? update_of(*whole) : std::nullopt;
        if (!own || !update || own->op != BinaryOp::Add || update->op != BinaryOp::Add) return out;
        const Cast* cast = as<Cast>(update->value);
        const Load* read = as<Load>(cast ? cast->value : update->value);
        std::vector<VarRef> iters;
        for (const BlockIter& iter : whole->fields.iters)
            if (iter.kind == IterKind::Reduce) {
                iters.push_back(iter.var);
                out.steps = whole->fields.name + "." + loop_name(iter);
            }
        const std::size_t around = iters.size();
        iters.insert(iters.end(), sum->iters.begin(), sum->iters.end());
        if (!read || !std::ranges::equal(read->indices, iters, [](const Expr& index, const VarRef& iter) {
                return index.get() == iter.get();
            }))
            return out;
        Block::Fields fields = block->fields;
        for (BlockIter& iter : fields.iters)
            for (std::size_t d = 0; d < around; ++d)
                if (iter.var == reduction->iters[d]) iter.kind = IterKind::Reduce;
        out.block = rebuild_block(*block, std::move(fields));
        out.reduction = {make_buffer(reduction->buffer->name, reduction->buffer->dtype, sum->buffer->static_shape()),
                         {reduction->iters.begin() + static_cast<std::ptrdiff_t>(around), reduction->iters.end()},
                         own->value,
                         true};
        out.whole = whole->fields.name;
        return out;
    }
    /// Inside of the tile of the whole sums: from stretch to stretch, each of which is a tile in registers.
    bool add_stretches(const Sums& sums, const TileShape& shape) {
        finish_tile(sums.whole, shape);
        step("set_scope", {sums.whole, std::string("stack")});
        return step("compute_at", {sums.name, sums.steps});
    }

    // ------------------------------------------------------------------------- tiles of matrices

    /// What makes a product of narrow factors, whose second one lies in parts of four bytes.
    enum class MatrixUnit : std::uint8_t { Bf16Tiles, ByteTiles, ByteDots };
    static bool dots(MatrixUnit unit) { return unit == MatrixUnit::ByteDots; }
    bool has_unit(MatrixUnit unit) const {
        if (unit == MatrixUnit::Bf16Tiles) return target_.bf16_tiles;
        return target_.byte_products >= (dots(unit) ? ByteProducts::Dots : ByteProducts::Tiles);
    }

    /// A product of narrow factors: c[.., row, .., lane] += wide(a) * wide(b[.., k / part, lane, k % part]).
    struct MatrixTile {
        MatrixUnit unit = MatrixUnit::Bf16Tiles;
        std::size_t row = 0; ///< dimension of the result
        std::int64_t rows = 1, lanes = 1;
        std::int64_t width = 1; ///< lanes of a dot
        const Load* a = nullptr;
        std::vector<bool> moves_a, moves_b;                       ///< dimensions of the result
        std::vector<std::pair<std::ptrdiff_t, std::string>> sums; ///< loops over products, as b lies: dimension, name
        std::int64_t a_bytes = 0, copy_bytes = 0; ///< of a as it lies, and in the order in which products read it
        [[nodiscard]] std::int64_t part() const { return unit == MatrixUnit::Bf16Tiles ? 2 : 4; }
        /// Products added to a sum at once.
        [[nodiscard]] std::int64_t depth() const { return dots(unit) ? part() : 16 * part(); }
    };
    static bool uses(const Load* load, const VarRef& var) {
        return std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, var); });
    }
    std::optional<MatrixTile> matrix_tile(const Block& block, const ElementBlock& reduction, MatrixUnit unit) const {
        MatrixTile out{.unit = unit};
        const bool real = unit == MatrixUnit::Bf16Tiles;
        const std::optional<Update> update = update_of(block);
        const Binary* product = update ? as<Binary>(update->value) : nullptr;
        if (!product || product->op != BinaryOp::Mul || update->op != BinaryOp::Add ||
            reduction.buffer->dtype != (real ? DType::F32 : DType::I32))
            return std::nullopt;
        out.a = narrow_load(product->a, real ? DType::BF16 : DType::U8);
        const Load* b = narrow_load(product->b, real ? DType::BF16 : DType::I8);
        const std::vector<std::int64_t> shape = reduction.buffer->static_shape();
        const std::size_t lane = shape.size() - 1;
        if (!out.a || !b || b->indices.size() < 3 || b->buffer->static_shape().back() != out.part() ||
            !runs_along(*(b->indices.end() - 2), reduction.iters[lane]))
            return std::nullopt;
        std::size_t row = lane;
        while (row > 0 && (shape[row - 1] == 1 || uses(b, reduction.iters[row - 1]))) --row;
        const auto one_row = std::ranges::find_if(reduction.iters, [&](const VarRef& iter) { return !uses(b, iter); });
        if (row == 0 && dots(unit)) row = static_cast<std::size_t>(one_row - reduction.iters.begin()) + 1;
        if (row == 0 || row > lane) return std::nullopt;
        out.row = row - 1;
        choose_columns(out, shape[lane]);
        out.rows = dots(unit) ? dot_rows(shape[out.row], out.lanes / out.width)
                              : tile_rows(shape[out.row], counted_width(*out.a, reduction.iters[out.row]));
        const BlockIter& last = block.fields.iters.back();
        if (out.lanes == 0 || out.rows == 0 || uses(b, reduction.iters[out.row]) || last.kind != IterKind::Reduce ||
            extent_of(last.extent) % out.depth() != 0)
            return std::nullopt;
        describe_factors(block, reduction, *b, out);
        return out;
    }
    /// Whether an index is a loop's variable, or its remainder by the columns of two tiles.
    static bool runs_along(const Expr& index, const VarRef& lane) {
        constexpr std::int64_t kTiles = 32;
        const Binary* rest = as<Binary>(index);
        const bool part = rest && rest->op == BinaryOp::FloorMod && as_int(rest->b) == kTiles;
        return (part ? rest->a.get() : index.get()) == lane.get();
    }
    static void describe_factors(const Block& block, const ElementBlock& reduction, const Load& b, MatrixTile& out) {
        for (const VarRef& iter : reduction.iters) {
            out.moves_a.push_back(uses(out.a, iter));
            out.moves_b.push_back(uses(&b, iter));
        }
        for (const BlockIter& iter : block.fields.iters) {
            const auto at = std::ranges::find_if(b.indices, [&](const Expr& e) { return uses_var(e, iter.var); });
            if (iter.kind == IterKind::Reduce) out.sums.emplace_back(at - b.indices.begin(), loop_name(iter));
        }
        std::ranges::stable_sort(out.sums, {}, &std::pair<std::ptrdiff_t, std::string>::first);
        const std::int64_t bytes = byte_size(out.a->buffer->dtype);
        out.a_bytes = out.a->buffer->static_size() * bytes;
        out.copy_bytes = bytes;
        for (const BlockIter& iter : block.fields.iters)
            if (uses(out.a, iter.var)) out.copy_bytes *= extent_of(iter.extent);
    }
    /// Columns made at once: of two tiles, or of a few registers, halves of them where whole ones do not divide. 0
    /// where nothing does.
    void choose_columns(MatrixTile& tile, std::int64_t extent) const {
        constexpr std::int64_t kTiles = 32, kMostRegisters = 4, kMostHalves = 5, kNarrowest = 8;
        if (!dots(tile.unit)) return void(tile.lanes = extent % kTiles == 0 ? kTiles : 0);
        tile.width = target_.lanes(byte_size(DType::I32));
        const bool whole = extent % tile.width == 0;
        if (!whole) tile.width = kNarrowest;
        tile.lanes = extent % tile.width == 0
                         ? tile.width * choose_divisor(extent / tile.width, whole ? kMostRegisters : kMostHalves)
                         : 0;
    }
    /// Rows whose sums, so many registers each, fit beside what they are made of.
    std::int64_t dot_rows(std::int64_t extent, std::int64_t registers) const {
        constexpr std::int64_t kMostRows = 12; // our choice: then two registers a row keep the units busy
        return choose_divisor(extent,
                              std::min(kMostRows, registers > 0 ? (target_.vector_registers - 1) / registers - 1 : 0));
    }
    /// Whole parts of an image's row of `width` places, or whole rows of it: places that lie equally far apart. 0 where
    /// rows are few.
    static std::int64_t tile_rows(std::int64_t extent, std::int64_t width) {
        constexpr std::int64_t kMost = 32, kLeast = 14; // our choice: fewer leave half of the time to loads
        for (const bool in_rows : {true, false})
            for (std::int64_t rows = kMost; rows >= kLeast; rows -= 2)
                if (extent % rows == 0 && (!in_rows || (width > 0 && (width % rows == 0 || rows == 2 * width))))
                    return rows;
        return 0;
    }
    static const Load* narrow_load(const Expr& value, DType dtype) {
        const Cast* wide = as<Cast>(value);
        const Load* load = wide ? as<Load>(wide->value) : nullptr;
        return load && load->buffer->dtype == dtype ? load : nullptr;
    }

    /// A copy of a. Empty where it is not legal.
    std::string rows_for_tiles(const std::string& name, const MatrixTile& tile) {
        const std::string border = copy_for(name);
        const Buffer whole = tile.a->buffer;
        const std::string copy = made_by("reindex", {name, whole->name});
        if (!copy.empty() && !border.empty() && element(*find(border))->buffer == whole)
            step("compute_inline", {border});
        return copy;
    }
    /// The order in which products read that copy: [.., tiles of rows, sums, rows, last sum]. `axes`: its loops' names.
    static std::string tile_order(const std::vector<std::string>& axes, const MatrixTile& tile, const std::string& row,
                                  bool tiles) {
        std::string from, lead, sums, last;
        const auto axis = [&axes](const std::string& name) {
            return "a" + std::to_string(std::ranges::find(axes, name) - axes.begin());
        };
        for (const std::string& name : axes) {
            from += (from.empty() ? "" : ", ") + axis(name);
            const bool summed = std::ranges::any_of(tile.sums, [&](const auto& sum) { return sum.second == name; });
            if (!summed && name != row) lead += axis(name) + ", ";
        }
        const std::string rows = std::to_string(tile.rows);
        if (tiles) lead += axis(row) + " // " + rows + ", ";
        for (const auto& [dim, name] : tile.sums) {
            if (std::ranges::find(axes, name) == axes.end()) continue;
            sums += last;
            last = axis(name) + ", ";
        }
        return from + " -> " + lead + sums + axis(row) + (tiles ? " % " + rows : "") + ", " +
               last.substr(0, last.size() - 2);
    }

    /// The map that moves one of so many axes before the last.
    static std::string row_beside_lane(std::size_t rank, std::size_t row) {
        std::string from, to;
        for (std::size_t d = 0; d < rank; ++d) {
            const std::string axis = "a" + std::to_string(d);
            from += (d ? ", " : "") + axis;
            if (d + 1 == rank) to += "a" + std::to_string(row) + ", ";
            if (d != row) to += axis + (d + 1 == rank ? "" : ", ");
        }
        return from + " -> " + to;
    }

    enum class Rows : std::uint8_t { AsTheyLie, Copied };
    bool tile_matrices(const std::string& name, Rows rows, MatrixUnit unit) {
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        const std::optional<MatrixTile> tile = reduction ? matrix_tile(*block, *reduction, unit) : std::nullopt;
        if (!tile || !owns_nest(name)) return false;
        const std::vector<std::string> own = loop_names(name);
        const std::string copy = rows == Rows::Copied ? rows_for_tiles(name, *tile) : std::string();
        if (rows == Rows::Copied && copy.empty()) return false;
        const std::vector<std::string> axes = copy.empty() ? std::vector<std::string>{} : loop_names(copy);
        const std::string user = user_of(name, *reduction, Unfold::WherePossible);
        const std::vector<std::string> loops = user.empty() ? std::vector<std::string>{} : loop_names(user);
        if (loops.size() != reduction->iters.size()) return false;
        // All rows beside one panel, where they stay in the second-level cache; or all panels beside a few rows.
        const bool whole = (copy.empty() ? tile->a_bytes : tile->copy_bytes) <= target_.l2_bytes / 2;
        const std::optional<TileLoops> around = loops_around(*reduction, *tile, user, loops, whole);
        if (!around || !step("compute_at", {name, around->outer.back()})) return false;
        step("set_scope", {name, std::string(dots(unit) ? "registers" : "stack")});
        const bool beside = !copy.empty() && !whole;
        if (beside && (!step("compute_at", {copy, around->outer[around->early - 1]}) ||
                       !step("set_scope", {copy, std::string("stack")})))
            return false;
        if (!copy.empty() && !step("transform_layout", {copy, tile_order(axes, *tile, own[tile->row], !beside)}))
            return false;
        const std::size_t lane = loops.size() - 1;
        if (tile->row + 1 != lane && !step("transform_layout", {name, row_beside_lane(loops.size(), tile->row)}))
            return false;
        if (!multiply_in_unit(name, *tile)) return false;
        done_.insert({name, name + "_o", user, name + "_init"});
        if (dots(unit) && tile->rows > 1) step("unroll", {around->row});
        step("vectorize", {around->lane});
        const double work = work_of(user) * static_cast<double>(tile->lanes);
        if (!copy.empty()) {
            done_.insert(copy);
            step("vectorize", {copy + "." + loop_names(copy).back()});
            if (!beside) spread_outer(copy, axes.size() - 1, work_of(copy));
        }
        spread_outer(user, beside ? around->early : around->outer.size(), work);
        return true;
    }
    /// The user's loops: those around a tile, of which the first `early` come before those beside a copy of a, and the
    /// tile's.
    struct TileLoops {
        std::vector<std::string> outer;
        std::size_t early = 0;
        std::string row, lane;
    };
    std::optional<TileLoops> loops_around(const ElementBlock& reduction, const MatrixTile& tile,
                                          const std::string& user, const std::vector<std::string>& loops, bool whole) {
        const std::size_t lane = loops.size() - 1;
        const auto at = [&](std::size_t d) { return user + "." + loops[d]; };
        if (!step("split", {at(tile.row), std::vector<std::int64_t>{-1, tile.rows}})) return std::nullopt;
        const bool split = reduction.buffer->static_shape()[lane] > tile.lanes;
        if (split && !step("split", {at(lane), std::vector<std::int64_t>{-1, tile.lanes}})) return std::nullopt;
        TileLoops out{.outer = {}, .early = 0, .row = at(tile.row) + "_i", .lane = at(lane) + (split ? "_i" : "")};
        std::vector<std::string> late;
        for (std::size_t d = 0; d < (split ? lane + 1 : lane); ++d) {
            const bool both = tile.moves_a[d] && tile.moves_b[d]; // products of a batch, one after another
            (!both && tile.moves_a[d] == whole ? late : out.outer)
                .push_back(d == tile.row || d == lane ? at(d) + "_o" : at(d));
        }
        out.early = out.outer.size();
        out.outer.insert(out.outer.end(), late.begin(), late.end());
        std::vector<std::string> order = out.outer;
        order.insert(order.end(), {out.row, out.lane});
        return step("reorder", {order}) ? std::optional(out) : std::nullopt;
    }

    /// The block inside its tile: sums around products of the unit.
    bool multiply_in_unit(const std::string& name, const MatrixTile& tile) {
        std::vector<std::string> sums, own;
        for (const auto& [dim, loop] : tile.sums) sums.push_back(name + "." + loop);
        const std::vector<std::string> all = loop_names(name);
        const std::ptrdiff_t count = tile.rows > 1 ? 2 : 1;
        if (sums.empty() || std::ssize(all) < std::ssize(sums) + count) return false;
        for (auto loop = all.end() - std::ssize(sums) - count; loop != all.end() - std::ssize(sums); ++loop)
            own.push_back(name + "." + *loop);
        const std::string last = sums.back();
        std::string first = own.front(); // of the unit's loops
        if (dots(tile.unit)) {
            if (!step("split", {last, std::vector<std::int64_t>{-1, tile.part()}})) return false;
            sums.back() = last + "_o";
            const std::string lane = own.back();
            first = lane;
            if (tile.lanes > tile.width) {
                if (!step("split", {lane, std::vector<std::int64_t>{-1, tile.width}})) return false;
                first = lane + "_i";
                own.back() = lane + "_o";
                own.push_back(first);
            }
            own.push_back(last + "_i");
        } else {
            if (!step("split", {last, std::vector<std::int64_t>{-1, 16, tile.part()}})) return false;
            sums.back() = last + "_0";
            own.insert(own.end(), {last + "_1", last + "_2"});
        }
        std::vector<std::string> order = sums;
        order.insert(order.end(), own.begin(), own.end());
        if (!step("reorder", {order}) || !step("decompose_reduction", {name, sums.front()})) return false;
        const std::vector<std::string> init = loop_names(name + "_init");
        step("vectorize", {name + "_init." + init.back()});
        if (dots(tile.unit)) {
            if (tile.rows > 1) step("unroll", {name + "_init." + *(init.end() - 2)});
            for (auto loop = own.begin(); *loop != first; ++loop) step("unroll", {*loop});
        }
        return step("tensorize", {first, unit_name(tile)});
    }
    std::string unit_name(const MatrixTile& tile) const {
        if (tile.unit == MatrixUnit::Bf16Tiles) return bf16_tiles_name(tile.rows, tile.lanes);
        if (tile.unit == MatrixUnit::ByteTiles) return byte_tiles_name(tile.rows, tile.lanes);
        return byte_dots_name(tile.width);
    }

    // ------------------------------------------------------------------------------------ copies

    /// A copy of an operand that is made inside the loops over the result's dimensions it moves with.
    struct OperandCopy {
        std::string block; ///< empty for none
        std::vector<bool> moves_with;
        bool of_rows = false;
        Pieces lanes; ///< around all: of what is read along the lanes
    };
    OperandCopy copy_operand(const Sums& sums, const TileShape& shape) {
        const std::string& name = sums.name;
        const Panel panel = panel_of(*as<Block>(sums.block), sums.reduction, shape, target_);
        if (panel.buffer) {
            // What makes it for this product alone, a transpose, is that copy.
            const std::string own = copy_for(name);
            if (!own.empty() && element(*find(own))->buffer == panel.buffer) return {own, panel.moves_with};
            const std::string copy = made_by("cache_read", {name, panel.buffer->name, std::string("global")});
            return copy.empty() ? OperandCopy{} : OperandCopy{copy, panel.moves_with};
        }
        const ScatteredRows rows = scattered_rows(*as<Block>(sums.block), sums.reduction, shape, target_);
        if (!rows.buffer) return {};
        const std::string border = copy_for(name);
        const std::string copy = made_by("reindex", {name, rows.buffer->name});
        if (copy.empty()) return {};
        // A border around the image is written where the copy is.
        if (!border.empty() && element(*find(border))->buffer == rows.buffer) step("compute_inline", {border});
        return {copy, rows.moves_with, true, rows.lanes};
    }
    /// The block that a step adds; empty when it is not legal.
    std::string made_by(const std::string& primitive, std::vector<Arg> args) {
        const std::vector<std::string> before = block_names();
        if (step(primitive, std::move(args)))
            for (const std::string& made : block_names())
                if (std::ranges::find(before, made) == before.end()) return made;
        return {};
    }
    /// Puts pieces of the loop over tiles of lanes around all others.
    void lanes_in_pieces(const Pieces& pieces, const std::string& dim, std::vector<std::string>& outer,
                         std::vector<std::string>& inside) {
        auto loop = std::ranges::find(inside, dim + "_o");
        if (loop == inside.end()) loop = std::ranges::find(inside, dim);
        if (pieces.count < 2 || loop == inside.end()) return;
        if (!step("split", {*loop, std::vector<std::int64_t>{pieces.count, -1}})) return;
        outer.insert(outer.begin(), *loop + "_o");
        *loop += "_i";
    }

    /// The block that uses a reduction's result element by element once its loops are those over the reduction's
    /// dimensions, which they are made; empty when there is none.
    std::string unfolding_of(const Block& block, const ElementBlock& reduction) {
        const std::vector<const Block*> readers = readers_of(reduction.buffer, block);
        const std::optional<ElementBlock> consumer = readers.size() == 1 ? element(*readers.front()) : std::nullopt;
        if (!consumer || consumer->reduces) return {};
        const std::optional<std::vector<LoopChange>> changes = matching_loops(*consumer, reduction);
        const std::string user = readers.front()->fields.name;
        const std::vector<std::string> loops = loop_names(user);
        if (!changes || loops.size() != consumer->iters.size()) return {};
        const auto at = [&](std::size_t loop) { return user + "." + loops[loop]; };
        for (const LoopChange& change : *changes) {
            const bool done = change.factor == 0
                                  ? step("fuse", {std::vector{at(change.loop), at(change.loop + 1)}})
                                  : step("split", {at(change.loop), std::vector<std::int64_t>{-1, change.factor}});
            if (!done) return {};
        }
        return user;
    }

    /// The block in whose loops a reduction is computed, made when there is none; empty when none can be.
    std::string user_of(const std::string& name, const ElementBlock& reduction, Unfold unfold) {
        const Block* block = find(name);
        std::string user = is_param(reduction.buffer) ? std::string() : epilogue_of(*block, reduction);
        if (user.empty() && unfold != Unfold::Never && !is_param(reduction.buffer))
            user = unfolding_of(*block, reduction);
        if (!user.empty()) return user;
        return step("cache_write", {name, std::string("stack")}) ? name + "_write" : std::string();
    }

    /// A reduction that runs along the last dimension of what moves with its lanes (a product with a transposed matrix)
    /// has no vectors: a copy in which the lanes are last, where enough of the work uses it again. The same for rows of
    /// more than `widest` elements.
    void pack(const std::string& name, std::int64_t widest = INT64_MAX) {
        constexpr double kWorthCopy = 8; // our choice: uses of an element for one that is copied
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        if (!reduction || reduction->iters.empty()) return;
        const VarRef& lane = reduction->iters.back();
        LoadCollector collector;
        collector.visit(reduction->value);
        for (const Load* load : collector.loads) {
            const bool along = std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, lane); });
            if (load->buffer == reduction->buffer || !along) continue;
            const bool narrow = load->buffer->static_shape().back() <= widest;
            if (vector_access(load->indices, lane) && narrow) continue;
            std::string from, to, lane_axis;
            double uses = 1;
            std::size_t axes = 0, lane_at = 0;
            for (const BlockIter& iter : block->fields.iters) {
                const bool moves =
                    std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
                if (!moves) {
                    uses *= static_cast<double>(extent_of(iter.extent));
                    continue;
                }
                const std::string axis = "a" + std::to_string(axes);
                from += (axes ? ", " : "") + axis;
                if (iter.var.get() == lane.get()) {
                    lane_axis = axis;
                    lane_at = axes;
                } else {
                    to += axis + ", ";
                }
                ++axes;
            }
            if (uses < kWorthCopy) return;
            const std::vector<std::string> before = block_names();
            if (!step("reindex", {name, load->buffer->name})) return;
            for (const std::string& made : block_names()) {
                if (std::ranges::find(before, made) != before.end()) continue;
                if (!step("transform_layout", {made, from + " -> " + to + lane_axis})) return;
                std::vector<std::string> order;
                for (const std::string& loop : loop_names(made)) order.push_back(made + "." + loop);
                if (order.size() != axes) return;
                std::rotate(order.begin() + static_cast<std::ptrdiff_t>(lane_at),
                            order.begin() + static_cast<std::ptrdiff_t>(lane_at) + 1, order.end());
                step("reorder", {order});
            }
            return narrow ? pack(name) : void();
        }
    }
    /// A copy that only this reduction reads (its input with a border, say), where little else is done with what is
    /// copied: made a piece at a time in the outer loops of `user`, while the piece is in the nearest caches, instead
    /// of all of it before. How many loops are around a piece then; 0 where it stays apart.
    /// `first`: the loops before that one are left alone.
    std::size_t copies_beside(const std::string& name, const std::string& user, std::size_t first, std::size_t outer) {
        // Of the nearest cache, and how much is copied again since pieces overlap by what windows reach over. Source:
        // measured (docs/performance.md); pieces beside which results and what is copied still fit are the best.
        constexpr std::array<std::pair<double, double>, 3> kSizes{{{1.0 / 3, 2}, {0.5, 3}, {2, 1.25}}};
        for (const auto& [kept, repeated] : kSizes)
            if (const std::size_t around = copy_in_pieces(name, user, {first, outer, kept, repeated}); around > 0)
                return around;
        return 0;
    }
    struct PieceLimits {
        std::size_t first = 0, outer = 0; ///< loops
        double kept = 0, repeated = 0;    ///< of the nearest cache, and of the whole
    };
    std::size_t copy_in_pieces(const std::string& name, const std::string& user, const PieceLimits& limits) {
        const double kept = limits.kept * static_cast<double>(target_.l1_bytes), want = 4.0 * target_.cores;
        const std::string copy = copy_for(name);
        const Block* block = copy.empty() ? nullptr : find(copy);
        if (!block) return 0;
        const Buffer whole = element(*block)->buffer;
        const double all = static_cast<double>(whole->static_size());
        const std::vector<std::string> loops = loop_names(user);
        const std::vector<std::int64_t> extents = loop_extents(user);
        const Program before = program_;
        const std::size_t steps = trace_.steps.size();
        double around = 1;
        for (std::size_t d = 0; d < limits.first; ++d) around *= static_cast<double>(extents[d]);
        for (std::size_t d = limits.first; d < limits.outer; around *= static_cast<double>(extents[d++]))
            for (std::int64_t pieces = 2; pieces <= extents[d]; ++pieces) {
                const double count = around * static_cast<double>(pieces);
                if (extents[d] % pieces != 0 || count < want || all / count * byte_size(whole->dtype) > kept) continue;
                std::string at = user + "." + loops[d];
                if (pieces < extents[d]) {
                    if (!step("split", {at, std::vector<std::int64_t>{pieces, -1}})) continue;
                    at += "_o";
                }
                if (step("compute_at", {copy, at})) {
                    const Result<BlockPlace> place = find_block(program_, copy);
                    const Buffer piece = element_of(*place->block);
                    const double size = piece ? static_cast<double>(piece->static_size()) : all;
                    if (size * byte_size(whole->dtype) <= kept && size * count <= limits.repeated * all) {
                        done_.insert(copy);
                        step("vectorize", {copy + "." + loop_names(copy).back()});
                        return d + 1;
                    }
                }
                program_ = before;
                trace_.steps.resize(steps);
            }
        return 0;
    }
    void stream(const std::string& name, const ElementBlock& reduction, std::int64_t piece) {
        // Of the matrix, read side by side for one visit of the sums. Source: measured (4: 16 GB/s, 8: 20, 16: 19).
        constexpr std::int64_t kRows = 8;
        const std::string user = user_of(name, reduction, Unfold::Never);
        const std::vector<std::string> loops = loop_names(user);
        if (user.empty() || loops.size() != reduction.iters.size()) return;
        const std::string last = user + "." + loops.back();
        if (!step("split", {last, std::vector<std::int64_t>{-1, piece}})) return;
        if (!step("compute_at", {name, last + "_o"})) return;
        done_.insert({name, user, name + "_init"});
        std::vector<std::string> order;
        const Block* block = find(name);
        const Result<BlockPlace> place = find_block(program_, name);
        std::int64_t steps = 1;
        for (const For* loop : place->loops())
            for (const BlockIter& iter : block->fields.iters)
                if (iter.kind == IterKind::Reduce && iter.binding.get() == loop->var.get()) {
                    order.push_back(name + "." + loop->var->name);
                    steps = extent_of(loop->extent);
                }
        const std::vector<std::string> all = loop_names(name);
        const std::string lane = name + "." + all[all.size() - order.size() - 1];
        const std::int64_t rows = choose_divisor(steps, kRows);
        const std::int64_t width = target_.lanes(byte_size(reduction.buffer->dtype));
        const std::int64_t lanes = choose_lanes(piece, width, width * 2);
        std::string row;
        if (rows > 1 && step("split", {order.back(), std::vector<std::int64_t>{-1, rows}})) {
            row = order.back() + "_i";
            order.back() += "_o";
        }
        if (!step("split", {lane, std::vector<std::int64_t>{-1, lanes}})) return;
        order.push_back(lane + "_o");
        if (!row.empty()) order.push_back(row);
        order.push_back(lane + "_i");
        step("reorder", {order});
        if (step("decompose_reduction", {name, order.front()}))
            step("vectorize", {name + "_init." + loop_names(name + "_init").back()});
        if (!row.empty()) step("unroll", {row});
        step("vectorize", {lane + "_i"});
        if (step("split", {last + "_i", std::vector<std::int64_t>{-1, lanes}})) step("vectorize", {last + "_i_i"});
        spread_outer(user, loops.size(), work_of(name));
    }

    /// Whether a tile is larger than was asked for, since the user's loops do not say which part they need.
    bool repeats_work(const std::string& name, const TileShape& shape) const {
        const Store* store = as<Store>(find(name)->fields.body);
        return store && store->buffer->static_size() > shape.size();
    }

    /// Puts the loop over pieces of rows before the loops that choose what is loaded along the lanes. `loops`: of the
    /// user before they were split.
    void rows_in_pieces(const ElementBlock& reduction, const TileShape& shape, const std::vector<std::string>& loops,
                        const std::string& user, std::vector<std::string>& outer) {
        const Pieces pieces = pieces_ ? *pieces_ : row_pieces(reduction, shape, target_);
        if (pieces.dim < 0) return;
        const auto dim = static_cast<std::size_t>(pieces.dim);
        const auto loop_of = [&](std::size_t d) { return user + "." + loops[d] + (shape.part_of(d) ? "_o" : ""); };
        const std::string rows = loop_of(dim);
        auto first = outer.end();
        for (std::size_t d = 0; d < loops.size(); ++d)
            if (pieces.before < 0 ? chooses_lanes_alone(reduction, d) : pieces.before == static_cast<std::ptrdiff_t>(d))
                first = std::min(first, std::ranges::find(outer, loop_of(d)));
        const auto at = std::ranges::find(outer, rows);
        const bool around = first > at; // already; only pieces that were asked for need a loop of their own
        if (at == outer.end() || (around && !pieces_) ||
            !step("split", {rows, std::vector<std::int64_t>{pieces.count, -1}}))
            return;
        piece_ = rows + "_o";
        *at = rows + (around ? "_o" : "_i");
        if (around)
            outer.push_back(rows + "_i");
        else
            outer.insert(first, rows + "_o");
    }

    void note_piece_loop(const std::string& user, const std::vector<std::string>& outer) {
        const auto loop = std::ranges::find(outer, piece_);
        if (loop != outer.end()) piece_loop_ = {user, piece_, static_cast<std::size_t>(loop - outer.begin()) + 1};
    }

    /// Inside a tile: the reduction around rows and lanes, the initial value apart.
    void finish_tile(const std::string& name, const TileShape& shape) {
        const Block* block = find(name);
        const Result<BlockPlace> place = find_block(program_, name);
        std::vector<std::string> reduction, spatial;
        std::vector<std::int64_t> steps;
        for (const For* loop : place->loops())
            for (const BlockIter& iter : block->fields.iters) {
                if (iter.kind != IterKind::Reduce || iter.binding.get() != loop->var.get()) continue;
                reduction.push_back(name + "." + loop->var->name);
                steps.push_back(extent_of(loop->extent));
            }
        const std::vector<std::string> all = loop_names(name);
        std::vector<const TilePart*> parts; ///< in the order of the dimensions, as the block's loops are
        for (std::size_t d = 0; d <= static_cast<std::size_t>(shape.lanes.dim); ++d)
            if (const TilePart* part = shape.part_of(d)) parts.push_back(part);
        const std::size_t own = parts.size();
        for (std::size_t i = all.size() - reduction.size() - own; i < all.size() - reduction.size(); ++i)
            spatial.push_back(name + "." + all[i]);
        // What a row loads is used by all groups at once: those stand inside.
        const auto group = std::ranges::find(parts, &shape.groups) - parts.begin();
        if (group < std::ssize(spatial))
            std::rotate(spatial.begin() + group, spatial.begin() + group + 1, spatial.end() - 1);
        if (reduction.empty()) return;
        std::vector<std::string> order = reduction;
        order.insert(order.end(), spatial.begin(), spatial.end());
        step("reorder", {order});
        if (step("decompose_reduction", {name, reduction.front()})) {
            const std::vector<std::string> init = loop_names(name + "_init");
            for (std::size_t i = init.size() - std::min(own, init.size()); i < init.size(); ++i)
                step(i + 1 == init.size() ? "vectorize" : "unroll", {name + "_init." + init[i]});
        }
        for (const std::string& loop : spatial) step(loop == spatial.back() ? "vectorize" : "unroll", {loop});
        if (!shape.overlap) return;
        // Windows are written out, their rows first: what neighbours read is then loaded once for all of them. Our
        // choice: windows of 3 x 3 for half of 32 registers, their rows for half of 16.
        const std::int64_t most = std::int64_t{target_.vector_registers} * target_.vector_registers / 8;
        std::int64_t products = shape.rows.size;
        for (std::size_t i = reduction.size(); i-- > 0 && (products *= steps[i]) <= most;)
            if (steps[i] > 1) step("unroll", {reduction[i]});
    }

    std::optional<Pieces> pieces_; ///< of a reduction in whose loops what it reads is computed
    std::string piece_;            ///< that reduction's loop from piece to piece
    std::optional<PieceLoop> piece_loop_;
};

} // namespace

std::optional<PieceLoop> tile_in_pieces(Draft& draft, const std::string& name, const Pieces& pieces) {
    return Tiling(draft).tile_in_pieces(name, pieces);
}
void finish_tile(Draft& draft, const std::string& name, const TileShape& shape, const std::string& user,
                 LoopRange own) {
    Tiling(draft).finish(name, shape, user, own);
}

void lanes_last(Draft& draft, const std::string& name, std::int64_t widest) { Tiling(draft).lanes_last(name, widest); }
void tile_reduction(Draft& draft, const std::string& name) { Tiling(draft).tile(name, Tiling::Unfold::WherePossible); }

} // namespace orrery::schedule
