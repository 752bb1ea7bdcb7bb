#include "core/schedule/reuse.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

bool packs(const ElementBlock& producer, const ElementBlock& consumer) {
    if (consumer.iters.empty()) return false;
    const VarRef& lane = consumer.iters.back();
    LoadCollector read, copied;
    read.visit(consumer.value);
    copied.visit(producer.value);
    for (const Load* load : read.loads) {
        if (load->buffer != producer.buffer || !vector_access(load->indices, lane)) continue;
        VarMap at;
        for (std::size_t d = 0; d < producer.iters.size(); ++d) at[producer.iters[d]] = load->indices[d];
        for (const Load* from : copied.loads) {
            std::vector<Expr> indices;
            for (const Expr& index : from->indices) indices.push_back(substitute(index, at));
            if (!vector_access(indices, lane)) return true;
        }
    }
    return false;
}

bool read_once(const ElementBlock& consumer, const Buffer& buffer, const ExprCost& cost) {
    constexpr int kMostOperations = 16; // our choice: of a chain, each of whose links may double it
    LoadCollector collector;
    collector.visit(consumer.value);
    const Load* first = nullptr;
    int times = 0;
    for (const Load* load : collector.loads) {
        if (load->buffer != buffer) continue;
        if (first && !std::ranges::equal(load->indices, first->indices,
                                         [](const Expr& a, const Expr& b) { return structural_equal(a, b); }))
            return false;
        first = load;
        ++times;
    }
    return times < 2 || (cost.transcendental == 0 && cost.operations + cost.selects <= kMostOperations);
}

bool repeats(const Block& block, const ElementBlock& consumer, const Buffer& buffer) {
    LoadCollector collector;
    collector.visit(consumer.value);
    for (const Load* load : collector.loads) {
        if (load->buffer != buffer) continue;
        for (const BlockIter& iter : block.fields.iters) {
            const bool used = std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
            if (!used && extent_of(iter.extent) > 1) return true;
        }
    }
    return false;
}

} // namespace orrery::schedule
