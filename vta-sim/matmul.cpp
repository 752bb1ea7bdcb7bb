#include "vta-sim/matmul.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {

std::uint64_t wide(std::int64_t value) { return static_cast<std::uint64_t>(value); }

struct Blocks {
    int m;
    int n;
    int k;
};

Blocks blocks_of(const Config& config, const MatmulShape& s) {
    return {tiles_of(s.m, config.batch()), tiles_of(s.n, config.block()), tiles_of(s.k, config.block())};
}

/// Rows or columns are unrolled into micro-ops, whichever is shorter and still longer than the reuse gap.
bool unroll_rows(const Config& config, int rows, int columns) {
    const bool rows_fit = rows > config.reuse_gap;
    const bool columns_fit = columns > config.reuse_gap;
    if (rows_fit != columns_fit) return rows_fit;
    return rows_fit ? rows < columns : rows > columns;
}

/// A result tile: data blocks [rows][depth], weight blocks [columns][depth], accumulators [rows][columns] on chip.
class MatmulStages final : public TilePipeline::Stages {
  public:
    MatmulStages(Builder& builder, const MatmulJob& job)
        : builder_(builder), job_(job), blocks_(blocks_of(builder.config(), job.shape)) {
        const Config& config = builder.config();
        const MatmulShape& s = job.shape;
        const std::string name(job.name);
        input_ = &builder.alloc(name + ".inp", BufferKind::Inp, wide(blocks_.m) * wide(blocks_.k));
        weight_ = &builder.alloc(name + ".wgt", BufferKind::Wgt, wide(blocks_.n) * wide(blocks_.k));
        if (job.epilogue.bias) bias_ = &builder.alloc(name + ".bias", BufferKind::Acc, wide(blocks_.n));
        output_ = &builder.alloc(name + ".out", BufferKind::Out, wide(blocks_.m) * wide(blocks_.n));
        const ConvTensors& t = job.tensors;
        if (!t.input.empty())
            builder.write(*input_, pack_activation(config, {s.m, s.k, 1, 1}, t.input, config.inp_bits()));
        if (!t.weight.empty()) builder.write(*weight_, pack_weight(config, {s.n, s.k, 1, 1}, t.weight));
        if (bias_ != nullptr && !t.bias.empty()) builder.write(*bias_, pack_bias(config, t.bias));
        for (int m = 0; m < blocks_.m; m += job.tile.rows) {
            for (int n = 0; n < blocks_.n; n += job.tile.columns) {
                tiles_.push_back(
                    {m, n, std::min(job.tile.rows, blocks_.m - m), std::min(job.tile.columns, blocks_.n - n)});
            }
        }
    }

    [[nodiscard]] TilePipeline pipeline() const {
        return {tiles_.size(), tiles_of(blocks_.k, job_.tile.depth), job_.tile.contexts};
    }

    void load(std::size_t tile, int reduction, int load_context) override {
        const Tile& t = tiles_[tile];
        const Config& config = builder_.config();
        const int k = reduction * job_.tile.depth;
        Transfer transfer;
        transfer.x_size = wide(depth_of(reduction));
        transfer.x_stride = wide(blocks_.k);
        transfer.memory = MemoryId::Inp;
        transfer.buffer = input_;
        transfer.offset = wide(std::int64_t{t.m} * blocks_.k + k);
        transfer.y_size = wide(t.rows);
        transfer.sram_base = wide(load_context * (config.inp_depth() / job_.tile.contexts));
        builder_.load(transfer);
        transfer.memory = MemoryId::Wgt;
        transfer.buffer = weight_;
        transfer.offset = wide(std::int64_t{t.n} * blocks_.k + k);
        transfer.y_size = wide(t.columns);
        transfer.sram_base = wide(load_context * (config.wgt_depth() / job_.tile.contexts));
        builder_.load(transfer);
    }

