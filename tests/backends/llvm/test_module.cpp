// Compiled, linked, loaded and run through the C interface.
#include "tests/backends/llvm/harness.hpp"

#include "core/base/file.hpp"
#include "core/runtime/module_file.hpp"
#include "core/runtime/orrery.h"

#include <cstring>
#include <fstream>

using namespace orrery;
using namespace orrery::testing;

namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("orrery-test-" + std::to_string(std::random_device()()));
    Folder() { fs::create_directories(path); }
    ~Folder() {
        std::error_code error;
        fs::remove_all(path, error);
    }
};

const float kWeights[6] = {1, 2, 3, 4, 5, 6};

/// hidden = in * weights, then out = tan(row sums), through a workspace.
runtime::Plan sample_plan(std::size_t workspace) {
    using runtime::Storage;
    runtime::Plan plan;
    plan.values = {{"in", {2, 32}, {2, 3}, 24, Storage::Input, 0, 0, 0, 0},
                   {"weights", {2, 32}, {2, 3}, 24, Storage::Constant, 0, 0, 0, 0},
                   {"hidden", {2, 32}, {2, 3}, 24, Storage::Arena, 0, 0, 0, 1},
                   {"out", {2, 32}, {2}, 8, Storage::Output, 0, 0, 1, 1}};
    plan.steps = {{"scale", 0, {0, 1, 2}, 0, 0}, {"tan", 1, {2, 3}, 64, workspace}};
    plan.kernels = {"scale", "tan"};
    plan.inputs = {0};
    plan.outputs = {3};
    plan.arena_bytes = 64 + (workspace + 63) / 64 * 64;
    return plan;
}

std::vector<KernelObject> sample_objects() {
    std::vector<KernelObject> objects;
    for (const char* text : {"fn scale(x: f32[2,3], w: f32[2,3]) -> (y: f32[2,3]) { parallel i in 2 { for j in 3 { "
                             "y[i, j] = x[i, j] * w[i, j] } } }",
                             "fn tan(x: f32[2,3]) -> (y: f32[2]) { alloc s: f32[2] for i in 2 { s[i] = 0.0 for j in 3 "
                             "{ s[i] = s[i] + x[i, j] } } "
                             "for i in 2 { y[i] = tan(s[i]) } }"}) {
        Result<KernelObject> object = llvm_backend().compile(parsed(text), llvm_backend().host(), {}, {});
        REQUIRE(object);
        objects.push_back(*std::move(object));
    }
    return objects;
}

std::vector<std::byte> sample_blob(const std::vector<KernelObject>& objects) {
    const runtime::Bytes constants[] = {std::as_bytes(std::span(kWeights))};
    return runtime::write_module(sample_plan(objects[1].workspace_bytes), constants);
}

DLTensor tensor_of(float* data, std::int64_t* shape, int rank) {
    return {data, {kDLCPU, 0}, rank, {kDLFloat, 32, 1}, shape, nullptr, 0};
}

} // namespace

TEST_CASE("a module runs through the C interface", "[llvm][module]") {
    const Folder folder;
    const fs::path path = folder.path / "model.so";
    const std::vector<KernelObject> objects = sample_objects();
    CHECK(objects[1].workspace_bytes > 0);
    const Result<void> linked = link_module(objects, sample_blob(objects), llvm_backend().host(), path);
    if (!linked) FAIL(to_string(linked.error()));
    orrery_model* model = nullptr;
    INFO(orrery_last_error());
    REQUIRE(orrery_load(path.c_str(), 2, &model) == ORRERY_OK);
    CHECK(orrery_input_count(model) == 1);
    CHECK(orrery_output_count(model) == 1);
    orrery_tensor_info info;
    REQUIRE(orrery_input_info(model, 0, &info) == ORRERY_OK);
    CHECK(std::strcmp(info.name, "in") == 0);
    CHECK((info.ndim == 2 && info.shape[0] == 2 && info.shape[1] == 3 && info.bytes == 24));
    CHECK((info.dtype.code == kDLFloat && info.dtype.bits == 32 && info.dtype.lanes == 1));
    CHECK(orrery_input_info(model, 1, &info) == ORRERY_BAD_ARGUMENT);
    CHECK(orrery_run(model) == ORRERY_NOT_READY);

    float rows[6] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}, out[2] = {};
    float columns[6] = {0.1f, 0.4f, 0.2f, 0.5f, 0.3f, 0.6f};
    std::int64_t in_shape[2] = {2, 3}, out_shape[1] = {2}, strides[2] = {1, 2};
    DLTensor result = tensor_of(out, out_shape, 1);
    CHECK(orrery_get_output(model, 0, &result) == ORRERY_NOT_READY);
    for (int round = 0; round < 3; ++round) {
        DLTensor input = tensor_of(round == 1 ? columns : rows, in_shape, 2);
        if (round == 1) input.strides = strides;
        if (round == 2) REQUIRE(orrery_set_threads(model, 1) == ORRERY_OK);
        REQUIRE(orrery_set_input(model, 0, &input) == ORRERY_OK);
        REQUIRE(orrery_run(model) == ORRERY_OK);
        REQUIRE(orrery_get_output(model, 0, &result) == ORRERY_OK);
        CHECK(out[0] == Approx(std::tan(0.1 + 0.4 + 0.9)));
        CHECK(out[1] == Approx(std::tan(1.6 + 2.5 + 3.6)));
        DLTensor view;
        REQUIRE(orrery_view_output(model, 0, &view) == ORRERY_OK);
        CHECK(static_cast<float*>(view.data)[1] == out[1]);
    }
    DLTensor wrong = tensor_of(rows, out_shape, 1);
    CHECK(orrery_set_input(model, 0, &wrong) == ORRERY_BAD_TENSOR);
    wrong = tensor_of(rows, in_shape, 2);
    wrong.dtype.bits = 64;
    CHECK(orrery_set_input(model, 0, &wrong) == ORRERY_BAD_TENSOR);
    wrong.dtype.bits = 32;
    wrong.device.device_type = kDLCUDA;
    CHECK(orrery_set_input(model, 0, &wrong) == ORRERY_BAD_TENSOR);
    CHECK(std::strlen(orrery_last_error()) > 0);
    orrery_free(model);
}

