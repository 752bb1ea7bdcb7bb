#include "core/base/object.hpp"

#include <vector>

namespace orrery {

void Object::release() const noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // Deleting a node releases its children; a worklist instead of recursion keeps the stack flat however deep the
    // chain. The outermost release holds the list, so that handles released when a thread or the program ends find
    // nothing destroyed.
    thread_local std::vector<const Object*>* outer = nullptr;
    if (outer) {
        outer->push_back(this);
        return;
    }
    std::vector<const Object*> pending;
    outer = &pending;
    const Object* next = this;
    while (true) {
        delete next;
        if (pending.empty()) break;
        next = pending.back();
        pending.pop_back();
    }
    outer = nullptr;
}

} // namespace orrery
