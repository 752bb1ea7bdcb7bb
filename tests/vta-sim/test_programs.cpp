// Built programs against a plain integer reference, on random shapes, tiles and configurations. Each program also runs
// clean (no finding of any kind), and the cycle model finishes it with the same final state.

#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/conv2d.hpp"
#include "vta-sim/cycle_model.hpp"
#include "vta-sim/elementwise.hpp"
#include "vta-sim/functional_model.hpp"
#include "vta-sim/matmul.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery::vta;
using orrery::vta::testing::chance;
using orrery::vta::testing::pick;
using orrery::vta::testing::Random;

namespace {

using Values = std::vector<std::int32_t>;

std::int32_t wrap(std::int64_t value) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(value)); }

std::int32_t narrowed(std::int32_t value, int bits) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << (32 - bits)) >> (32 - bits);
}

std::int32_t finished(std::int64_t sum, std::int32_t bias, const Epilogue& e, int bits) {
    std::int32_t value = wrap(wrap(sum) + std::int64_t{e.bias ? bias : 0});
    value >>= e.shift;
    if (e.clip) value = std::clamp<std::int32_t>(value, e.clip_low, e.clip_high);
    return narrowed(value, bits);
}

Values conv_reference(const ConvShape& s, const Epilogue& e, const ConvTensors& t, int bits) {
    Values out;
    const auto in = [&](int n, int c, int y, int x) -> std::int64_t {
        if (y < 0 || x < 0 || y >= s.height || x >= s.width) return 0;
        return t.input[std::size_t(((n * s.in_channels + c) * s.height + y) * s.width + x)];
    };
    for (int n = 0; n < s.batch; ++n) {
        for (int o = 0; o < s.out_channels; ++o) {
            for (int y = 0; y < s.out_height(); ++y) {
                for (int x = 0; x < s.out_width(); ++x) {
                    std::int64_t sum = 0;
                    for (int c = 0; c < s.in_channels; ++c) {
                        for (int dy = 0; dy < s.kernel_h; ++dy) {
                            for (int dx = 0; dx < s.kernel_w; ++dx) {
                                sum += in(n, c, y * s.stride + dy - s.pad_h, x * s.stride + dx - s.pad_w) *
                                       t.weight[std::size_t(((o * s.in_channels + c) * s.kernel_h + dy) * s.kernel_w +
                                                            dx)];
                            }
                        }
                    }
                    out.push_back(finished(sum, e.bias ? t.bias[std::size_t(o)] : 0, e, bits));
                }
            }
        }
    }
    return out;
}

/// Runs both models; the functional one must find nothing and agree with the cycle model's order of completion.
std::vector<std::uint8_t> run_clean(const Program& program, const std::string& out) {
    FunctionalModel model(program);
    const RunState state = model.run();
    for (const Blocked& b : model.blocked()) FAIL_CHECK(describe(b));
    for (const Diagnostic& d : model.diagnostics()) FAIL_CHECK(describe(d));
    REQUIRE(state == RunState::Finished);
    const CycleResult cycles = simulate_cycles(program);
    REQUIRE(cycles.state == RunState::Finished);
    const Machine timed = execute_in_order(program, completion_order(program, cycles));
    REQUIRE(timed.dram() == model.machine().dram());
    REQUIRE(timed.chip() == model.machine().chip());
    const DramBuffer* buffer = program.find_buffer(out);
    REQUIRE(buffer != nullptr);
    const auto first = model.machine().dram().begin() + static_cast<std::ptrdiff_t>(buffer->address);
    return {first, first + static_cast<std::ptrdiff_t>(buffer->bytes)};
}

Epilogue random_epilogue(Random& random) {
    Epilogue e;
    e.bias = chance(random, 50);
    e.shift = chance(random, 60) ? pick(random, 1, 15) : 0;
    e.clip = chance(random, 50);
    e.clip_low = static_cast<std::int16_t>(pick(random, -128, 0));
    e.clip_high = static_cast<std::int16_t>(pick(random, 1, 127));
    return e;
}