TEST_CASE("a module's weights are read where the file is mapped", "[llvm][module]") {
    const Folder folder;
    const fs::path path = folder.path / "model.so";
    const std::vector<KernelObject> objects = sample_objects();
    const std::vector<std::byte> large(std::size_t{64} << 20, std::byte{1}); // beside those that the plan names
    const runtime::Bytes constants[] = {std::as_bytes(std::span(kWeights)), large};
    const auto blob = runtime::write_module(sample_plan(objects[1].workspace_bytes), constants);
    const Result<void> linked = link_module(objects, blob, llvm_backend().host(), path);
    if (!linked) FAIL(to_string(linked.error()));
    const auto own_kilobytes = [] { // what no other process can share
        std::ifstream status("/proc/self/status");
        std::string word;
        while (status >> word && word != "RssAnon:") {}
        long long kilobytes = -1;
        status >> kilobytes;
        return kilobytes;
    };
    const long long before = own_kilobytes();
    REQUIRE(before > 0);
    orrery_model *first = nullptr, *second = nullptr;
    REQUIRE(orrery_load(path.c_str(), 1, &first) == ORRERY_OK);
    REQUIRE(orrery_load(path.c_str(), 1, &second) == ORRERY_OK);
    CHECK(own_kilobytes() - before < 16 << 10);
    float rows[6] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f};
    std::int64_t shape[2] = {2, 3};
    const DLTensor input = tensor_of(rows, shape, 2);
    for (orrery_model* model : {first, second}) {
        REQUIRE(orrery_set_input(model, 0, &input) == ORRERY_OK);
        REQUIRE(orrery_run(model) == ORRERY_OK);
        DLTensor view;
        REQUIRE(orrery_view_output(model, 0, &view) == ORRERY_OK);
        CHECK(static_cast<float*>(view.data)[1] == Approx(std::tan(1.6 + 2.5 + 3.6)));
        orrery_free(model);
    }
}

TEST_CASE("a module with a damaged blob, or without its kernels, does not load", "[llvm][module]") {
    const Folder folder;
    const std::vector<KernelObject> objects = sample_objects();
    std::vector<std::byte> blob = sample_blob(objects);
    orrery_model* model = nullptr;
    const fs::path lacking = folder.path / "lacking.so";
    REQUIRE(link_module(std::span(objects).first(1), blob, llvm_backend().host(), lacking));
    CHECK(orrery_load(lacking.c_str(), 1, &model) == ORRERY_BAD_MODULE);
    blob[50] ^= std::byte(1);
    const fs::path damaged = folder.path / "damaged.so";
    REQUIRE(link_module(objects, blob, llvm_backend().host(), damaged));
    CHECK(orrery_load(damaged.c_str(), 1, &model) == ORRERY_BAD_MODULE);
    const fs::path no_library = folder.path / "text.so";
    REQUIRE(write_file(no_library, "not a library"));
    CHECK(orrery_load(no_library.c_str(), 1, &model) == ORRERY_BAD_MODULE);
    CHECK(model == nullptr);
}

TEST_CASE("linking fails with the linker's words", "[llvm][module]") {
    const Folder folder;
    const std::vector<KernelObject> objects = sample_objects();
    std::vector<KernelObject> broken = objects;
    broken[0].object = "no object";
    Result<void> linked = link_module(broken, sample_blob(objects), llvm_backend().host(), folder.path / "x.so");
    REQUIRE_FALSE(linked);
    CHECK(linked.error().code == Code::ProcessFailed);
    linked = link_module(objects, sample_blob(objects), llvm_backend().host(), folder.path / "absent" / "x.so");
    REQUIRE_FALSE(linked);
    CHECK(linked.error().code == Code::FileUnwritable);
}
