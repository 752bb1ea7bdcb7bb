// Convolution as tiles of output rows, columns and channel blocks, reduced over input channel blocks.
//
// On chip, one context holds an input patch [ci][ih][iw], weights [co][ci][kh * kw] and accumulators
// [co][th][tw], followed by one bias tile per output channel block. The multiply kernel enumerates input blocks and
// kernel positions in its micro-ops, and of the three output axes the shortest; the two others are the
// hardware loops. The innermost micro-op axis is the output axis, so neighbouring micro-ops write different tiles.

#include "vta-sim/conv2d.hpp"

#include <algorithm>
#include <array>

namespace orrery::vta {
namespace {

int log2_of_ways(int contexts) { return contexts == 1 ? 0 : 1; }

/// Extents of one tile, ragged at the edges of the tensor, and where it lies.
struct Patch {
    int n = 0;        ///< batch block
    int y = 0, x = 0; ///< first output row and column
    int co = 0;       ///< first output channel block
    int th = 1, tw = 1, tco = 1;
    int ih = 1, iw = 1; ///< input patch with padding
};

int patch_rows(const ConvShape& s, int th) { return (th - 1) * s.stride + s.kernel_h; }
int patch_columns(const ConvShape& s, int tw) { return (tw - 1) * s.stride + s.kernel_w; }

/// One output axis of the multiply kernel: extent and what a step along it adds.
struct OutputAxis {
    int extent;
    UopLoop step;
};

std::array<OutputAxis, 3> output_axes(const ConvShape& s, const Patch& p, int tci) {
    const auto loop = [](int extent, int dst, int src, int wgt) {
        UopLoop step{static_cast<std::uint64_t>(extent), 0, 0, 0};
        if (extent > 1) {
            step.dst = static_cast<std::uint64_t>(dst);
            step.src = static_cast<std::uint64_t>(src);
            step.wgt = static_cast<std::uint64_t>(wgt);
        }
        return OutputAxis{extent, step};
    };
    return {loop(p.tco, p.th * p.tw, 0, tci * s.kernel_h * s.kernel_w), loop(p.th, p.tw, s.stride * p.iw, 0),
            loop(p.tw, 1, s.stride, 0)};
}

/// The axis to unroll into micro-ops: the shortest that keeps equal tiles apart; the longest when none does.
std::size_t unrolled_axis(const std::array<OutputAxis, 3>& axes, int reuse_gap) {
    std::size_t best = 3;
    std::size_t longest = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        if (axes[i].extent > axes[longest].extent) longest = i;
        if (axes[i].extent <= reuse_gap) continue;
        if (best == 3 || axes[i].extent < axes[best].extent) best = i;
    }
    return best == 3 ? longest : best;
}

std::uint64_t unrolled_uops(const Config& config, const ConvShape& s, const Patch& p, int tci) {
    const auto axes = output_axes(s, p, tci);
    return std::uint64_t(tci) * std::uint64_t(s.kernel_h * s.kernel_w) *
           std::uint64_t(axes[unrolled_axis(axes, config.reuse_gap)].extent);
}

Patch full_patch(const ConvShape& s, const ConvTile& t) {
    Patch p;
    p.th = t.height;
    p.tw = t.width;
    p.tco = t.out_blocks;
    p.ih = patch_rows(s, t.height);
    p.iw = patch_columns(s, t.width);
    return p;
}

Status check_shape(const Config& config, const ConvShape& s) {
    const auto bad = [](const char* what, const char* where) { return Error{ErrorCode::IllegalShape, what, where}; };
    for (const int extent :
         {s.batch, s.in_channels, s.out_channels, s.height, s.width, s.kernel_h, s.kernel_w, s.stride}) {
        if (extent < 1 || extent > 65535) return bad("every extent is 1 to 65535", "shape");
    }
    if (s.pad_h < 0 || s.pad_w < 0 || s.pad_h > 15 || s.pad_w > 15) return bad("padding is 0 to 15", "padding");
    if (s.pad_h >= s.kernel_h || s.pad_w >= s.kernel_w) return bad("padding must be less than the kernel", "padding");
    if (s.height + 2 * s.pad_h < s.kernel_h || s.width + 2 * s.pad_w < s.kernel_w)
        return bad("the kernel exceeds the input", "kernel");
    const std::int64_t row = std::int64_t{tiles_of(s.in_channels, config.block())} * s.kernel_h * s.kernel_w;
    if (row > 65535) return bad("a row of weight tiles exceeds the 16-bit stride", "in_channels");
    return Done{};
}

/// Loads, kernels and stores of one convolution.
class ConvStages final : public TilePipeline::Stages {
  public:
    ConvStages(Builder& builder, const ConvJob& job);

