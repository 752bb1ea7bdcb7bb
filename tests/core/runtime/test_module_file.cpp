#include "core/runtime/module_file.hpp"
#include "core/runtime/orrery.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <random>

using namespace orrery::runtime;

namespace {

Plan sample_plan() {
    Plan plan;
    plan.values = {
        {"in", {2, 32}, {2, 3}, 24, Storage::Input, 0, 0, 0, 0},
        {"weights", {0, 8}, {5}, 5, Storage::Constant, 0, 0, 0, 1},
        {"bias", {2, 64}, {}, 8, Storage::Constant, 1, 0, 0, 1},
        {"hidden", {4, 16}, {7, 9}, 126, Storage::Arena, 0, 64, 0, 1},
        {"out", {6, 8}, {3}, 3, Storage::Output, 0, 0, 1, 1},
    };
    plan.steps = {{"first", 0, {0, 1, 3}, 0, 0}, {"second", 1, {3, 2, 4}, 192, 100}};
    plan.kernels = {"first", "second"};
    plan.inputs = {0};
    plan.outputs = {4};
    plan.arena_bytes = 320;
    plan.live_bytes_bound = 226;
    return plan;
}

const std::byte kWeights[5] = {std::byte(1), std::byte(2), std::byte(3), std::byte(4), std::byte(5)};
const std::byte kBias[8] = {std::byte(9)};
const Bytes kConstants[] = {kWeights, kBias};
const std::size_t kSizes[] = {5, 8};

bool same_value(const Value& a, const Value& b) {
    return a.name == b.name && a.type == b.type && a.shape == b.shape && a.bytes == b.bytes && a.storage == b.storage &&
           a.index == b.index && a.offset == b.offset && a.first_step == b.first_step && a.last_step == b.last_step;
}

bool same_step(const Step& a, const Step& b) {
    return a.name == b.name && a.kernel == b.kernel && a.args == b.args && a.workspace_offset == b.workspace_offset &&
           a.workspace_bytes == b.workspace_bytes;
}

} // namespace

TEST_CASE("a module reads back as it was written", "[runtime][module]") {
    const Plan plan = sample_plan();
    const std::vector<std::byte> blob = write_module(plan, kConstants);
    CHECK(blob.size() % 64 == 0);
    std::string error;
    const std::optional<ModuleContents> read = read_module(blob, error);
    INFO(error);
    REQUIRE(read);
    REQUIRE(read->plan.values.size() == plan.values.size());
    for (std::size_t i = 0; i < plan.values.size(); ++i) CHECK(same_value(read->plan.values[i], plan.values[i]));
    REQUIRE(read->plan.steps.size() == plan.steps.size());
    for (std::size_t i = 0; i < plan.steps.size(); ++i) CHECK(same_step(read->plan.steps[i], plan.steps[i]));
    CHECK(read->plan.kernels == plan.kernels);
    CHECK(read->plan.inputs == plan.inputs);
    CHECK(read->plan.outputs == plan.outputs);
    CHECK(read->plan.arena_bytes == plan.arena_bytes);
    CHECK(read->plan.live_bytes_bound == plan.live_bytes_bound);
    REQUIRE(read->constants.size() == 2);
    CHECK(std::memcmp(read->constants[0].data(), kWeights, 5) == 0);
    CHECK(std::memcmp(read->constants[1].data(), kBias, 8) == 0);
    for (const Bytes& constant : read->constants) CHECK((constant.data() - blob.data()) % 64 == 0);
}

TEST_CASE("a module cut anywhere is refused", "[runtime][module]") {
    const std::vector<std::byte> blob = write_module(sample_plan(), kConstants);
    for (std::size_t size = 0; size < blob.size(); ++size) {
        std::string error;
        REQUIRE_FALSE(read_module(Bytes(blob).first(size), error));
        REQUIRE_FALSE(error.empty());
    }
}

TEST_CASE("a module with any byte of header or plan changed is refused", "[runtime][module]") {
    const std::vector<std::byte> good = write_module(sample_plan(), kConstants);
    const std::size_t plan_end = good.size() - 128; // two constants of one line each
    for (std::size_t at = 0; at < plan_end; ++at) {
        if (at >= 12 && at < 16) continue; // the header's unused word
        std::vector<std::byte> blob = good;
        blob[at] ^= std::byte(0x41);
        std::string error;
        const bool read = read_module(blob, error).has_value();
        const bool padding = good[at] == std::byte(0) && at > plan_end - 64;
        if (read && padding) continue;
        INFO("byte " << at);
        REQUIRE_FALSE(read);
    }
}