    void begin(std::size_t tile, int acc_context) override {
        UopKernel kernel;
        kernel.reset = true;
        kernel.uops = {{acc_base(acc_context), 0, 0}};
        kernel.loops = {{wide(tiles_[tile].rows * tiles_[tile].columns), 1, 0, 0}};
        builder_.run(kernel);
    }

    void multiply(std::size_t tile, int reduction, int load_context, int acc_context) override {
        const Tile& t = tiles_[tile];
        const Config& config = builder_.config();
        const int depth = depth_of(reduction);
        const int inp = load_context * (config.inp_depth() / job_.tile.contexts);
        const int wgt = load_context * (config.wgt_depth() / job_.tile.contexts);
        const UopLoop rows{wide(t.rows), t.rows > 1 ? wide(t.columns) : 0, t.rows > 1 ? wide(depth) : 0, 0};
        const UopLoop columns{wide(t.columns), t.columns > 1 ? 1U : 0U, 0, t.columns > 1 ? wide(depth) : 0};
        const bool by_rows = unroll_rows(config, t.rows, t.columns);
        const UopLoop& unrolled = by_rows ? rows : columns;
        UopKernel kernel;
        kernel.loops = {by_rows ? columns : rows};
        for (int k = 0; k < depth; ++k) {
            for (std::uint64_t i = 0; i < unrolled.extent; ++i) {
                kernel.uops.push_back({static_cast<std::uint16_t>(acc_base(acc_context) + i * unrolled.dst),
                                       static_cast<std::uint16_t>(wide(inp + k) + i * unrolled.src),
                                       static_cast<std::uint16_t>(wide(wgt + k) + i * unrolled.wgt)});
            }
        }
        builder_.run(kernel);
    }

    void end(std::size_t tile, int acc_context) override {
        const Tile& t = tiles_[tile];
        const Epilogue& e = job_.epilogue;
        if (e.bias) add_bias(t, acc_context);
        if (e.shift != 0) alu(t, acc_context, AluOp::Shr, e.shift);
        if (e.clip) {
            alu(t, acc_context, AluOp::Max, e.clip_low);
            alu(t, acc_context, AluOp::Min, e.clip_high);
        }
    }

    void store(std::size_t tile, int acc_context) override {
        const Tile& t = tiles_[tile];
        Transfer transfer;
        transfer.memory = MemoryId::Out;
        transfer.buffer = output_;
        transfer.offset = wide(std::int64_t{t.m} * blocks_.n + t.n);
        transfer.sram_base = acc_base(acc_context);
        transfer.y_size = wide(t.rows);
        transfer.x_size = wide(t.columns);
        transfer.x_stride = wide(blocks_.n);
        builder_.store(transfer);
    }

  private:
    struct Tile {
        int m;
        int n;
        int rows;
        int columns;
    };

    [[nodiscard]] int depth_of(int reduction) const {
        return std::min(job_.tile.depth, blocks_.k - reduction * job_.tile.depth);
    }
    [[nodiscard]] std::uint16_t acc_base(int context) const {
        return static_cast<std::uint16_t>(context * (builder_.config().acc_depth() / job_.tile.contexts));
    }
    void alu(const Tile& t, int acc_context, AluOp op, int imm) {
        UopKernel kernel;
        kernel.alu = true;
        kernel.op = op;
        kernel.use_imm = true;
        kernel.imm = static_cast<std::int16_t>(imm);
        kernel.uops = {{acc_base(acc_context), acc_base(acc_context), 0}};
        kernel.loops = {{wide(t.rows * t.columns), 1, 1, 0}};
        builder_.run(kernel);
    }
    void add_bias(const Tile& t, int acc_context) {
        const auto base = static_cast<std::uint16_t>(acc_base(acc_context) + t.rows * t.columns);
        Transfer transfer;
        transfer.memory = MemoryId::Acc;
        transfer.buffer = bias_;
        transfer.offset = wide(t.n);
        transfer.sram_base = base;
        transfer.x_size = wide(t.columns);
        builder_.load(transfer);
        UopKernel kernel;
        kernel.alu = true;
        kernel.op = AluOp::Add;
        kernel.uops = {{acc_base(acc_context), base, 0}};
        kernel.loops = {{wide(t.rows), t.rows > 1 ? wide(t.columns) : 0, 0, 0}, {wide(t.columns), 1, 1, 0}};
        builder_.run(kernel);
    }