    [[nodiscard]] TilePipeline pipeline() const {
        return {patches_.size(), tiles_of(in_blocks_, job_.tile.in_blocks), job_.tile.contexts};
    }

    void load(std::size_t tile, int reduction, int load_context) override;
    void begin(std::size_t tile, int acc_context) override;
    void multiply(std::size_t tile, int reduction, int load_context, int acc_context) override;
    void end(std::size_t tile, int acc_context) override;
    void store(std::size_t tile, int acc_context) override;

  private:
    struct Span {
        int first;
        int count;
    };
    [[nodiscard]] Span input_blocks(int reduction) const {
        const int first = reduction * job_.tile.in_blocks;
        return {first, std::min(job_.tile.in_blocks, in_blocks_ - first)};
    }
    [[nodiscard]] int acc_base(int context) const {
        return context * (builder_.config().acc_depth() >> log2_of_ways(job_.tile.contexts));
    }
    void list_patches();
    void alu(const Patch& p, int acc_context, AluOp op, int imm);
    void add_bias(const Patch& p, int acc_context);

    Builder& builder_;
    const ConvJob& job_;
    const ConvShape& shape_;
    int in_blocks_;
    int out_blocks_;
    std::vector<Patch> patches_;
    const DramBuffer* input_;
    const DramBuffer* weight_;
    const DramBuffer* bias_ = nullptr;
    const DramBuffer* output_;
};

ConvStages::ConvStages(Builder& builder, const ConvJob& job)
    : builder_(builder), job_(job), shape_(job.shape),
      in_blocks_(tiles_of(job.shape.in_channels, builder.config().block())),
      out_blocks_(tiles_of(job.shape.out_channels, builder.config().block())) {
    const Config& config = builder.config();
    const std::string name(job.name);
    const auto batches = static_cast<std::uint64_t>(tiles_of(shape_.batch, config.batch()));
    const auto in_elements =
        batches * std::uint64_t(in_blocks_) * std::uint64_t(shape_.height) * std::uint64_t(shape_.width);
    const auto wgt_elements =
        std::uint64_t(out_blocks_) * std::uint64_t(in_blocks_) * std::uint64_t(shape_.kernel_h * shape_.kernel_w);
    const auto out_elements =
        batches * std::uint64_t(out_blocks_) * std::uint64_t(shape_.out_height()) * std::uint64_t(shape_.out_width());
    input_ = &builder.alloc(name + ".inp", BufferKind::Inp, in_elements);
    weight_ = &builder.alloc(name + ".wgt", BufferKind::Wgt, wgt_elements);
    if (job.epilogue.bias) bias_ = &builder.alloc(name + ".bias", BufferKind::Acc, std::uint64_t(out_blocks_));
    output_ = &builder.alloc(name + ".out", BufferKind::Out, out_elements);
    const ConvTensors& tensors = job.tensors;
    if (!tensors.input.empty())
        builder.write(*input_, pack_activation(config, shape_.input(), tensors.input, config.inp_bits()));
    if (!tensors.weight.empty()) builder.write(*weight_, pack_weight(config, shape_.weight(), tensors.weight));
    if (bias_ != nullptr && !tensors.bias.empty()) builder.write(*bias_, pack_bias(config, tensors.bias));
    list_patches();
}

void ConvStages::list_patches() {
    const ConvTile& t = job_.tile;
    for (int n = 0; n < tiles_of(shape_.batch, builder_.config().batch()); ++n) {
        for (int y = 0; y < shape_.out_height(); y += t.height) {
            for (int x = 0; x < shape_.out_width(); x += t.width) {
                for (int co = 0; co < out_blocks_; co += t.out_blocks) {
                    Patch p{n, y, x, co, 1, 1, 1, 1, 1};
                    p.th = std::min(t.height, shape_.out_height() - y);
                    p.tw = std::min(t.width, shape_.out_width() - x);
                    p.tco = std::min(t.out_blocks, out_blocks_ - co);
                    p.ih = patch_rows(shape_, p.th);
                    p.iw = patch_columns(shape_, p.tw);
                    patches_.push_back(p);
                }
            }
        }
    }
}

/// The part of a padded range [first, first + count) that lies in [0, extent), and the padding at both ends.
struct Clipped {
    int first;
    int count;
    std::array<int, 2> pad;
};

Clipped clip_range(int first, int count, int extent) {
    const int low = std::max(first, 0);
    const int high = std::min(first + count, extent);
    return {low, high - low, {low - first, first + count - high}};
}

void ConvStages::load(std::size_t tile, int reduction, int load_context) {
    const Patch& p = patches_[tile];
    const Config& config = builder_.config();
    const Span blocks = input_blocks(reduction);
    const int ways = log2_of_ways(job_.tile.contexts);
    const Clipped rows = clip_range(p.y * shape_.stride - shape_.pad_h, p.ih, shape_.height);
    const Clipped columns = clip_range(p.x * shape_.stride - shape_.pad_w, p.iw, shape_.width);
    for (int i = 0; i < blocks.count; ++i) {
        const std::int64_t plane = (std::int64_t{p.n} * in_blocks_ + blocks.first + i) * shape_.height;
        Transfer t;
        t.memory = MemoryId::Inp;
        t.buffer = input_;
        t.offset = static_cast<std::uint64_t>((plane + rows.first) * shape_.width + columns.first);
        t.sram_base = static_cast<std::uint64_t>(load_context * (config.inp_depth() >> ways) + i * p.ih * p.iw);
        t.y_size = static_cast<std::uint64_t>(rows.count);
        t.x_size = static_cast<std::uint64_t>(columns.count);
        t.x_stride = static_cast<std::uint64_t>(shape_.width);
        t.y_pad = rows.pad;
        t.x_pad = columns.pad;
        builder_.load(t);
    }
    const int positions = shape_.kernel_h * shape_.kernel_w;
    Transfer t;
    t.memory = MemoryId::Wgt;
    t.buffer = weight_;
    t.offset = static_cast<std::uint64_t>((std::int64_t{p.co} * in_blocks_ + blocks.first) * positions);
    t.sram_base = static_cast<std::uint64_t>(load_context * (config.wgt_depth() >> ways));
    t.y_size = static_cast<std::uint64_t>(p.tco);
    t.x_size = static_cast<std::uint64_t>(blocks.count * positions);
    t.x_stride = static_cast<std::uint64_t>(in_blocks_ * positions);
    builder_.load(t);
}

void ConvStages::begin(std::size_t tile, int acc_context) {
    const Patch& p = patches_[tile];
    UopKernel reset;
    reset.reset = true;
    reset.uops = {{static_cast<std::uint16_t>(acc_base(acc_context)), 0, 0}};
    reset.loops = {{static_cast<std::uint64_t>(p.tco * p.th * p.tw), 1, 0, 0}};
    builder_.run(reset);
}

void ConvStages::multiply(std::size_t tile, int reduction, int load_context, int acc_context) {
    const Patch& p = patches_[tile];
    const Config& config = builder_.config();
    const int ways = log2_of_ways(job_.tile.contexts);
    const int tci = input_blocks(reduction).count;
    const auto axes = output_axes(shape_, p, tci);
    const std::size_t unrolled = unrolled_axis(axes, config.reuse_gap);
    const int inp_base = load_context * (config.inp_depth() >> ways);
    const int wgt_base = load_context * (config.wgt_depth() >> ways);

    UopKernel kernel;
    for (std::size_t i = 0; i < 3; ++i) {
        if (i != unrolled) kernel.loops.push_back(axes[i].step);
    }
    const UopLoop& step = axes[unrolled].step;
    for (int ci = 0; ci < tci; ++ci) {
        for (int dy = 0; dy < shape_.kernel_h; ++dy) {
            for (int dx = 0; dx < shape_.kernel_w; ++dx) {
                const int src = inp_base + (ci * p.ih + dy) * p.iw + dx;
                const int wgt = wgt_base + (ci * shape_.kernel_h + dy) * shape_.kernel_w + dx;
                for (std::uint64_t k = 0; k < step.extent; ++k) {
                    kernel.uops.push_back(
                        {static_cast<std::uint16_t>(std::uint64_t(acc_base(acc_context)) + k * step.dst),
                         static_cast<std::uint16_t>(std::uint64_t(src) + k * step.src),
                         static_cast<std::uint16_t>(std::uint64_t(wgt) + k * step.wgt)});
                }
            }
        }
    }
    builder_.run(kernel);
}

void ConvStages::alu(const Patch& p, int acc_context, AluOp op, int imm) {
    UopKernel kernel;
    kernel.alu = true;
    kernel.op = op;
    kernel.use_imm = true;
    kernel.imm = static_cast<std::int16_t>(imm);
    const auto base = static_cast<std::uint16_t>(acc_base(acc_context));
    kernel.uops = {{base, base, 0}};
    kernel.loops = {{static_cast<std::uint64_t>(p.tco * p.th * p.tw), 1, 1, 0}};
    builder_.run(kernel);
}

void ConvStages::add_bias(const Patch& p, int acc_context) {
    const int positions = p.th * p.tw;
    const int bias_base = acc_base(acc_context) + p.tco * positions;
    Transfer t;
    t.memory = MemoryId::Acc;
    t.buffer = bias_;
    t.offset = static_cast<std::uint64_t>(p.co);
    t.sram_base = static_cast<std::uint64_t>(bias_base);
    t.x_size = static_cast<std::uint64_t>(p.tco);
    builder_.load(t);
    UopKernel kernel;
    kernel.alu = true;
    kernel.op = AluOp::Add;
    kernel.uops = {{static_cast<std::uint16_t>(acc_base(acc_context)), static_cast<std::uint16_t>(bias_base), 0}};
    const auto rows = static_cast<std::uint64_t>(p.tco);
    kernel.loops = {{rows, rows > 1 ? static_cast<std::uint64_t>(positions) : 0, rows > 1 ? 1U : 0U, 0},
                    {static_cast<std::uint64_t>(positions), 1, 0, 0}};
    builder_.run(kernel);
}

void ConvStages::end(std::size_t tile, int acc_context) {
    const Patch& p = patches_[tile];
    const Epilogue& e = job_.epilogue;
    if (e.bias) add_bias(p, acc_context);
    if (e.shift != 0) alu(p, acc_context, AluOp::Shr, e.shift);
    if (e.clip) {
        alu(p, acc_context, AluOp::Max, e.clip_low);
        alu(p, acc_context, AluOp::Min, e.clip_high);
    }
}

void ConvStages::store(std::size_t tile, int acc_context) {
    const Patch& p = patches_[tile];
    const int out_h = shape_.out_height();
    const int out_w = shape_.out_width();
    for (int co = 0; co < p.tco; ++co) {
        const std::int64_t plane = (std::int64_t{p.n} * out_blocks_ + p.co + co) * out_h;
        Transfer t;
        t.memory = MemoryId::Out;
        t.buffer = output_;
        t.offset = static_cast<std::uint64_t>((plane + p.y) * out_w + p.x);
        t.sram_base = static_cast<std::uint64_t>(acc_base(acc_context) + co * p.th * p.tw);
        t.y_size = static_cast<std::uint64_t>(p.th);
        t.x_size = static_cast<std::uint64_t>(p.tw);
        t.x_stride = static_cast<std::uint64_t>(out_w);
        builder_.store(t);
    }
}

} // namespace

