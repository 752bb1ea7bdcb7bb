// Products of tiles (AMX of x86): registers of up to 16 rows of 64 bytes. Sums take registers 0 to 3, two by two, rows
// of the first factor 4 and 5, columns of the second 6 and 7. Where a loop does nothing but add products to the same
// sums, those stay in their registers for all of it. How registers are cut is told to the processor at the start of a
// function, and where they are used in one that calls others which may cut them otherwise.
// Source: Intel 64 manual, volume 1, chapter 18.
#include "backends/llvm/emitter.hpp"

#include "core/schedule/intrinsics.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <map>
#include <utility>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

constexpr std::int64_t kTileRows = 16, kTileColumns = 16, kSumRowBytes = 64;
constexpr unsigned kFirstA = 4, kFirstB = 6;

/// The block that all loops inside are around; null where there is something else.
const Block* only_block(const Stmt& body, std::vector<VarRef>& vars) {
    const Stmt* at = &body;
    while (const For* loop = as<For>(*at)) {
        if (loop->loop != LoopKind::Serial) return nullptr;
        vars.push_back(loop->var);
        at = &loop->body;
    }
    return as<Block>(*at);
}

} // namespace

struct Emitter::TileProduct {
    schedule::IntrinsicMatch match; ///< corners in terms of loops around the block
    std::string instruction;
    std::int64_t rows = 1, columns = 1; ///< of the sums
    std::int64_t depth_bytes = 64;      ///< of a row of a
    std::int64_t pairs = 16;            ///< rows of b
    [[nodiscard]] std::int64_t row_tiles() const { return rows > kTileRows ? 2 : 1; }
    [[nodiscard]] std::int64_t column_tiles() const { return columns / kTileColumns; }
    [[nodiscard]] std::int64_t tile_rows() const { return rows / row_tiles(); }
};

std::optional<Emitter::TileProduct> Emitter::tile_product(const Block& block) const {
    const auto note = block.fields.annotations.find("tensorize");
    if (note == block.fields.annotations.end() || machine_.tile_products.empty()) return std::nullopt;
    const auto intrinsic = schedule::find_intrinsic(note->second);
    if (!intrinsic || !machine_.tile_products.contains(intrinsic->tiles)) return std::nullopt;
    Result<schedule::IntrinsicMatch> match = schedule::match_intrinsic(block, *intrinsic);
    if (!match) return std::nullopt; // it was scheduled further
    TileProduct out{*std::move(match), intrinsic->tiles};
    VarMap iters;
    for (const BlockIter& iter : block.fields.iters) iters[iter.var] = iter.binding;
    for (auto& [param, place] : out.match.params)
        for (Expr& index : place.corner) index = substitute(index, iters);
    for (const Buffer& param : intrinsic->description->params) {
        const std::vector<std::int64_t> shape = param->static_shape();
        if (param->name == "c") out.rows = shape[0], out.columns = shape[1];
        if (param->name == "a") out.depth_bytes = shape[1] * byte_size(param->dtype);
        if (param->name == "b") out.pairs = shape[0];
    }
    return out;
}

bool Emitter::has_tiles(const Stmt& stmt) const {
    return !machine_.tile_products.empty() &&
           std::ranges::any_of(schedule::blocks_of(stmt),
                               [this](const Block* block) { return tile_product(*block).has_value(); });
}

/// The product that is all a serial loop does, added to the same sums in each iteration.
std::optional<Emitter::TileProduct> Emitter::held_product(const For& loop) const {
    if (loop.loop != LoopKind::Serial || holds_sums_ || lanes_.count != 0 || machine_.tile_products.empty())
        return std::nullopt;
    std::vector<VarRef> vars{loop.var};
    const Block* block = only_block(loop.body, vars);
    if (!block || block->fields.predicate != nullptr || block->fields.init != nullptr) return std::nullopt;
    std::optional<TileProduct> product = tile_product(*block);
    if (!product) return std::nullopt;
    for (const Expr& index : product->match.params.at("c").corner)
        for (const VarRef& var : vars)
            if (schedule::uses_var(index, var)) return std::nullopt;
    return product;
}

