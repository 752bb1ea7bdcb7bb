#include "core/runtime/executor.hpp"

#include <catch2/catch.hpp>

#include <cstdint>

using namespace orrery::runtime;

namespace {

// Plan: a = in + constant (arena), out = 2 * a, through a workspace in the second step.
void add_kernel(void* const* args, orrery_context*) {
    const auto *x = static_cast<const float*>(args[0]), *c = static_cast<const float*>(args[1]);
    auto* out = static_cast<float*>(args[2]);
    for (int i = 0; i < 4; ++i) out[i] = x[i] + c[i];
}

void double_kernel(void* const* args, orrery_context* context) {
    struct Closure {
        const float* x;
        float *out, *workspace;
    } closure{static_cast<const float*>(args[0]), static_cast<float*>(args[1]), static_cast<float*>(args[2])};
    context->parallel_for(
        context, 4,
        [](std::int64_t begin, std::int64_t end, void* c) {
            const auto& k = *static_cast<Closure*>(c);
            for (std::int64_t i = begin; i < end; ++i) {
                k.workspace[i] = k.x[i];
                k.out[i] = 2 * k.workspace[i];
            }
        },
        &closure);
}

alignas(64) const float kConstant[4] = {10, 20, 30, 40};

Value value(const char* name, Storage storage, std::size_t offset = 0) {
    Value v;
    v.name = name;
    v.shape = {4};
    v.bytes = 16;
    v.storage = storage;
    v.offset = offset;
    return v;
}

std::shared_ptr<Executable> sample() {
    auto e = std::make_shared<Executable>();
    e->plan.values = {value("in", Storage::Input), value("c", Storage::Constant), value("a", Storage::Arena, 64),
                      value("out", Storage::Output)};
    e->plan.kernels = {"add", "double"};
    e->plan.steps = {{"add", 0, {0, 1, 2}, 0, 0}, {"double", 1, {2, 3}, 128, 16}};
    e->plan.inputs = {0};
    e->plan.outputs = {3};
    e->plan.arena_bytes = 192;
    e->kernels = {add_kernel, double_kernel};
    e->constants = {kConstant};
    return e;
}

} // namespace

TEST_CASE("an executor runs the steps over the planned memory, again and again", "[runtime][executor]") {
    for (int threads : {1, 3}) {
        Executor executor(sample(), threads);
        for (float base : {0.0f, 5.0f}) {
            alignas(64) float in[4] = {base, base + 1, base + 2, base + 3};
            alignas(64) float out[4] = {};
            const void* inputs[] = {in};
            void* outputs[] = {out};
            StepTimes times;
            REQUIRE(executor.run(inputs, outputs, &times));
            for (int i = 0; i < 4; ++i) CHECK(out[i] == 2 * (in[i] + kConstant[i]));
            REQUIRE(times.size() == 2);
            CHECK(times[0] >= 0);
            const auto* a = static_cast<const float*>(executor.value_data(2));
            CHECK(a[0] == base + 10);
        }
    }
}

TEST_CASE("memory is aligned as kernels are promised, and known for what is ours", "[runtime][executor]") {
    const Executor executor(sample(), 1);
    CHECK(reinterpret_cast<std::uintptr_t>(executor.value_data(2)) % 64 == 0);
    CHECK(executor.value_data(1) == kConstant);
    CHECK(executor.value_data(0) == nullptr);
    CHECK(executor.value_data(3) == nullptr);
    CHECK(executor.plan().steps.size() == 2);
}

TEST_CASE("a stopped run says so and does nothing", "[runtime][executor]") {
    Executor executor(sample(), 1);
    alignas(64) float in[4] = {}, out[4] = {7, 7, 7, 7};
    const void* inputs[] = {in};
    void* outputs[] = {out};
    std::stop_source source;
    source.request_stop();
    CHECK_FALSE(executor.run(inputs, outputs, nullptr, source.get_token()));
    CHECK(out[0] == 7);
}

TEST_CASE("executors of one executable do not disturb each other", "[runtime][executor]") {
    const auto shared = sample();
    Executor first(shared, 1), second(shared, 2);
    alignas(64) float in1[4] = {1, 1, 1, 1}, in2[4] = {2, 2, 2, 2}, out1[4], out2[4];
    const void *inputs1[] = {in1}, *inputs2[] = {in2};
    void *outputs1[] = {out1}, *outputs2[] = {out2};
    REQUIRE(first.run(inputs1, outputs1));
    REQUIRE(second.run(inputs2, outputs2));
    CHECK(static_cast<const float*>(first.value_data(2))[0] == 11);
    CHECK(static_cast<const float*>(second.value_data(2))[0] == 12);
}

TEST_CASE("a value may be part of an output", "[runtime][executor]") {
    const std::shared_ptr<Executable> e = sample();
    Value whole = value("out", Storage::Output);
    whole.shape = {20}, whole.bytes = 80;
    e->plan.values = {e->plan.values[0], e->plan.values[1], value("a", Storage::Output, 0),
                      value("b", Storage::Output, 64), whole};
    e->plan.steps = {{"add", 0, {0, 1, 2}, 0, 0}, {"double", 1, {2, 3}, 128, 16}};
    e->plan.outputs = {4};
    Executor executor(e, 2);
    for (float base : {1.0f, 2.0f}) {
        alignas(64) float in[4] = {base, base, base, base}, out[20] = {};
        const void* inputs[] = {in};
        void* outputs[] = {out};
        REQUIRE(executor.run(inputs, outputs));
        for (int i = 0; i < 4; ++i) {
            CHECK(out[i] == base + kConstant[i]);
            CHECK(out[16 + i] == 2 * out[i]);
        }
    }
}

TEST_CASE("a plan of no steps runs", "[runtime][executor]") {
    Executor executor(std::make_shared<Executable>(), 1);
    CHECK(executor.run({}, {}));
}
