#pragma once
// Two versions of a tensor program as texts to be compared.

#include "core/tensor/text.hpp"
#include "views/model/text_diff.hpp"

#include <vector>

namespace orrery::views {

[[nodiscard]] DiffText diff_text(const tensor::PrintedProgram& program);
/// Lines whose statement is the very same in both programs stand for each other: a schedule step shares what it leaves
/// alone. Indices of lines from 0, rising on both sides.
[[nodiscard]] std::vector<SequencePair> shared_statements(const tensor::PrintedProgram& before,
                                                          const tensor::PrintedProgram& after);

} // namespace orrery::views