/// Whether a statement only clears the sums that the next one, a loop, adds its products to.
bool Emitter::clears_sums(const Stmt& stmt, const Stmt& next) const {
    const For* loop = as<For>(next);
    if (!loop || machine_.tile_products.empty()) return false;
    const std::optional<TileProduct> product = held_product(*loop);
    if (!product) return false;
    std::map<const Node*, std::optional<std::int64_t>> loops; ///< to their extents
    const Stmt* at = &stmt;
    for (const For* around = as<For>(*at); around; around = as<For>(*at)) {
        loops[around->var.get()] = as_int(around->extent);
        at = &around->body;
    }
    const Block* block = as<Block>(*at);
    const Store* store = block && block->fields.predicate == nullptr && block->fields.init == nullptr
                             ? as<Store>(block->fields.body)
                             : nullptr;
    if (!store) return false;
    const FloatImm* real = as<FloatImm>(store->value);
    const IntImm* whole = as<IntImm>(store->value);
    const bool zero = (real && real->value == 0) || (whole && whole->value == 0);
    const Buffer& sums = product->match.params.at("c").buffer;
    if (!zero || store->buffer != sums || sums->static_size() != product->rows * product->columns) return false;
    // Every element: each dimension is a loop of its own.
    VarMap iters;
    for (const BlockIter& iter : block->fields.iters) iters[iter.var] = iter.binding;
    for (std::size_t d = 0; d < store->indices.size(); ++d) {
        const auto extent = as_int(sums->shape[d]);
        const Expr index = simplify(substitute(store->indices[d], iters));
        if (extent == 1 && as_int(index) == 0) continue;
        const auto loop = loops.extract(index.get());
        if (loop.empty() || !extent || loop.mapped() != extent) return false;
    }
    return true;
}

void Emitter::tile_call(unsigned id, std::initializer_list<Value*> args) {
    llvm::Function* function = llvm::Intrinsic::getDeclaration(&module_, id);
    b_.CreateCall(function, std::vector<Value*>(args));
}

/// What ldtilecfg reads: a palette, then bytes of a row and rows of each register.
llvm::Constant* Emitter::tile_configuration(const std::string& config) {
    llvm::Constant* bytes = llvm::ConstantDataArray::getString(b_.getContext(), config, false);
    auto* data = new llvm::GlobalVariable(module_, bytes->getType(), true, llvm::GlobalValue::PrivateLinkage, bytes,
                                          symbol_ + ".tiles");
    data->setAlignment(llvm::Align(kTileRows * 4));
    return data;
}

bool Emitter::configure_tiles(const TileProduct& product) {
    constexpr std::size_t kBytes = 64, kRowBytesAt = 16, kRowsAt = 48;
    std::string config(kBytes, '\0');
    config[0] = 1; // the palette
    const auto set = [&](unsigned tile, std::int64_t rows, std::int64_t row_bytes) {
        config[kRowBytesAt + 2 * tile] = static_cast<char>(row_bytes);
        config[kRowsAt + tile] = static_cast<char>(rows);
    };
    for (unsigned tile = 0; tile < kFirstA; ++tile) set(tile, product.tile_rows(), kSumRowBytes);
    for (unsigned tile = kFirstA; tile < kFirstB; ++tile) set(tile, product.tile_rows(), product.depth_bytes);
    for (unsigned tile = kFirstB; tile < kFirstB + 2; ++tile) set(tile, product.pairs, kSumRowBytes);
    if (frame_.tiles == config) return false;
    if ((has_parallel_ && !frame_.parallel) || !frame_.tiles.empty()) {
        tile_call(llvm::Intrinsic::x86_ldtilecfg, {tile_configuration(config)});
        return true;
    }
    frame_.tiles = config;
    const llvm::IRBuilderBase::InsertPointGuard guard(b_);
    b_.SetInsertPoint(frame_.function->getEntryBlock().getTerminator());
    tile_call(llvm::Intrinsic::x86_ldtilecfg, {tile_configuration(config)});
    return false;
}

void Emitter::leave_tiles(bool configured) {
    if (!configured) return;
    if (frame_.tiles.empty()) return tile_call(llvm::Intrinsic::x86_tilerelease, {});
    tile_call(llvm::Intrinsic::x86_ldtilecfg, {tile_configuration(frame_.tiles)});
}

