#pragma once
// Internal to core/schedule: a trace while rules write it, and what they ask of the program it has made so far.

#include "core/schedule/element_block.hpp"
#include "core/schedule/trace.hpp"
#include "core/target/target.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orrery::schedule {

/// What rules have written so far.
struct Draft {
    Draft(tensor::Program start, const Target& machine)
        : program(std::move(start)), programs{program}, target(machine) {}

    tensor::Program program;
    std::vector<tensor::Program> programs; ///< after each step of the trace, from none on
    const Target& target;
    Trace trace;
    std::set<std::string> done; ///< blocks that need no rule any more
};

/// The base of rules: all work on one draft.
class TraceWriter {
  public:
    explicit TraceWriter(Draft& draft)
        : draft_(draft), program_(draft.program), programs_(draft.programs), target_(draft.target), trace_(draft.trace),
          done_(draft.done) {}

  protected:
    /// Appends the step when it is legal.
    bool step(const std::string& primitive, std::vector<Arg> args);
    /// The draft as it was, to take steps back.
    struct Mark {
        tensor::Program program;
        std::size_t steps = 0;
    };
    [[nodiscard]] Mark mark() const { return {program_, trace_.steps.size()}; }
    void take_back(const Mark& to);
    /// Calls `rule`; where that returns false its steps are taken back, and no block is done that was not.
    template <class Rule> bool or_nothing(const Rule& rule) {
        const Mark before = mark();
        const std::set<std::string> done = done_;
        if (rule()) return true;
        take_back(before);
        done_ = done;
        return false;
    }

    [[nodiscard]] std::vector<std::string> block_names() const;
    /// Null for none.
    [[nodiscard]] const tensor::Block* find(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> loop_names(const std::string& block) const;
    [[nodiscard]] std::vector<std::int64_t> loop_extents(const std::string& block) const;
    [[nodiscard]] bool is_param(const tensor::Buffer& buffer) const;
    [[nodiscard]] std::optional<ElementBlock> element(const tensor::Block& block) const;
    [[nodiscard]] std::vector<const tensor::Block*> readers_of(const tensor::Buffer& buffer,
                                                               const tensor::Block& but) const;
    /// The block that uses a reduction's result element by element, in a nest of its own; empty when there is none.
    [[nodiscard]] std::string epilogue_of(const tensor::Block& block, const ElementBlock& reduction) const;
    /// The block that copies into a buffer which this one alone reads; empty when there is none.
    [[nodiscard]] std::string copy_for(const std::string& name) const;
    /// Whether no other block is in its loops.
    [[nodiscard]] bool owns_nest(const std::string& name) const;
    /// Loops around a block before the first one a reduction iterator is bound to.
    [[nodiscard]] std::size_t spatial_prefix(const tensor::Block& block) const;
    [[nodiscard]] double work_of(const std::string& name) const;
    /// Makes one parallel loop of the first `count` loops around a block, when there is enough to do; of fewer, but at
    /// least `least`, where these are pieces enough for all cores.
    void spread_outer(const std::string& name, std::size_t count, double work, std::size_t least = 0);

    // NOLINTBEGIN(cppcoreguidelines-non-private-member-variables-in-classes): rules are written over them
    Draft& draft_;
    tensor::Program& program_;
    std::vector<tensor::Program>& programs_;
    const Target& target_;
    Trace& trace_;
    std::set<std::string>& done_;
    // NOLINTEND(cppcoreguidelines-non-private-member-variables-in-classes)
};

[[nodiscard]] bool reduces(const tensor::Block& block);
/// The buffer a block stores to; null when its body is more than a store.
[[nodiscard]] tensor::Buffer element_of(const tensor::Block& block);

} // namespace orrery::schedule
