#pragma once
// How much of what a model becomes leads back to the model: measured, level by level.

#include "core/session/compiler.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace orrery::session {

/// Lines of program text inside kernels, and those of them that lead to at least one node of the model.
struct LinkedLines {
    std::size_t lines = 0, linked = 0;
    [[nodiscard]] double share() const {
        return lines == 0 ? 1 : static_cast<double>(linked) / static_cast<double>(lines);
    }
    LinkedLines& operator+=(const LinkedLines& other);
};

struct Provenance {
    struct Row {
        std::string function;
        LinkedLines tensor, ir, assembly;
    };
    std::vector<Row> rows;            ///< one a distinct kernel, in order of execution
    LinkedLines tensor, ir, assembly; ///< of all rows
    std::size_t regions = 0;          ///< computed by another backend: they have no text, and are left out
};

/// Of the printed tensor program every line counts. Of LLVM IR and assembly every instruction counts, labels do not.
[[nodiscard]] Provenance::Row provenance_of(const ScheduledFunction& function, const FunctionCode& code);
/// Of every kernel of a static model. Errors: those of generating code; Cancelled.
[[nodiscard]] Result<Provenance> provenance(Compiler& compiler, const Recipe& recipe,
                                            const std::vector<FunctionPtr>& functions, const Progress& progress);

} // namespace orrery::session
