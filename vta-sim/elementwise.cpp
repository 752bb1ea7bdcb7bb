// Programs without the load module: operands go straight to the accumulators, compute and store alternate over one or
// two contexts.

#include "vta-sim/elementwise.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {

std::uint64_t wide(std::int64_t value) { return static_cast<std::uint64_t>(value); }

UopKernel alu_kernel(AluOp op, std::uint64_t dst, std::uint64_t src) {
    UopKernel kernel;
    kernel.alu = true;
    kernel.op = op;
    kernel.uops = {{static_cast<std::uint16_t>(dst), static_cast<std::uint16_t>(src), 0}};
    return kernel;
}

UopKernel immediate_kernel(AluOp op, std::int16_t imm, std::uint64_t dst, std::uint64_t count) {
    UopKernel kernel = alu_kernel(op, dst, dst);
    kernel.use_imm = true;
    kernel.imm = imm;
    kernel.loops = {{count, 1, 1, 0}};
    return kernel;
}

/// Which tile of how many, over how many contexts.
struct Turn {
    std::uint64_t index;
    std::uint64_t tiles;
    std::uint64_t contexts;
};

/// The compute and the store of one tile, and the tokens around them.
template <class Compute, class Store>
void compute_and_store(Builder& builder, const Turn& turn, Compute&& compute, Store&& store) {
    if (turn.index >= turn.contexts) builder.dep_pop(Module::Store, Module::Compute);
    compute();
    builder.dep_push(Module::Compute, Module::Store);
    builder.dep_pop(Module::Compute, Module::Store);
    store();
    if (turn.index + turn.contexts < turn.tiles) builder.dep_push(Module::Store, Module::Compute);
}

Transfer row_transfer(MemoryId memory, const DramBuffer& buffer, std::uint64_t offset, std::uint64_t sram_base,
                      std::uint64_t count) {
    Transfer t;
    t.memory = memory;
    t.buffer = &buffer;
    t.offset = offset;
    t.sram_base = sram_base;
    t.x_size = count;
    return t;
}

} // namespace

Status emit_elementwise(Builder& builder, const ElementwiseJob& job) {
    const Config& config = builder.config();
    const bool two = std::any_of(job.steps.begin(), job.steps.end(), [](const ElementwiseStep& s) { return !s.imm; });
    if (job.contexts != 1 && job.contexts != 2) return Error{ErrorCode::IllegalTile, "one or two contexts", "contexts"};
    if (job.elements == 0 || job.tile == 0 || job.steps.empty())
        return Error{ErrorCode::IllegalTile, "nothing to do", "tile"};
    const std::uint64_t share = wide(config.acc_depth() / job.contexts);
    if (job.tile * (two ? 2 : 1) > share)
        return Error{ErrorCode::IllegalTile, "the operands exceed the accumulators", "acc"};

    builder.set_origin(job.name);
    const std::string name(job.name);
    const DramBuffer& left = builder.alloc(name + ".left", BufferKind::Acc, job.elements);
    const DramBuffer& right = builder.alloc(name + ".right", BufferKind::Acc, two ? job.elements : 0);
    const DramBuffer& out = builder.alloc(name + ".out", BufferKind::Out, job.elements);
    builder.write(left, job.left);
    builder.write(right, job.right);
    const std::uint64_t tiles = (job.elements + job.tile - 1) / job.tile;
    for (std::uint64_t i = 0; i < tiles; ++i) {
        const std::uint64_t first = i * job.tile;
        const std::uint64_t count = std::min(job.tile, job.elements - first);
        const std::uint64_t base = i % wide(job.contexts) * share;
        const auto compute = [&] {
            builder.load(row_transfer(MemoryId::Acc, left, first, base, count));
            if (two) builder.load(row_transfer(MemoryId::Acc, right, first, base + job.tile, count));
            for (const ElementwiseStep& step : job.steps) {
                UopKernel kernel = step.imm ? immediate_kernel(step.op, *step.imm, base, count)
                                            : alu_kernel(step.op, base, base + job.tile);
                kernel.loops = {{count, 1, 1, 0}};
                builder.run(kernel);
            }
        };
        const auto store = [&] { builder.store(row_transfer(MemoryId::Out, out, first, base, count)); };
        compute_and_store(builder, {i, tiles, wide(job.contexts)}, compute, store);
    }
    return Done{};
}

