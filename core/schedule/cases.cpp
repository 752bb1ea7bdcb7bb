#include "core/schedule/cases.hpp"

#include "core/schedule/accesses.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <map>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// Conditions that say which row of a small matrix an element is: of which remainder of an iterator, or place in
/// it, they are, by iterator.
class CaseFinder final : public Visitor {
  public:
    std::map<const Var*, std::int64_t> periods; ///< 0 for the iterator itself

  protected:
    using Visitor::visit_node;
    void visit_node(const Select& node) override {
        const Binary* test = as<Binary>(node.condition);
        if (test && test->op == BinaryOp::Eq && as_int(test->b)) {
            if (const Var* iter = as<Var>(test->a)) periods[iter] = 0;
            const Binary* rest = as<Binary>(test->a);
            const Var* whole = rest && rest->op == BinaryOp::FloorMod ? as<Var>(rest->a) : nullptr;
            if (whole && as_int(rest->b)) periods[whole] = *as_int(rest->b);
        }
        Visitor::visit_node(node);
    }
};

} // namespace

std::vector<std::int64_t> cases_of(const ElementBlock& store) {
    constexpr std::int64_t kMostCopies = 64; // our choice: some hundred instructions
    CaseFinder finder;
    finder.visit(store.value);
    std::vector<std::int64_t> out;
    std::int64_t copies = 1;
    for (std::size_t d = 0; d < store.iters.size(); ++d) {
        const auto found = finder.periods.find(store.iters[d].get());
        const std::int64_t extent = store.buffer->static_shape()[d];
        out.push_back(found == finder.periods.end() ? 1 : found->second == 0 ? extent : found->second);
        if (__builtin_mul_overflow(copies, out.back(), &copies) || copies > kMostCopies) return {};
    }
    return copies > 1 && out.back() == 1 ? out : std::vector<std::int64_t>{};
}

void widen_cases(std::vector<std::int64_t>& pieces, const ElementBlock& store, const ElementBlock& made) {
    const std::vector<std::int64_t> cases = cases_of(made), shape = store.buffer->static_shape();
    LoadCollector collector;
    collector.visit(store.value);
    for (const Load* load : collector.loads) {
        if (load->buffer != made.buffer) continue;
        for (std::size_t p = 0; p < cases.size(); ++p) {
            const Binary* rest = cases[p] > 1 ? as<Binary>(load->indices[p]) : nullptr;
            const bool remainder = rest && rest->op == BinaryOp::FloorMod && as_int(rest->b);
            const Expr& chooser = remainder ? rest->a : load->indices[p];
            for (std::size_t d = 0; cases[p] > 1 && d < pieces.size(); ++d)
                if (chooser.get() == store.iters[d].get())
                    pieces[d] = std::max(pieces[d], remainder ? *as_int(rest->b) : shape[d]);
        }
    }
}

} // namespace orrery::schedule
