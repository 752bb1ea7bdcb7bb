#include "vta-sim/examples.hpp"

#include "vta-sim/cycle_model.hpp"
#include "vta-sim/elementwise.hpp"
#include "vta-sim/matmul.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <string>

namespace orrery::vta {
namespace {

constexpr ConvShape square(int size, int in, int out, int kernel, int stride) {
    ConvShape s;
    s.in_channels = in;
    s.out_channels = out;
    s.height = size;
    s.width = size;
    s.kernel_h = kernel;
    s.kernel_w = kernel;
    s.stride = stride;
    s.pad_h = kernel / 2;
    s.pad_w = kernel / 2;
    return s;
}

constexpr std::array<ResnetLayer, 10> kLayers = {{
    {"C2", "56 64-64 3x3", square(56, 64, 64, 3, 1), 4},
    {"C3", "56 64-128 3x3/2", square(56, 64, 128, 3, 2), 1},
    {"C4", "56 64-128 1x1/2", square(56, 64, 128, 1, 2), 1},
    {"C5", "28 128-128 3x3", square(28, 128, 128, 3, 1), 3},
    {"C6", "28 128-256 3x3/2", square(28, 128, 256, 3, 2), 1},
    {"C7", "28 128-256 1x1/2", square(28, 128, 256, 1, 2), 1},
    {"C8", "14 256-256 3x3", square(14, 256, 256, 3, 1), 3},
    {"C9", "14 256-512 3x3/2", square(14, 256, 512, 3, 2), 1},
    {"C10", "14 256-512 1x1/2", square(14, 256, 512, 1, 2), 1},
    {"C11", "7 512-512 3x3", square(7, 512, 512, 3, 1), 3},
}};

constexpr std::array<Example, 15> kExamples = {{
    {"matmul", "Matrix product 256 x 256 x 512", "the plainest program: tiles, tokens, bias, shift, clip"},
    {"resnet18_c2", "ResNet-18 C2  56x56 64-64 3x3", "the layer that repeats most; GEMM binds with two threads"},
    {"resnet18_c3", "ResNet-18 C3  56x56 64-128 3x3/2", "a stride of two: fewer steps for each element loaded"},
    {"resnet18_c4", "ResNet-18 C4  56x56 64-128 1x1/2", "one step an output tile: ALU and memory bind, not GEMM"},
    {"resnet18_c5", "ResNet-18 C5  28x28 128-128 3x3", "more channels, smaller pictures"},
    {"resnet18_c6", "ResNet-18 C6  28x28 128-256 3x3/2", "stride two again, with twice the weights"},
    {"resnet18_c7", "ResNet-18 C7  28x28 128-256 1x1/2", "a shortcut: little work for each byte"},
    {"resnet18_c8", "ResNet-18 C8  14x14 256-256 3x3", "long reductions: utilization above 90 %"},
    {"resnet18_c9", "ResNet-18 C9  14x14 256-512 3x3/2", "the largest gain from a second thread"},
    {"resnet18_c10", "ResNet-18 C10 14x14 256-512 1x1/2", "a shortcut of the last stage"},
    {"resnet18_c11", "ResNet-18 C11 7x7 512-512 3x3", "weights outweigh pictures: one thread waits for them"},
    {"resnet18", "ResNet-18, all convolutions but the first", "twenty layers one after another, each its own origin"},
    {"elementwise", "Sum of two tensors, shift, clip", "no GEMM at all: the ALU and its one read port"},
    {"pool", "Max pooling 3x3/2 on 56x56x64", "register operations of the ALU, two cycles a step"},
    {"deadlock", "A token forgotten", "one load does not push its token: see who waits for whom"},
}};

const ResnetLayer* layer_named(std::string_view example) {
    constexpr std::string_view prefix = "resnet18_c";
    if (!example.starts_with(prefix)) return nullptr;
    const std::string name = "C" + std::string(example.substr(prefix.size()));
    const auto layer = std::ranges::find(kLayers, name, &ResnetLayer::name);
    return layer == kLayers.end() ? nullptr : &*layer;
}

Error stopped() { return {ErrorCode::Stopped, "stopped", {}}; }

/// The fastest of the first tiles of the estimate.
Result<ConvTile> best_tile(const Config& config, const ConvShape& shape, const ExampleOptions& options) {
    ConvTile best;
    std::uint64_t fewest = kNever;
    const auto tiles = conv2d_tiles(config, shape, options.contexts, resnet18_epilogue(), options.candidates);
    for (const ConvTile& tile : tiles) {
        const Result<Program> program =
            conv2d_program(config, {.shape = shape, .tile = tile, .epilogue = resnet18_epilogue(), .tensors = {}});
        if (!program) continue;
        const CycleResult result = simulate_cycles(*program, {false, false, false, {options.watch.stop, {}}});
        if (result.state == RunState::Stopped) return stopped();
        if (result.total_cycles < fewest) best = tile, fewest = result.total_cycles;
    }
    if (fewest != kNever) return best;
    return Error{ErrorCode::IllegalTile, "no tile of this convolution fits the memories; enlarge one of them", "tile"};
}

Status emit_layer(Builder& builder, const ResnetLayer& layer, std::string_view name, const ConvTile& tile) {
    return emit_conv2d(
        builder, {.name = name, .shape = layer.shape, .tile = tile, .epilogue = resnet18_epilogue(), .tensors = {}});
}

Status emit_network(Builder& builder, const ExampleOptions& options) {
    bool first = true;
    for (const ResnetLayer& layer : kLayers) {
        options.watch.tell(static_cast<std::uint64_t>(&layer - kLayers.data()), kLayers.size());
        const Result<ConvTile> tile = best_tile(builder.config(), layer.shape, options);
        if (!tile) return tile.error();
        for (int i = 0; i < layer.times; ++i) {
            if (!first) builder.barrier();
            first = false;
            const std::string name =
                std::string(layer.name) + (layer.times > 1 ? "." + std::to_string(i + 1) : std::string());
            const Status done = emit_layer(builder, layer, name, *tile);
            if (!done) return done;
        }
    }
    return Done{};
}

Status emit_product(Builder& builder, const MatmulShape& shape, const ExampleOptions& options) {
    const Result<MatmulTile> tile = matmul_tile(builder.config(), shape, options.contexts, resnet18_epilogue());
    if (!tile) return tile.error();
    return emit_matmul(builder, {.shape = shape, .tile = *tile, .epilogue = resnet18_epilogue(), .tensors = {}});
}

Status emit_sum(Builder& builder, const ExampleOptions& options) {
    ElementwiseJob job;
    job.elements = 4096;
    job.contexts = options.contexts;
    // Two operands a context share the accumulator memory.
    job.tile = static_cast<std::uint64_t>(std::max(1, builder.config().acc_depth() / (4 * options.contexts)));
    job.steps = {{AluOp::Add, {}}, {AluOp::Shr, 1}, {AluOp::Max, 0}, {AluOp::Min, 127}};
    return emit_elementwise(builder, job);
}

Status emit_pooling(Builder& builder, const ExampleOptions& options) {
    PoolJob job;
    job.shape = {1, 64, 56, 56};
    job.window = 3;
    job.stride = 2;
    job.pad = 1;
    job.contexts = options.contexts;
    return emit_pool(builder, job);
}

Status emit_example(Builder& builder, std::string_view name, const ExampleOptions& options) {
    if (const ResnetLayer* layer = layer_named(name)) {
        const Result<ConvTile> tile = best_tile(builder.config(), layer->shape, options);
        return tile ? emit_layer(builder, *layer, layer->name, *tile) : Status(tile.error());
    }
    if (name == "resnet18") return emit_network(builder, options);
    if (name == "matmul") return emit_product(builder, {256, 512, 256}, options);
    if (name == "deadlock") return emit_product(builder, {16, 64, 256}, options);
    if (name == "elementwise") return emit_sum(builder, options);
    if (name == "pool") return emit_pooling(builder, options);
    return Error{ErrorCode::UnknownName, "there is no example named " + std::string(name), "name"};
}

/// Small numbers: products of int8 and biases that neither vanish nor saturate everything.
void draw_data(Program& program, std::uint32_t seed) {
    std::minstd_rand random(seed + 1);
    for (const DramBuffer& b : program.buffers) {
        if (b.kind == BufferKind::Uop || b.kind == BufferKind::Out) continue;
        const auto image = std::span(program.dram).subspan(b.address, b.bytes);
        if (b.kind != BufferKind::Acc) {
            for (std::uint8_t& byte : image) byte = static_cast<std::uint8_t>(static_cast<int>(random() % 33) - 16);
            continue;
        }
        for (std::size_t i = 0; i + 4 <= image.size(); i += 4) {
            const auto value = static_cast<std::uint32_t>(static_cast<std::int32_t>(random() % 2049) - 1024);
            for (std::size_t k = 0; k < 4; ++k) image[i + k] = static_cast<std::uint8_t>(value >> (8 * k));
        }
    }
}

/// Takes the token away that the last load gives: the kernel waiting for it never starts.
void forget_token(Program& program) {
    const auto pushes = [](const Instruction& in) { return module_of(in) == Module::Load && in.push_next; };
    const auto last = std::find_if(program.instructions.rbegin(), program.instructions.rend(), pushes);
    if (last != program.instructions.rend()) last->push_next = false;
}

} // namespace

std::span<const ResnetLayer> resnet18_layers() { return kLayers; }

Epilogue resnet18_epilogue() { return {.bias = true, .shift = 8, .clip = true}; }

std::span<const Example> examples() { return kExamples; }

Result<Program> example_program(const Config& config, std::string_view name, const ExampleOptions& options) {
    const Result<Config> legal = checked(config);
    if (!legal) return legal.error();
    Builder builder(config);
    const Status emitted = emit_example(builder, name, options);
    if (!emitted) return emitted.error();
    builder.synchronize();
    Result<Program> program = builder.finish();
    if (!program) return program;
    draw_data(*program, options.seed);
    if (name == "deadlock") forget_token(*program);
    return program;
}

} // namespace orrery::vta
