#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace orrery::vta {

/// What kind of refusal an Error is. Tests compare codes, never wording.
enum class ErrorCode {
    BadConfig,     ///< a configuration breaks a legality rule
    BadJson,       ///< text is not JSON, or a key has the wrong type
    UnknownName,   ///< a preset, memory, mnemonic or field name is not known
    BadEncoding,   ///< 128 bits that are no instruction of this configuration
    FieldOverflow, ///< a value does not fit its bit field
    BadSyntax,     ///< assembly text does not parse
    BadFile,       ///< a program file is truncated, corrupt or of another version
    IllegalTile,   ///< a tile does not fit the on-chip memories or the bit fields
    IllegalShape,  ///< a tensor shape the program cannot express
    IllegalKernel, ///< a micro-op kernel breaks a rule of the builder
    OutOfDram,     ///< an access beyond the DRAM image
    Stopped,       ///< whoever asked no longer wants it
};

/// A user's mistake as a value: what is wrong and where (field, line or operand).
struct Error {
    ErrorCode code;
    std::string message;
    std::string where;
};

/// Thrown when an invariant of this library is broken; never for a user's mistake.
class InternalError : public std::logic_error {
  public:
    explicit InternalError(const std::string& what) : std::logic_error(what) {}
};

/// Throws InternalError with the source position unless `condition` holds.
inline void ensure(bool condition, const char* what, std::source_location at = std::source_location::current()) {
    if (!condition) {
        throw InternalError(std::string(at.file_name()) + ":" + std::to_string(at.line()) + ": " + what);
    }
}

/// The value of a Result that only says "it worked".
struct Done {};

/// Either a T or an Error. `value()` on an error is a broken invariant.
template <class T> class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    [[nodiscard]] T& value() & {
        require();
        return std::get<0>(state_);
    }
    [[nodiscard]] const T& value() const& {
        require();
        return std::get<0>(state_);
    }
    [[nodiscard]] T&& value() && {
        require();
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    /// Pre: !has_value().
    [[nodiscard]] const Error& error() const {
        ensure(!has_value(), "error() of a Result that holds a value");
        return std::get<1>(state_);
    }

  private:
    void require() const {
        if (!has_value()) { throw InternalError("value() of a failed Result: " + std::get<1>(state_).message); }
    }
    std::variant<T, Error> state_;
};

using Status = Result<Done>;

} // namespace orrery::vta
