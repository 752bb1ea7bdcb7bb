#pragma once
// What a model of the processor's pipeline says about generated code: figures a backend computes without running it.

#include <cstddef>
#include <string>
#include <vector>

namespace orrery {

/// One instruction on its own. Loads are taken to hit the nearest cache.
struct InstructionCost {
    int micro_ops = 0;     ///< 0 for lines that are no instruction
    int latency = 0;       ///< from operands to result. Units: cycles
    double throughput = 0; ///< between two independent ones. Units: cycles
    bool loads = false, stores = false;
    bool stack = false; ///< reads or writes the function's own frame: a spilled value, mostly
};

/// A resource of the processor that instructions compete for.
struct PortUse {
    std::string name;  ///< the model's own, "Zn4FP0"
    double cycles = 0; ///< busy in one iteration, shared evenly among equal units
};

enum class LoopBound { Unknown, Ports, Dispatch, Dependence };

/// A loop of the assembly, found by its jump back.
struct LoopCost {
    std::size_t first = 0, last = 0; ///< lines of the listing: the label, and the last jump back to it
    std::size_t path_end = 0;        ///< the first jump back: an iteration is taken to run from `first` to here
    int depth = 0;                   ///< loops around it
    bool innermost = false;          ///< what follows is known of innermost loops only
    double cycles = 0;               ///< an iteration in a long run
    double latency = 0;              ///< one iteration alone. Units: cycles
    int instructions = 0, micro_ops = 0;
    int vector_bits = 0;        ///< widest register written or read
    int registers = 0;          ///< distinct vector registers
    int stack = 0;              ///< instructions that read or write the function's own frame
    std::vector<PortUse> ports; ///< busiest first, those with any use
    LoopBound bound = LoopBound::Unknown;
    double bound_cycles = 0; ///< of what bounds it; `cycles` is no less
};

struct CodeCost {
    std::string cpu;
    int dispatch_width = 0;                    ///< micro-operations a cycle
    std::vector<InstructionCost> instructions; ///< one a line of the assembly; empty when nothing is known
    std::vector<LoopCost> loops;               ///< in order of lines, outer before inner
    std::string unknown;                       ///< why there is nothing; empty otherwise
};

/// "12.0 cycles an iteration, bound by Zn4FP0 (12.0)".
[[nodiscard]] std::string describe(const LoopCost& loop, const CodeCost& cost);

} // namespace orrery