Status check_conv2d(const Config& config, const ConvShape& s, const ConvTile& t, const Epilogue& e) {
    const Status shape = check_shape(config, s);
    if (!shape) return shape;
    const auto bad = [](const std::string& what, const char* where) {
        return Error{ErrorCode::IllegalTile, what, where};
    };
    if (t.contexts != 1 && t.contexts != 2) return bad("one or two contexts", "contexts");
    if (t.height < 1 || t.width < 1 || t.in_blocks < 1 || t.out_blocks < 1)
        return bad("every extent is at least 1", "tile");
    if (t.height > s.out_height() || t.width > s.out_width()) return bad("the tile exceeds the output", "tile");
    if (t.in_blocks > tiles_of(s.in_channels, config.block()) ||
        t.out_blocks > tiles_of(s.out_channels, config.block())) {
        return bad("the tile has more channel blocks than the tensor", "tile");
    }
    const Patch p = full_patch(s, t);
    const std::int64_t inp = std::int64_t{t.in_blocks} * p.ih * p.iw;
    const std::int64_t wgt = std::int64_t{t.out_blocks} * t.in_blocks * s.kernel_h * s.kernel_w;
    const std::int64_t positions = std::int64_t{t.height} * t.width;
    const std::int64_t acc = t.out_blocks * (positions + (e.bias ? 1 : 0));
    const auto over = [&](std::int64_t need, int depth, const char* memory) {
        return std::to_string(need) + " " + memory + " tiles per context, " + std::to_string(depth / t.contexts) +
               " available";
    };
    if (inp > config.inp_depth() / t.contexts) return bad(over(inp, config.inp_depth(), "inp"), "inp");
    if (wgt > config.wgt_depth() / t.contexts) return bad(over(wgt, config.wgt_depth(), "wgt"), "wgt");
    if (acc > config.acc_depth() / t.contexts) return bad(over(acc, config.acc_depth(), "acc"), "acc");
    const std::uint64_t uops = unrolled_uops(config, s, p, t.in_blocks);
    if (uops > static_cast<std::uint64_t>(config.uop_depth)) {
        return bad(std::to_string(uops) + " micro-ops exceed " + std::to_string(config.uop_depth), "uop");
    }
    return Done{};
}

