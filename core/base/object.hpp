#pragma once
// The reference-counted base of every immutable IR node, and its handle.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace orrery {

/// Base of all shared immutable nodes. The count is intrusive so that a rewriter can turn the
/// node it was given back into a handle (`Ref<const Node>(&node)`).
/// Thread: counting is atomic; a node is never changed after it is shared.
class Object {
  public:
    Object() = default;
    Object(const Object&) noexcept {}
    Object& operator=(const Object&) = delete;
    virtual ~Object() = default;

    void acquire() const noexcept { count_.fetch_add(1, std::memory_order_relaxed); }
    /// Frees the node with its last handle. Chains of any depth are freed without recursion.
    void release() const noexcept;
    [[nodiscard]] bool unique() const noexcept { return count_.load(std::memory_order_acquire) == 1; }

  private:
    mutable std::atomic<std::uint32_t> count_{0};
};

/// A handle that shares a node. Null by default; compared by identity.
template <class T> class Ref {
  public:
    Ref() = default;
    Ref(std::nullptr_t) {}
    explicit Ref(T* node) : node_(node) {
        if (node_) node_->acquire();
    }
    Ref(const Ref& other) : Ref(other.node_) {}
    Ref(Ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    template <class U>
    requires std::is_convertible_v<U*, T*> Ref(const Ref<U>& other) : Ref(static_cast<T*>(other.get())) {}
    ~Ref() {
        if (node_) node_->release();
    }

    Ref& operator=(Ref other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }

    [[nodiscard]] T* get() const { return node_; }
    T* operator->() const { return node_; }
    T& operator*() const { return *node_; }
    explicit operator bool() const { return node_ != nullptr; }
    friend bool operator==(const Ref& a, const Ref& b) { return a.node_ == b.node_; }
    friend bool operator==(const Ref& a, std::nullptr_t) { return a.node_ == nullptr; }
    friend auto operator<=>(const Ref& a, const Ref& b) { return a.node_ <=> b.node_; }

  private:
    T* node_ = nullptr;
};

/// Allocates a node and returns the first handle to it.
template <class T, class... Args> Ref<T> make_ref(Args&&... args) {
    return Ref<T>(new std::remove_const_t<T>(std::forward<Args>(args)...));
}

} // namespace orrery

template <class T> struct std::hash<orrery::Ref<T>> {
    std::size_t operator()(const orrery::Ref<T>& ref) const noexcept { return std::hash<const void*>()(ref.get()); }
};
