#include "core/transform/channel_shuffle.hpp"

#include "core/transform/rule_rewriter.hpp"

#include <numeric>

namespace orrery::transform {

using graph::CallOp;
using graph::Ints;
using graph::Var;

namespace {

const CallOp* call_of(const Var& var, const char* name, const ValueOf& value_of) {
    const graph::Expr value = var ? value_of(var) : graph::Expr();
    const auto* call = value ? graph::as<CallOp>(value) : nullptr;
    return call && call->op.name == name ? call : nullptr;
}

std::int64_t product(const Shape& shape, std::size_t first, std::size_t last) {
    std::int64_t all = 1;
    for (std::size_t d = first; d < last; ++d) all *= shape[d];
    return all;
}

/// The first of two neighbouring axes that change places, where nothing else does.
std::optional<std::size_t> swapped(const Ints& perm) {
    for (std::size_t d = 0; d + 1 < perm.size(); ++d) {
        if (perm[d] == static_cast<std::int64_t>(d)) continue;
        Ints back = perm;
        std::swap(back[d], back[d + 1]);
        for (std::size_t i = 0; i < back.size(); ++i)
            if (back[i] != static_cast<std::int64_t>(i)) return std::nullopt;
        return d;
    }
    return std::nullopt;
}

} // namespace

std::optional<ChannelShuffle> channel_shuffle(const Var& x, const ValueOf& value_of) {
    const CallOp* back = call_of(x, "reshape", value_of);
    const CallOp* turned = back ? call_of(back->args[0], "transpose", value_of) : nullptr;
    const CallOp* parts = turned ? call_of(turned->args[0], "reshape", value_of) : nullptr;
    if (!parts) return std::nullopt;
    const std::optional<Shape> from = shape_of(parts->args[0]), to = shape_of(x), cut = shape_of(turned->args[0]);
    const std::optional<std::size_t> axis = swapped(turned->attrs.ints("perm"));
    if (!from || !cut || from->size() != 4 || from != to || !axis) return std::nullopt;
    if (product(*cut, 0, *axis) != (*from)[0] || (*cut)[*axis] * (*cut)[*axis + 1] != (*from)[1]) return std::nullopt;
    return ChannelShuffle{parts->args[0], (*cut)[*axis], {}};
}

std::optional<ChannelShuffle> shuffle_read(const Var& x, const ValueOf& value_of) {
    const CallOp* cast = call_of(x, "cast", value_of);
    std::optional<ChannelShuffle> shuffle = channel_shuffle(cast ? cast->args[0] : x, value_of);
    if (shuffle && cast) shuffle->cast = value_of(x);
    return shuffle;
}

Var shuffled(const Var& x, std::size_t axis, std::int64_t parts, const Emit& emit) {
    const Shape shape = *shape_of(x);
    Shape cut = shape;
    cut[axis] /= parts;
    cut.insert(cut.begin() + static_cast<std::ptrdiff_t>(axis), parts);
    Ints perm(cut.size());
    std::iota(perm.begin(), perm.end(), 0);
    std::swap(perm[axis], perm[axis + 1]);
    const Var apart = emit(make_call("reshape", {x}, {{"shape", cut}}));
    const Var turned = emit(make_call("transpose", {apart}, {{"perm", perm}}));
    return emit(make_call("reshape", {turned}, {{"shape", shape}}));
}

} // namespace orrery::transform