ConvShape random_conv(Random& random, const Config& c) {
    ConvShape s;
    s.batch = pick(random, 1, 2 * c.batch());
    s.in_channels = pick(random, 1, 3 * c.block());
    s.out_channels = pick(random, 1, 3 * c.block());
    s.kernel_h = pick(random, 1, 3);
    s.kernel_w = pick(random, 1, 3);
    s.stride = pick(random, 1, 3);
    s.pad_h = pick(random, 0, s.kernel_h - 1);
    s.pad_w = pick(random, 0, s.kernel_w - 1);
    s.height = pick(random, s.kernel_h, 10);
    s.width = pick(random, s.kernel_w, 10);
    return s;
}

/// False when no tile was legal for the drawn configuration.
bool try_conv(Random& random) {
    Config config = testing::random_config(random);
    config.reuse_gap = chance(random, 20) ? pick(random, 1, 2) : 0;
    ConvJob job;
    job.shape = random_conv(random, config);
    job.epilogue = random_epilogue(random);
    for (int attempt = 0; attempt < 30; ++attempt) {
        job.tile = {pick(random, 1, job.shape.out_height()), pick(random, 1, job.shape.out_width()),
                    pick(random, 1, tiles_of(job.shape.in_channels, config.block())),
                    pick(random, 1, tiles_of(job.shape.out_channels, config.block())), pick(random, 1, 2)};
        if (check_conv2d(config, job.shape, job.tile, job.epilogue)) break;
    }
    const Values input = testing::random_values(random, std::size_t(job.shape.input().size()), config.inp_bits());
    const Values weight = testing::random_values(random, std::size_t(job.shape.weight().size()), config.wgt_bits());
    const Values bias = testing::random_values(random, std::size_t(job.shape.out_channels), 20);
    job.tensors = {input, weight, bias};
    const Result<Program> program = conv2d_program(config, job);
    if (!program) {
        const ErrorCode code = program.error().code;
        REQUIRE((code == ErrorCode::IllegalTile || (config.reuse_gap > 0 && code == ErrorCode::IllegalKernel)));
        return false;
    }
    const auto bytes = run_clean(*program, "conv2d.out");
    REQUIRE(unpack_activation(config, job.shape.output(), bytes, config.out_bits()) ==
            conv_reference(job.shape, job.epilogue, job.tensors, config.out_bits()));
    return true;
}

bool try_matmul(Random& random) {
    Config config = testing::random_config(random);
    MatmulJob job;
    job.shape = {pick(random, 1, 5 * config.batch()), pick(random, 1, 5 * config.block()),
                 pick(random, 1, 5 * config.block())};
    job.epilogue = random_epilogue(random);
    for (int attempt = 0; attempt < 30; ++attempt) {
        job.tile = {pick(random, 1, tiles_of(job.shape.m, config.batch())),
                    pick(random, 1, tiles_of(job.shape.n, config.block())),
                    pick(random, 1, tiles_of(job.shape.k, config.block())), pick(random, 1, 2)};
        if (check_matmul(config, job.shape, job.tile, job.epilogue)) break;
    }
    const Values data =
        testing::random_values(random, std::size_t(job.shape.m) * std::size_t(job.shape.k), config.inp_bits());
    const Values weight =
        testing::random_values(random, std::size_t(job.shape.n) * std::size_t(job.shape.k), config.wgt_bits());
    const Values bias = testing::random_values(random, std::size_t(job.shape.n), 20);
    job.tensors = {data, weight, bias};
    const Result<Program> program = matmul_program(config, job);
    if (!program) {
        REQUIRE(program.error().code == ErrorCode::IllegalTile);
        return false;
    }
    ConvShape as_conv{.batch = job.shape.m, .in_channels = job.shape.k, .out_channels = job.shape.n};
    const auto bytes = run_clean(*program, "matmul.out");
    REQUIRE(unpack_activation(config, {job.shape.m, job.shape.n, 1, 1}, bytes, config.out_bits()) ==
            conv_reference(as_conv, job.epilogue, job.tensors, config.out_bits()));
    return true;
}

std::int32_t pooled(const PoolJob& job, int plane, int y, int x, int bits) {
    std::int32_t value = job.kind == PoolKind::Max ? INT16_MIN : 0;
    for (int dy = 0; dy < job.window; ++dy) {
        for (int dx = 0; dx < job.window; ++dx) {
            const int iy = y * job.stride - job.pad + dy;
            const int ix = x * job.stride - job.pad + dx;
            if (iy < 0 || ix < 0 || iy >= job.shape.h || ix >= job.shape.w) continue;
            const std::int32_t in = job.input[std::size_t((plane * job.shape.h + iy) * job.shape.w + ix)];
            value = job.kind == PoolKind::Max ? std::max(value, in) : value + in;
        }
    }
    return narrowed(value >> job.shift, bits);
}

