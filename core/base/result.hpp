#pragma once
// A value or the Diagnostic that says why there is none; the names follow std::expected.

#include "core/base/check.hpp"
#include "core/base/diagnostic.hpp"

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace orrery {

template <class T> class [[nodiscard]] Result {
  public:
    using value_type = T;
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    template <class U>
    requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, T> && !std::is_same_v<std::remove_cvref_t<U>, Diagnostic>)
        Result(U&& value)
        : state_(std::in_place_index<0>, std::forward<U>(value)) {}
    Result(Diagnostic error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }
    /// Pre: has_value(); a broken invariant otherwise.
    T& value() & { return require(), std::get<0>(state_); }
    const T& value() const& { return require(), std::get<0>(state_); }
    T&& value() && { return require(), std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    /// Pre: !has_value().
    Diagnostic& error() { return std::get<1>(state_); }
    const Diagnostic& error() const { return std::get<1>(state_); }

    template <class F> auto and_then(F&& next) && -> std::invoke_result_t<F, T&&> {
        if (has_value()) return std::forward<F>(next)(std::get<0>(std::move(state_)));
        return std::get<1>(std::move(state_));
    }
    template <class F> auto transform(F&& map) && -> Result<std::invoke_result_t<F, T&&>> {
        if (has_value()) return std::forward<F>(map)(std::get<0>(std::move(state_)));
        return std::get<1>(std::move(state_));
    }

  private:
    void require() const {
        if (!has_value()) fail_internal("Result has a value", to_string(std::get<1>(state_)));
    }
    std::variant<T, Diagnostic> state_;
};

/// Success with nothing to say, or the Diagnostic.
template <> class [[nodiscard]] Result<void> {
  public:
    using value_type = void;
    Result() = default;
    Result(Diagnostic error) : error_(std::move(error)) {}
    [[nodiscard]] bool has_value() const { return !error_; }
    explicit operator bool() const { return has_value(); }
    Diagnostic& error() { return *error_; }
    const Diagnostic& error() const { return *error_; }

  private:
    std::optional<Diagnostic> error_;
};

} // namespace orrery

#define ORRERY_CONCAT_(a, b) a##b
#define ORRERY_CONCAT(a, b) ORRERY_CONCAT_(a, b)
/// ORRERY_TRY(auto x, f()): declares x from the value, or returns the error from this function.
#define ORRERY_TRY(declaration, expression)                                                                            \
    auto ORRERY_CONCAT(result_, __LINE__) = (expression);                                                              \
    if (!ORRERY_CONCAT(result_, __LINE__)) return std::move(ORRERY_CONCAT(result_, __LINE__).error());                 \
    declaration = *std::move(ORRERY_CONCAT(result_, __LINE__))
/// ORRERY_CHECK_OK(f()): returns the error of a Result<void> from this function.
#define ORRERY_CHECK_OK(expression)                                                                                    \
    do {                                                                                                               \
        auto result_ = (expression);                                                                                   \
        if (!result_) return std::move(result_.error());                                                               \
    } while (false)