Result<Program> elementwise_program(const Config& config, const ElementwiseJob& job) {
    Builder builder(config);
    const Status emitted = emit_elementwise(builder, job);
    if (!emitted) return emitted.error();
    builder.synchronize();
    return builder.finish();
}

namespace {

/// Rows of one plane: input rows [first, first + count) and the output rows they serve.
struct PoolBand {
    int out_first;
    int out_count;
    int in_first;
    int in_count;
};

PoolBand band_of(const PoolJob& job, int out_first) {
    PoolBand b{out_first, std::min(job.tile_rows, job.out_height() - out_first), 0, 0};
    const int low = std::max(0, out_first * job.stride - job.pad);
    const int high = std::min(job.shape.h, (out_first + b.out_count - 1) * job.stride - job.pad + job.window);
    b.in_first = low;
    b.in_count = high - low;
    return b;
}

/// Output positions whose window element `d` lies inside [0, extent): the range [first, first + count).
struct Valid {
    int first;
    int count;
};

Valid valid_outputs(int out_first, int out_count, int d, const PoolJob& job, int extent) {
    int first = out_first;
    while (first < out_first + out_count && first * job.stride - job.pad + d < 0) ++first;
    int last = out_first + out_count - 1;
    while (last >= first && last * job.stride - job.pad + d >= extent) --last;
    return {first, last - first + 1};
}

/// One ALU kernel per window element, over the rectangle of outputs for which it is not padding.
void pool_windows(Builder& builder, const PoolJob& job, const PoolBand& b, std::uint64_t base) {
    const std::uint64_t in_base = base + wide(b.out_count * job.out_width());
    for (int dy = 0; dy < job.window; ++dy) {
        const Valid rows = valid_outputs(b.out_first, b.out_count, dy, job, job.shape.h);
        if (rows.count <= 0) continue;
        for (int dx = 0; dx < job.window; ++dx) {
            const Valid columns = valid_outputs(0, job.out_width(), dx, job, job.shape.w);
            if (columns.count <= 0) continue;
            const int in_y = rows.first * job.stride - job.pad + dy - b.in_first;
            const int in_x = columns.first * job.stride - job.pad + dx;
            const std::uint64_t dst = base + wide((rows.first - b.out_first) * job.out_width() + columns.first);
            UopKernel kernel = alu_kernel(job.kind == PoolKind::Max ? AluOp::Max : AluOp::Add, dst,
                                          in_base + wide(in_y * job.shape.w + in_x));
            const bool many_rows = rows.count > 1;
            const bool many_columns = columns.count > 1;
            kernel.loops = {{wide(rows.count), many_rows ? wide(job.out_width()) : 0,
                             many_rows ? wide(job.stride * job.shape.w) : 0, 0},
                            {wide(columns.count), many_columns ? 1U : 0U, many_columns ? wide(job.stride) : 0, 0}};
            builder.run(kernel);
        }
    }
}

void pool_band(Builder& builder, const PoolJob& job, const PoolBand& b, std::uint64_t base) {
    const std::uint64_t outputs = wide(b.out_count * job.out_width());
    UopKernel reset;
    reset.reset = true;
    reset.uops = {{static_cast<std::uint16_t>(base), 0, 0}};
    reset.loops = {{outputs, 1, 0, 0}};
    builder.run(reset);
    // Zero is no neutral element of max: the least 16-bit immediate is, for inputs of that range.
    if (job.kind == PoolKind::Max) builder.run(immediate_kernel(AluOp::Min, -32768, base, outputs));
    pool_windows(builder, job, b, base);
    if (job.shift != 0) builder.run(immediate_kernel(AluOp::Shr, static_cast<std::int16_t>(job.shift), base, outputs));
}

Status check_pool(const Config& config, const PoolJob& job) {
    const auto bad = [](ErrorCode code, const char* what, const char* where) { return Error{code, what, where}; };
    const TensorShape& s = job.shape;
    if (s.n < 1 || s.c < 1 || s.h < 1 || s.w < 1 || job.window < 1 || job.stride < 1) {
        return bad(ErrorCode::IllegalShape, "every extent is at least 1", "shape");
    }
    if (s.h > 16383 || s.w > 16383 || job.window > 16383 || job.stride > 16383) {
        return bad(ErrorCode::IllegalShape, "every extent is at most 16383", "shape");
    }
    if (job.pad < 0 || job.pad >= job.window)
        return bad(ErrorCode::IllegalShape, "padding must be less than the window", "pad");
    if (s.h + 2 * job.pad < job.window || s.w + 2 * job.pad < job.window) {
        return bad(ErrorCode::IllegalShape, "the window exceeds the input", "window");
    }
    if (job.contexts != 1 && job.contexts != 2) return bad(ErrorCode::IllegalTile, "one or two contexts", "contexts");
    if (job.tile_rows < 1) return bad(ErrorCode::IllegalTile, "at least one row", "tile_rows");
    const std::int64_t in_rows = std::int64_t{job.tile_rows - 1} * job.stride + job.window;
    const std::int64_t need =
        std::int64_t{job.tile_rows} * job.out_width() + std::min<std::int64_t>(in_rows, s.h) * s.w;
    if (need > config.acc_depth() / job.contexts)
        return bad(ErrorCode::IllegalTile, "a band exceeds the accumulators", "acc");
    return Done{};
}

} // namespace