bool try_pool(Random& random) {
    const Config config = testing::random_config(random);
    PoolJob job;
    job.kind = chance(random, 50) ? PoolKind::Max : PoolKind::Sum;
    job.window = pick(random, 1, 3);
    job.stride = pick(random, 1, 3);
    job.pad = pick(random, 0, job.window - 1);
    job.shift = job.kind == PoolKind::Sum ? pick(random, 0, 2) : 0;
    job.shape = {pick(random, 1, config.batch() + 1), pick(random, 1, config.block() + 1), pick(random, job.window, 9),
                 pick(random, job.window, 9)};
    job.tile_rows = pick(random, 1, job.out_height());
    job.contexts = pick(random, 1, 2);
    const Values input = testing::random_values(random, std::size_t(job.shape.size()), 8);
    job.input = input;
    const Result<Program> program = pool_program(config, job);
    if (!program) {
        REQUIRE(program.error().code == ErrorCode::IllegalTile);
        return false;
    }
    Values expected;
    for (int plane = 0; plane < job.shape.n * job.shape.c; ++plane) {
        for (int y = 0; y < job.out_height(); ++y) {
            for (int x = 0; x < job.out_width(); ++x) expected.push_back(pooled(job, plane, y, x, config.out_bits()));
        }
    }
    const auto bytes = run_clean(*program, "pool.out");
    REQUIRE(unpack_activation(config, {job.shape.n, job.shape.c, job.out_height(), job.out_width()}, bytes,
                              config.out_bits()) == expected);
    return true;
}

bool try_elementwise(Random& random) {
    const Config config = testing::random_config(random);
    const TensorShape shape{config.batch(), config.block(), pick(random, 1, 6), pick(random, 1, 30)};
    const Values left = testing::random_values(random, std::size_t(shape.size()), 24);
    const Values right = testing::random_values(random, std::size_t(shape.size()), 24);
    ElementwiseJob job;
    job.elements = std::uint64_t(shape.h * shape.w);
    job.tile = std::uint64_t(pick(random, 1, shape.h * shape.w));
    job.contexts = pick(random, 1, 2);
    job.steps = {{AluOp::Add, std::nullopt},
                 {AluOp::Mul, std::int16_t(3)},
                 {AluOp::Shr, std::int16_t(5)},
                 {AluOp::Max, std::nullopt},
                 {AluOp::Min, std::int16_t(1000)}};
    const auto left_bytes = pack_activation(config, shape, left, 32);
    const auto right_bytes = pack_activation(config, shape, right, 32);
    job.left = left_bytes;
    job.right = right_bytes;
    const Result<Program> program = elementwise_program(config, job);
    if (!program) {
        REQUIRE(program.error().code == ErrorCode::IllegalTile);
        return false;
    }
    Values expected;
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::int32_t value = wrap(wrap(std::int64_t{left[i]} + right[i]) * std::int64_t{3}) >> 5;
        value = std::min(std::max(value, right[i]), 1000);
        expected.push_back(narrowed(value, config.out_bits()));
    }
    REQUIRE(unpack_activation(config, shape, run_clean(*program, "elementwise.out"), config.out_bits()) == expected);
    return true;
}

/// Draws until `wanted` programs were built and checked; the share of illegal draws must stay sane.
template <class Try> void check_many(Try&& attempt, int wanted, unsigned seed) {
    Random random(seed);
    int built = 0;
    for (int draw = 0; built < wanted; ++draw) {
        INFO("seed " << seed << ", draw " << draw);
        REQUIRE(draw < 20 * wanted + 100);
        built += attempt(random) ? 1 : 0;
    }
}

} // namespace

TEST_CASE("convolutions equal the reference on random shapes, tiles and configurations", "[vta][programs]") {
    check_many(try_conv, 120, 11);
}
TEST_CASE("matrix products equal the reference", "[vta][programs]") { check_many(try_matmul, 120, 12); }
TEST_CASE("poolings equal the reference", "[vta][programs]") { check_many(try_pool, 60, 13); }
TEST_CASE("elementwise chains equal the reference", "[vta][programs]") { check_many(try_elementwise, 60, 14); }

