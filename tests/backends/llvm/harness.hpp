#pragma once
// Runs tensor programs through the backend and beside the interpreter.

#include "backends/llvm/llvm_backend.hpp"
#include "core/base/ndarray.hpp"
#include "core/runtime/thread_pool.hpp"
#include "core/target/backend.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace orrery::testing {

inline const Backend& llvm_backend() {
    static const std::unique_ptr<Backend> backend = make_llvm_backend();
    return *backend;
}

inline tensor::Program parsed(const std::string& text) {
    Result<tensor::Program> program = tensor::parse_program(text);
    if (!program) FAIL(to_string(program.error()) << "\n" << text);
    return *program;
}

/// Values of every kind a dtype has: mostly small numbers, for floats now and then a special one.
inline NDArray random_array(DType dtype, const Shape& shape, std::mt19937_64& random, bool special = false) {
    NDArray out = NDArray::allocate(dtype, shape);
    for (std::int64_t i = 0; i < out.size(); ++i) {
        const auto draw = static_cast<std::int64_t>(random() % 2001) - 1000;
        if (is_float(dtype)) {
            double v = static_cast<double>(draw) / 250.0;
            if (special && random() % 16 == 0) {
                const double specials[] = {0.0, -0.0, 1e30, -1e30, 1e-40, INFINITY, -INFINITY, NAN};
                v = specials[random() % 8];
            }
            out.set(i, v);
        } else if (dtype == DType::Bool) {
            out.set_int(i, draw & 1);
        } else {
            out.set_int(i, special && random() % 8 == 0 ? static_cast<std::int64_t>(random()) : draw % 100);
        }
    }
    return out;
}

/// The program's parameters with random inputs; outputs hold what neither side writes.
inline std::vector<NDArray> random_args(const tensor::Program& program, std::uint64_t seed, bool special = false) {
    std::mt19937_64 random(seed);
    std::vector<NDArray> args;
    for (std::size_t i = 0; i < program->params.size(); ++i) {
        const tensor::Buffer& buffer = program->params[i];
        args.push_back(i < program->input_count ? random_array(buffer->dtype, buffer->static_shape(), random, special)
                                                : NDArray::zeros(buffer->dtype, buffer->static_shape()));
    }
    return args;
}

inline std::vector<NDArray> copies(const std::vector<NDArray>& arrays) {
    std::vector<NDArray> out;
    for (const NDArray& a : arrays) out.push_back(NDArray::copy_of(a.dtype(), a.shape(), a.data(), a.bytes()));
    return out;
}

/// A compiled kernel with the memory it needs.
class Compiled {
  public:
    explicit Compiled(const tensor::Program& program, const BuildOptions& options = {},
                      const Target& target = llvm_backend().host()) {
        Result<KernelObject> object = llvm_backend().compile(program, target, options, {});
        if (!object) FAIL(to_string(object.error()) << "\n" << tensor::to_string(program));
        compile_ms = object->compile_ms;
        workspace_bytes = object->workspace_bytes;
        const KernelObject objects[] = {*std::move(object)};
        Result<std::shared_ptr<const LoadedCode>> loaded = llvm_backend().load(objects);
        if (!loaded) FAIL(to_string(loaded.error()));
        code_ = *loaded;
        kernel_ = code_->find(program->name);
        REQUIRE(kernel_ != nullptr);
        workspace_ = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(workspace_bytes) + 1});
    }

    void run(std::vector<NDArray>& args, runtime::ThreadPool& pool) {
        std::vector<void*> pointers;
        for (NDArray& array : args) pointers.push_back(array.mutable_data());
        pointers.push_back(workspace_bytes == 0 ? nullptr : workspace_.mutable_data());
        kernel_(pointers.data(), pool.context());
    }
    void run(std::vector<NDArray>& args) {
        runtime::ThreadPool alone(1);
        run(args, alone);
    }

    double compile_ms = 0;
    std::size_t workspace_bytes = 0;

  private:
    std::shared_ptr<const LoadedCode> code_;
    orrery_kernel kernel_ = nullptr;
    NDArray workspace_;
};

/// How far compiled results may be from the interpreter's, relative to the largest; 0: every bit.
struct Agreement {
    double tolerance = 0;
    std::uint64_t seed = 1;
    bool special = false;
    BuildOptions options = {.contract = false};
    std::optional<Target> target = std::nullopt;
};

inline void check_program(const tensor::Program& program, const Agreement& agreement = {}) {
    std::vector<NDArray> expected = random_args(program, agreement.seed, agreement.special);
    std::vector<NDArray> actual = copies(expected);
    const Result<void> ran = tensor::interpret(program, expected);
    if (!ran) FAIL(to_string(ran.error()));
    Compiled compiled(program, agreement.options, agreement.target.value_or(llvm_backend().host()));
    compiled.run(actual);
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const Difference d = compare(actual[i], expected[i]);
        if (d.max_abs == 0 || (agreement.tolerance > 0 && d.max_rel <= agreement.tolerance)) continue;
        FAIL("buffer " << program->params[i]->name << " at " << d.worst_index << ": " << d.actual << ", not "
                       << d.expected << "\n"
                       << tensor::to_string(program));
    }
    SUCCEED();
}

inline void check_text(const std::string& text, const Agreement& agreement = {}) {
    check_program(parsed(text), agreement);
}

} // namespace orrery::testing