TEST_CASE("a module forged with a right hash still cannot lie", "[runtime][module]") {
    // Random changes inside the plan with the hash made right again: read as a safe plan, or refused.
    const auto fnv = [](Bytes bytes) {
        std::uint64_t hash = 0xcbf29ce484222325u;
        for (std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
        return hash;
    };
    const std::vector<std::byte> good = write_module(sample_plan(), kConstants);
    std::uint64_t plan_bytes = 0;
    std::memcpy(&plan_bytes, good.data() + 24, 8);
    std::mt19937 random(7);
    int refused = 0;
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::byte> blob = good;
        for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
            blob[40 + random() % plan_bytes] = static_cast<std::byte>(random() % 2 ? 0xff : random());
        const std::uint64_t hash = fnv(Bytes(blob).subspan(40, plan_bytes));
        std::memcpy(blob.data() + 32, &hash, 8);
        std::string error;
        const std::optional<ModuleContents> read = read_module(blob, error);
        if (!read) {
            ++refused;
            continue;
        }
        std::vector<std::size_t> sizes;
        for (const Bytes& constant : read->constants) {
            REQUIRE(constant.data() >= blob.data());
            REQUIRE(constant.data() + constant.size() <= blob.data() + blob.size());
            sizes.push_back(constant.size());
        }
        REQUIRE(find_plan_error(read->plan, sizes).empty());
    }
    CHECK(refused > 10000);
}

TEST_CASE("a plan that would reach outside its memory is named", "[runtime][module]") {
    CHECK(find_plan_error(sample_plan(), kSizes).empty());
    const auto broken = [](auto change) {
        Plan plan = sample_plan();
        change(plan);
        return !find_plan_error(plan, kSizes).empty();
    };
    CHECK(broken([](Plan& p) { p.values[3].offset = 256; }));
    CHECK(broken([](Plan& p) { p.values[3].offset = 8; }));
    CHECK(broken([](Plan& p) { p.values[3].bytes = 4; }));
    CHECK(broken([](Plan& p) { p.values[0].shape = {-2, -3}; }));
    CHECK(broken([](Plan& p) { p.values[0].shape = {INT64_MAX, INT64_MAX}; }));
    CHECK(broken([](Plan& p) { p.values[0].type.code = 9; }));
    CHECK(broken([](Plan& p) { p.values[0].index = 1; }));
    CHECK(broken([](Plan& p) { p.values[1].index = 2; }));
    CHECK(broken([](Plan& p) { p.values[1].index = 1, p.values[1].shape = {9}, p.values[1].bytes = 9; }));
    CHECK(broken([](Plan& p) { p.values[4].storage = static_cast<Storage>(9); }));
    CHECK(broken([](Plan& p) { p.steps[0].kernel = 2; }));
    CHECK(broken([](Plan& p) { p.steps[0].args[0] = 5; }));
    CHECK(broken([](Plan& p) { p.steps[1].workspace_bytes = 1000; }));
    CHECK(broken([](Plan& p) { p.inputs[0] = 1; }));
    CHECK(broken([](Plan& p) { p.outputs[0] = 17; }));
    CHECK(broken([](Plan& p) { p.values[4].offset = 64; }));
    // Part of an output: inside it, and where kernels may be given it.
    const auto part = [](std::size_t offset) {
        return [offset](Plan& p) {
            p.values[4].shape = {200}, p.values[4].bytes = 200;
            p.values.push_back({"part", {6, 8}, {9}, 9, Storage::Output, 0, offset, 1, 1});
        };
    };
    CHECK_FALSE(broken(part(128)));
    CHECK(broken(part(192)));
    CHECK(broken(part(8)));
    CHECK(broken(part(SIZE_MAX / 64 * 64)));
}

TEST_CASE("the C interface refuses what is no module, with a reason", "[runtime][capi]") {
    orrery_model* model = nullptr;
    CHECK(orrery_load("/nonexistent/module.so", 1, &model) == ORRERY_BAD_MODULE);
    CHECK(std::strlen(orrery_last_error()) > 0);
    CHECK(orrery_load(nullptr, 1, &model) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_load("x", 0, &model) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_load("libm.so.6", 1, &model) == ORRERY_BAD_MODULE); // a library, but no module
    CHECK(model == nullptr);
    CHECK(orrery_run(nullptr) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_set_input(nullptr, 0, nullptr) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_get_output(nullptr, 0, nullptr) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_input_count(nullptr) == -1);
    CHECK(orrery_set_threads(nullptr, 1) == ORRERY_BAD_ARGUMENT);
    orrery_free(nullptr);
}
