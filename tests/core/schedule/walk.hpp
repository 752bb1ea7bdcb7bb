#pragma once
// A walk: random primitives with random operands on one program, with undo and redo, every accepted step checked by
// running the program.

#include "core/base/ndarray.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace orrery::schedule::test {

struct WalkCounts {
    std::map<std::string, int> accepted, refused; ///< by primitive
    int steps = 0, undone = 0, redone = 0, compiled = 0;
};

/// What a walk did wrong; empty when nothing.
struct WalkFailure {
    std::string what;
    Trace trace; ///< up to and with the step that went wrong
};

class Walk {
  public:
    Walk(tensor::Program program, std::uint64_t seed, bool compile);
    /// Takes `length` steps, then undoes all. Empty `what` when all was well.
    WalkFailure run(int length, WalkCounts& counts);

  private:
    TraceStep draw_step();
    TraceStep draw_suggested();
    Arg draw_arg(const ArgInfo& info, const std::string& block);
    std::string draw_block();
    std::vector<std::string> loops_of(const std::string& block) const;
    Trace shrunk();
    std::string check(const tensor::Program& program, WalkCounts& counts);
    std::string compare_with(const std::vector<NDArray>& args, const char* how) const;
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

    tensor::Program original_;
    std::vector<tensor::Program> states_; ///< states_[i] after i steps of trace_
    Trace trace_;
    std::mt19937_64 random_;
    bool compile_;
    std::vector<NDArray> inputs_, expected_;
};

} // namespace orrery::schedule::test