Status emit_pool(Builder& builder, const PoolJob& job) {
    const Config& config = builder.config();
    const Status legal = check_pool(config, job);
    if (!legal) return legal;
    builder.set_origin(job.name);
    const std::string name(job.name);
    const TensorShape& s = job.shape;
    const int planes = tiles_of(s.n, config.batch()) * tiles_of(s.c, config.block());
    const DramBuffer& input = builder.alloc(name + ".inp", BufferKind::Acc, wide(planes) * wide(s.h) * wide(s.w));
    const DramBuffer& out =
        builder.alloc(name + ".out", BufferKind::Out, wide(planes) * wide(job.out_height()) * wide(job.out_width()));
    if (!job.input.empty()) builder.write(input, pack_activation(config, s, job.input, 32));

    const int bands = tiles_of(job.out_height(), job.tile_rows);
    const std::uint64_t tiles = wide(planes) * wide(bands);
    for (std::uint64_t i = 0; i < tiles; ++i) {
        const auto plane = static_cast<std::int64_t>(i) / bands;
        const PoolBand b = band_of(job, static_cast<int>(static_cast<std::int64_t>(i) % bands) * job.tile_rows);
        const std::uint64_t base = i % wide(job.contexts) * wide(config.acc_depth() / job.contexts);
        const auto compute = [&] {
            builder.load(row_transfer(MemoryId::Acc, input, wide((plane * s.h + b.in_first) * s.w),
                                      base + wide(b.out_count * job.out_width()), wide(b.in_count * s.w)));
            pool_band(builder, job, b, base);
        };
        const auto store = [&] {
            builder.store(row_transfer(MemoryId::Out, out,
                                       wide((plane * job.out_height() + b.out_first) * job.out_width()), base,
                                       wide(b.out_count * job.out_width())));
        };
        compute_and_store(builder, {i, tiles, wide(job.contexts)}, compute, store);
    }
    return Done{};
}

Result<Program> pool_program(const Config& config, const PoolJob& job) {
    Builder builder(config);
    const Status emitted = emit_pool(builder, job);
    if (!emitted) return emitted.error();
    builder.synchronize();
    return builder.finish();
}

} // namespace orrery::vta
