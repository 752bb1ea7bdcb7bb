#pragma once
// Internal to core/tuning: programs compiled on threads of their own, in order, while the first of them are measured.

#include "core/target/backend.hpp"

#include <memory>
#include <vector>

namespace orrery::tuning {

/// Begins at once; what is not taken is given up at the end.
class CompileAhead {
  public:
    struct How {
        const Backend& backend;
        const Target& target;
        const BuildOptions& build;
        int workers = 1;
    };
    CompileAhead(const How& how, std::vector<tensor::Program> programs);
    ~CompileAhead();
    CompileAhead(const CompileAhead&) = delete;
    CompileAhead& operator=(const CompileAhead&) = delete;

    /// Waits for program `index`. Pre: each is taken once. Errors: those of compiling; Cancelled.
    [[nodiscard]] Result<KernelObject> take(std::size_t index, const Progress& progress);
    /// Waits for all. False when it was cancelled.
    bool wait_all(const Progress& progress);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace orrery::tuning
