#include "core/base/object.hpp"

#include <vector>

namespace orrery {

void Object::release() const noexcept {
    if (count_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // Deleting a node releases its children; a worklist instead of recursion keeps the stack flat
    // however deep the chain.
    thread_local std::vector<const Object*> pending;
    thread_local bool draining = false;
    pending.push_back(this);
    if (draining) return;
    draining = true;
    while (!pending.empty()) {
        const Object* next = pending.back();
        pending.pop_back();
        delete next;
    }
    draining = false;
}

} // namespace orrery
