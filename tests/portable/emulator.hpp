#pragma once
// Runs compiled models on emulated processors and counts what they execute.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/session/compiler.hpp"
#include "tests/portable/machines.hpp"

#include <map>
#include <string>
#include <vector>

namespace orrery::portable {

/// The program missing for emulating this machine: of qemu-user, of LLVM, or the linker. Empty when all are there.
[[nodiscard]] std::string missing_for(const Machine& machine);

struct EmulatedRun {
    std::vector<NDArray> outputs;
    std::map<std::string, std::int64_t>
        executed; ///< instructions by name, some 50 of reading and writing arrays among them
    [[nodiscard]] std::int64_t instructions() const;
    /// Of those whose name begins so.
    [[nodiscard]] std::int64_t count(std::string_view begin) const;
};

/// Links the model's kernels with a start that reads constants and inputs, calls them in order on one thread and
/// writes the outputs: a static program that needs no library. Its instructions are counted from the emulator's log of
/// blocks of code it translated and ran, which is the same every time.
/// Pre: nothing is missing for the machine; the model is static, made for it.
[[nodiscard]] Result<EmulatedRun> emulate(const session::CompiledModel& model, const std::vector<NDArray>& inputs,
                                          const Machine& machine);

} // namespace orrery::portable
