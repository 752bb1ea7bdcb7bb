#include "core/schedule/matching.hpp"

#include "core/schedule/accesses.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

std::optional<std::vector<LoopChange>> changes_for(const std::vector<Expr>& indices, const ElementBlock& user,
                                                   const Shape& made) {
    const Shape shape = user.buffer->static_shape();
    std::vector<LoopChange> changes;
    std::size_t d = 0, loop = 0;
    while (d < indices.size()) {
        if (loop == shape.size()) return std::nullopt;
        const Expr here = user.iters[loop];
        if (indices[d].get() == here.get()) {
            if (shape[loop] > made[d]) return std::nullopt;
            ++d;
            ++loop;
        } else if (loop + 1 < shape.size() &&
                   constant_difference(indices[d], here * shape[loop + 1] + Expr(user.iters[loop + 1])) == 0) {
            changes.push_back({loop, 0});
            ++d;
            loop += 2;
        } else if (d + 1 < indices.size() && structural_equal(indices[d], floor_div(here, imm(made[d + 1]))) &&
                   structural_equal(indices[d + 1], floor_mod(here, imm(made[d + 1])))) {
            changes.push_back({loop, made[d + 1]});
            d += 2;
            ++loop;
        } else {
            return std::nullopt;
        }
    }
    return loop == shape.size() ? std::optional(std::move(changes)) : std::nullopt;
}

} // namespace

std::optional<std::vector<LoopChange>> matching_loops(const ElementBlock& user, const ElementBlock& made) {
    LoadCollector collector;
    collector.visit(user.value);
    std::optional<std::vector<LoopChange>> found;
    for (const Load* load : collector.loads) {
        if (load->buffer != made.buffer) continue;
        std::optional<std::vector<LoopChange>> changes = changes_for(load->indices, user, made.buffer->static_shape());
        if (!changes || (found && *found != *changes)) return std::nullopt;
        found = std::move(changes);
    }
    return found;
}

} // namespace orrery::schedule
