#pragma once
// Kernels that behave, and such that do not.

#include "backends/llvm/llvm_backend.hpp"
#include "core/tensor/text.hpp"
#include "core/tuning/measurer.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace orrery::tuning_test {

inline tensor::Program program(const std::string& name, const std::string& statement) {
    return tensor::parse_program("fn " + name + "(x: f32[64]) -> (y: f32[64]) {\nfor i in 64 { " + statement + " }\n}")
        .value();
}
inline tensor::Program doubles() { return program("doubles", "y[i] = x[i] * 2.0"); }
inline tensor::Program triples() { return program("triples", "y[i] = x[i] * 3.0"); }
/// Writes some terabytes beyond its result.
inline tensor::Program crashes() { return program("crashes", "y[i + 1000000000000] = x[i]"); }
/// Some hours of additions, each waiting for the one before.
inline tensor::Program hangs() {
    return program("hangs", "y[i] = x[i]\nfor t in 20000000000000 { y[i] = y[i] * x[i] + 1.0 }");
}
/// Adds to what lies where its result goes.
inline tensor::Program forgets() { return program("forgets", "y[i] = y[i] + x[i] * 2.0"); }

inline const std::shared_ptr<const Backend>& backend() {
    static const std::shared_ptr<const Backend> one = make_llvm_backend();
    return one;
}

/// Few runs: what tests ask is not how fast something is.
inline tuning::RunRequest request_for(const tensor::Program& what) {
    tuning::RunRequest request;
    request.object = backend()->compile(what, backend()->host(), {}, {}).value();
    request.arguments = tuning::arguments_of(what);
    request.warm_up_seconds = 0, request.seconds = 0, request.least_runs = request.most_runs = 3;
    request.want_outputs = true;
    return request;
}

/// A folder of the test's own, gone at its end.
struct Folder {
    std::filesystem::path path;
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "orrery-test-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
};

} // namespace orrery::tuning_test