TEST_CASE("1,000 random programs of each kind equal the reference", "[.nightly]") {
    check_many(try_conv, 1000, 21);
    check_many(try_matmul, 1000, 22);
    check_many(try_pool, 1000, 23);
    check_many(try_elementwise, 1000, 24);
}

TEST_CASE("programs joined by a barrier run clean", "[vta][programs]") {
    Random random(15);
    const Config config = preset("tsim-de10").value();
    ConvJob first;
    first.name = "first";
    first.shape = {.in_channels = 16,
                   .out_channels = 32,
                   .height = 8,
                   .width = 8,
                   .kernel_h = 3,
                   .kernel_w = 3,
                   .pad_h = 1,
                   .pad_w = 1};
    first.tile = {4, 8, 1, 1, 2};
    ConvJob second = first;
    second.name = "second";
    Builder builder(config);
    REQUIRE(emit_conv2d(builder, first));
    builder.barrier();
    REQUIRE(emit_conv2d(builder, second));
    builder.synchronize();
    const Program program = builder.finish().value();
    run_clean(program, "second.out");
    CHECK(program.origin_names == std::vector<std::string>{"program", "first", "second"});
}

TEST_CASE("illegal tiles are refused before anything is emitted, naming the memory", "[vta][programs]") {
    const Config config = preset("tsim-de10").value();
    const ConvShape shape{.in_channels = 512,
                          .out_channels = 512,
                          .height = 56,
                          .width = 56,
                          .kernel_h = 3,
                          .kernel_w = 3,
                          .pad_h = 1,
                          .pad_w = 1};
    const auto where = [&](ConvTile tile) { return check_conv2d(config, shape, tile, {}).error().where; };
    CHECK(where({56, 56, 1, 1, 1}) == "inp"); // 58 x 58 > 2048
    CHECK(where({7, 7, 16, 8, 1}) == "wgt");  // 16 x 8 x 9 > 1024
    CHECK(where({28, 28, 1, 4, 2}) == "acc"); // 4 x 784 > 1024
    CHECK(where({57, 1, 1, 1, 1}) == "tile");
    CHECK(where({1, 1, 1, 1, 3}) == "contexts");
    ConvShape padded = shape;
    padded.pad_h = 3;
    CHECK(check_conv2d(config, padded, {1, 1, 1, 1, 1}, {}).error().code == ErrorCode::IllegalShape);
    CHECK(check_matmul(config, {64, 1024, 1024}, {64, 64, 64, 1}, {}).error().where == "inp");
}

TEST_CASE("the builder keeps the first mistake", "[vta][programs]") {
    Builder builder{Config{}};
    const DramBuffer& buffer = builder.alloc("a", BufferKind::Inp, 4);
    Transfer t;
    t.buffer = &buffer;
    t.x_size = 5;
    builder.load(t);
    UopKernel kernel;
    builder.run(kernel);
    const Result<Program> program = builder.finish();
    REQUIRE_FALSE(program);
    CHECK(program.error().code == ErrorCode::OutOfDram);
    CHECK(program.error().where == "a");
}

TEST_CASE("the micro-op cache reuses, wraps and loads again", "[vta][programs]") {
    Config config;
    config.uop_depth = 4;
    Builder builder(config);
    const auto kernel = [](int base) {
        UopKernel k;
        k.reset = true;
        k.uops = {{std::uint16_t(base), 0, 0}, {std::uint16_t(base + 1), 0, 0}};
        return k;
    };
    for (const int base : {0, 10, 0, 20, 0}) builder.run(kernel(base));
    builder.synchronize();
    const Program program = builder.finish().value();
    const auto loads =
        std::count_if(program.instructions.begin(), program.instructions.end(), [](const Instruction& in) {
            return in.opcode == Opcode::Load && in.memory == MemoryId::Uop && !is_sync(in);
        });
    // 0 and 10 fill the memory, 0 is there, 20 wraps and drops both, 0 is loaded again.
    CHECK(loads == 4);
    FunctionalModel model(program);
    CHECK(model.run() == RunState::Finished);
    CHECK(model.diagnostics().empty());
}