Emitter::TileAddress Emitter::tile_address(const TileProduct& product, const std::string& param) {
    const schedule::IntrinsicMatch::Place& place = product.match.params.at(param);
    const Access access = locate(place.buffer, place.corner);
    const std::size_t rank = access.place.strides.size(), row = rank - (param == "b" ? 3 : 2);
    const std::int64_t bytes = byte_size(place.buffer->dtype);
    TileAddress out{address(access, access.flat), access.place.strides[row] * bytes};
    if (place.rows.size() > 1) out.pitch = (place.rows[1] - place.rows[0]) * bytes;
    const auto second = static_cast<std::size_t>(product.tile_rows());
    out.second = place.rows.size() > second ? place.rows[second] * bytes : product.tile_rows() * out.pitch;
    return out;
}

/// One instruction that moves a register from or to a place that many bytes after an address.
void Emitter::move_tile(unsigned id, unsigned tile, const TileAddress& at, std::int64_t offset) {
    Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), at.first, static_cast<std::uint64_t>(offset));
    tile_call(id,
              {b_.getInt8(static_cast<std::uint8_t>(tile)), place, b_.getInt64(static_cast<std::uint64_t>(at.pitch))});
}

void Emitter::move_sums(unsigned id, const TileProduct& product) {
    const TileAddress at = tile_address(product, "c");
    for (std::int64_t i = 0; i < product.row_tiles(); ++i)
        for (std::int64_t j = 0; j < product.column_tiles(); ++j)
            move_tile(id, static_cast<unsigned>(2 * i + j), at, i * at.second + j * kSumRowBytes);
}

void Emitter::start_sums(const TileProduct& product) {
    if (!sums_are_zero_) return move_sums(llvm::Intrinsic::x86_tileloadd64, product);
    for (std::int64_t i = 0; i < product.row_tiles(); ++i)
        for (std::int64_t j = 0; j < product.column_tiles(); ++j)
            tile_call(llvm::Intrinsic::x86_tilezero, {b_.getInt8(static_cast<std::uint8_t>(2 * i + j))});
}

void Emitter::multiply_tiles(const TileProduct& product) {
    const TileAddress a = tile_address(product, "a"), b = tile_address(product, "b");
    for (std::int64_t j = 0; j < product.column_tiles(); ++j)
        move_tile(llvm::Intrinsic::x86_tileloadd64, kFirstB + static_cast<unsigned>(j), b, j * kSumRowBytes);
    for (std::int64_t i = 0; i < product.row_tiles(); ++i)
        move_tile(llvm::Intrinsic::x86_tileloadd64, kFirstA + static_cast<unsigned>(i), a, i * a.second);
    const unsigned id = product.instruction == "tdpbssd"   ? llvm::Intrinsic::x86_tdpbssd
                        : product.instruction == "tdpbusd" ? llvm::Intrinsic::x86_tdpbusd
                                                           : llvm::Intrinsic::x86_tdpbf16ps;
    const auto tile = [&](std::int64_t number) { return b_.getInt8(static_cast<std::uint8_t>(number)); };
    for (std::int64_t i = 0; i < product.row_tiles(); ++i)
        for (std::int64_t j = 0; j < product.column_tiles(); ++j)
            tile_call(id, {tile(2 * i + j), tile(kFirstA + i), tile(kFirstB + j)});
}

bool Emitter::emit_tiles(const Block& block) {
    const std::optional<TileProduct> product = tile_product(block);
    if (!product) return false;
    if (holds_sums_) return multiply_tiles(*product), true;
    const bool configured = configure_tiles(*product);
    start_sums(*product);
    multiply_tiles(*product);
    move_sums(llvm::Intrinsic::x86_tilestored64, *product);
    leave_tiles(configured);
    return true;
}

bool Emitter::emit_held(const For& loop) {
    const std::optional<TileProduct> product = held_product(loop);
    if (!product) return false;
    const bool configured = configure_tiles(*product);
    start_sums(*product);
    holds_sums_ = true;
    emit_for(loop);
    holds_sums_ = false;
    move_sums(llvm::Intrinsic::x86_tilestored64, *product);
    leave_tiles(configured);
    return true;
}

} // namespace orrery::codegen