Status emit_conv2d(Builder& builder, const ConvJob& job) {
    const Status legal = check_conv2d(builder.config(), job.shape, job.tile, job.epilogue);
    if (!legal) return legal;
    builder.set_origin(job.name);
    ConvStages stages(builder, job);
    stages.pipeline().emit(builder, stages);
    return Done{};
}

Result<Program> conv2d_program(const Config& config, const ConvJob& job) {
    Builder builder(config);
    const Status emitted = emit_conv2d(builder, job);
    if (!emitted) return emitted.error();
    builder.synchronize();
    return builder.finish();
}

namespace {

/// Cycles a tile choice takes if nothing but its own steps mattered: with two contexts loads hide under multiplies.
double estimate(const Config& config, const ConvShape& s, const ConvTile& t, const Epilogue& e) {
    const Timing& time = config.timing;
    const Patch p = full_patch(s, t);
    const int kk = s.kernel_h * s.kernel_w;
    const double tiles = double(tiles_of(s.batch, config.batch())) * tiles_of(s.out_height(), t.height) *
                         tiles_of(s.out_width(), t.width) *
                         tiles_of(tiles_of(s.out_channels, config.block()), t.out_blocks);
    const double reductions = tiles_of(tiles_of(s.in_channels, config.block()), t.in_blocks);
    const double latency = time.dram_latency + time.path_latency + time.load_overhead;
    const double row_beats = std::max(1.0, double(p.iw) * config.inp_bytes() / time.bus_bytes);
    const double load = t.in_blocks * (p.ih * std::max(row_beats, double(time.command_gap)) + latency) +
                        double(t.out_blocks) * t.in_blocks * kk * config.wgt_bytes() / time.bus_bytes + latency;
    const double positions = double(t.out_blocks) * t.height * t.width;
    const double multiply = positions * t.in_blocks * kk * time.gemm_interval + time.pipeline_fill;
    double end = positions * time.gemm_interval + time.pipeline_fill;
    if (e.bias)
        end += positions * time.alu_reg_interval + latency + double(t.out_blocks) * config.acc_bytes() / time.bus_bytes;
    end += ((e.shift != 0) + 2 * e.clip) * (positions * time.alu_imm_interval + time.pipeline_fill);
    const double bursts =
        positions * config.out_bytes() / (time.bus_bytes * time.max_burst_beats) + t.height * t.out_blocks;
    const double store =
        positions * (double(config.out_bytes()) / time.bus_bytes + time.store_bubble) + bursts * time.write_overhead;
    if (t.contexts == 2) return tiles * std::max(reductions * std::max(load, multiply) + end, store) + load + store;
    return tiles * (reductions * (load + multiply) + end + store);
}

std::vector<int> tile_extents(int extent) {
    std::vector<int> all;
    for (int parts = 1; parts <= extent; ++parts) {
        const int size = tiles_of(extent, parts);
        if (all.empty() || all.back() != size) all.push_back(size);
    }
    return all;
}

} // namespace

