// Rows of what is sampled: operands that a search decides, documented beside the primitives.

#include "core/schedule/catalog.hpp"
#include "core/schedule/knobs.hpp"

namespace orrery::schedule {

using tensor::Program;

namespace {

Result<Rewritten> is_an_operand(const Program& program, Args&) {
    return Diagnostic{Code::BadArgument,
                      "a sample is an operand of another step, not a step",
                      {ProgramPlace{program->name, ""}},
                      "write it where the number or the loop stands"};
}
Candidates nowhere(const MenuPlace&) { return {}; }

/// A sample is documented like a primitive.
template <class... Texts> CatalogRow sample_row(std::string name, std::vector<ArgInfo> args, const Texts&... texts) {
    CatalogRow row{info(std::move(name), std::move(args), texts...), is_an_operand, nowhere};
    row.info.sampling = true;
    return row;
}

} // namespace

std::vector<CatalogRow> sample_rows() {
    return {
        sample_row("sample_perfect_tile",
                   {{"name", ArgKind::Text}, {"parts", ArgKind::Integer}, {"max innermost", ArgKind::Integer}},
                   "Stands for the factors of a split whose product is the loop's extent. The decision, once drawn, is "
                   "its last operand.",
                   "1 to 8 parts; some factorization has an innermost factor of at most the limit.",
                   "split(conv.oc, sample_perfect_tile(t0, 2, 16))",
                   "split(conv.oc, sample_perfect_tile(t0, 2, 16, [8, 8]))"),
        sample_row("sample_categorical",
                   {{"name", ArgKind::Text}, {"candidate", ArgKind::Numbers}, {"weight", ArgKind::Numbers}},
                   "Stands for a number drawn from candidates with weights. knob(name, [candidate, ...]) is the same "
                   "with even weights.",
                   "one weight a candidate, not all 0.",
                   "split(conv.oc, [-1, sample_categorical(t1, [4, 8, 16], [1, 2, 1])])",
                   "split(conv.oc, [-1, sample_categorical(t1, [4, 8, 16], [1, 2, 1], 8)])"),
        sample_row("sample_compute_location", {{"name", ArgKind::Text}},
                   "Stands for the loop of a compute_at: one at which the block can be computed.",
                   "there is such a loop.", "compute_at(pad, sample_compute_location(l0))",
                   "compute_at(pad, sample_compute_location(l0, conv.h))"),
    };
}

} // namespace orrery::schedule
