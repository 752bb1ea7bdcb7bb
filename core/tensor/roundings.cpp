#include "core/base/narrow.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::tensor {

namespace {

class FindRoundings final : public Visitor {
  public:
    double unit = 0;

  protected:
    using Visitor::visit_node;
    void visit_node(const Store& store) override {
        constexpr double kSum = 8; // our choice: what some hundred roundings to both sides reach
        stored_ = store.buffer.get();
        adds_up_ = false;
        visit(store.value);
        unit = std::max(unit, unit_of(store.buffer->dtype) * (adds_up_ ? kSum : 1));
    }
    void visit_node(const Load& load) override { adds_up_ = adds_up_ || load.buffer.get() == stored_; }

  private:
    const BufferNode* stored_ = nullptr;
    bool adds_up_ = false; ///< the value stored is made of what was there
};

} // namespace

double rounding_unit(const Program& program) {
    FindRoundings found;
    found.visit(program->body);
    return found.unit;
}

} // namespace orrery::tensor