std::vector<ConvTile> conv2d_tiles(const Config& config, const ConvShape& shape, int contexts, const Epilogue& epilogue,
                                   std::size_t count) {
    std::vector<std::pair<double, ConvTile>> found;
    if (!check_shape(config, shape)) return {};
    for (const int h : tile_extents(shape.out_height())) {
        for (const int w : tile_extents(shape.out_width())) {
            for (const int ci : tile_extents(tiles_of(shape.in_channels, config.block()))) {
                for (const int co : tile_extents(tiles_of(shape.out_channels, config.block()))) {
                    const ConvTile tile{h, w, ci, co, contexts};
                    if (!check_conv2d(config, shape, tile, epilogue)) continue;
                    // Kernels of all contexts stay in the micro-op memory, or every step loads them anew.
                    const std::uint64_t uops = unrolled_uops(config, shape, full_patch(shape, tile), ci);
                    if (uops * std::uint64_t(contexts) > std::uint64_t(config.uop_depth) * 3 / 4) continue;
                    found.emplace_back(estimate(config, shape, tile, epilogue), tile);
                }
            }
        }
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ConvTile> best;
    for (std::size_t i = 0; i < std::min(count, found.size()); ++i) best.push_back(found[i].second);
    return best;
}

} // namespace orrery::vta