    Builder& builder_;
    const MatmulJob& job_;
    Blocks blocks_;
    std::vector<Tile> tiles_;
    const DramBuffer* input_;
    const DramBuffer* weight_;
    const DramBuffer* bias_ = nullptr;
    const DramBuffer* output_;
};

} // namespace

Status check_matmul(const Config& config, const MatmulShape& s, const MatmulTile& t, const Epilogue& e) {
    for (const int extent : {s.m, s.n, s.k}) {
        if (extent < 1 || extent > 1 << 20) return Error{ErrorCode::IllegalShape, "every extent is 1 to 2^20", "shape"};
    }
    const Blocks b = blocks_of(config, s);
    if (b.k > 65535 || b.n > 65535) return Error{ErrorCode::IllegalShape, "a row exceeds the 16-bit stride", "shape"};
    const auto bad = [](const std::string& what, const char* where) {
        return Error{ErrorCode::IllegalTile, what, where};
    };
    if (t.contexts != 1 && t.contexts != 2) return bad("one or two contexts", "contexts");
    if (t.rows < 1 || t.columns < 1 || t.depth < 1) return bad("every extent is at least 1", "tile");
    if (t.rows > b.m || t.columns > b.n || t.depth > b.k) return bad("the tile exceeds the matrix", "tile");
    const auto fits = [&](std::int64_t need, int depth) { return need <= depth / t.contexts; };
    if (!fits(std::int64_t{t.rows} * t.depth, config.inp_depth())) return bad("too many data tiles", "inp");
    if (!fits(std::int64_t{t.columns} * t.depth, config.wgt_depth())) return bad("too many weight tiles", "wgt");
    const std::int64_t acc = std::int64_t{t.rows} * t.columns + (e.bias ? t.columns : 0);
    if (!fits(acc, config.acc_depth())) return bad("too many result tiles", "acc");
    const std::int64_t unrolled = unroll_rows(config, t.rows, t.columns) ? t.rows : t.columns;
    if (unrolled * t.depth > config.uop_depth) return bad("too many micro-ops", "uop");
    return Done{};
}

Status emit_matmul(Builder& builder, const MatmulJob& job) {
    const Status legal = check_matmul(builder.config(), job.shape, job.tile, job.epilogue);
    if (!legal) return legal;
    builder.set_origin(job.name);
    MatmulStages stages(builder, job);
    stages.pipeline().emit(builder, stages);
    return Done{};
}

Result<Program> matmul_program(const Config& config, const MatmulJob& job) {
    Builder builder(config);
    const Status emitted = emit_matmul(builder, job);
    if (!emitted) return emitted.error();
    builder.synchronize();
    return builder.finish();
}

Result<MatmulTile> matmul_tile(const Config& config, const MatmulShape& shape, int contexts, const Epilogue& epilogue) {
    const Blocks b = blocks_of(config, shape);
    MatmulTile tile{1, 1, 1, contexts};
    const Status smallest = check_matmul(config, shape, tile, epilogue);
    if (!smallest) return smallest.error();
    // Doubles one extent after the other until none can grow.
    for (bool grown = true; grown;) {
        grown = false;
        for (const auto& [extent, limit] :
             {std::pair{&MatmulTile::rows, b.m}, {&MatmulTile::columns, b.n}, {&MatmulTile::depth, b.k}}) {
            MatmulTile larger = tile;
            larger.*extent = std::min(tile.*extent * 2, limit);
            if (larger == tile || !check_matmul(config, shape, larger, epilogue)) continue;
            tile = larger;
            grown = true;
        }
    }
    return tile;
}

} // namespace orrery::vta
