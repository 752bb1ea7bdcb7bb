#pragma once
// A dense array of numbers: constants of a graph, inputs and outputs of a run.

#include "core/base/dtype.hpp"
#include "core/base/hash.hpp"
#include "core/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orrery {

class ElementSource;
using Shape = std::vector<std::int64_t>;

/// Number of elements; 1 for a scalar. Pre: no negative dimension, product fits (see checked_elements).
[[nodiscard]] std::int64_t element_count(std::span<const std::int64_t> shape);
/// The element count of an untrusted shape.
/// Errors: BadShape for a negative dimension, LimitExceeded when bytes would pass `max_bytes`.
[[nodiscard]] Result<std::int64_t> checked_elements(std::span<const std::int64_t> shape, DType dtype,
                                                    std::int64_t max_bytes);
/// "f32[1,3,224,224]".
[[nodiscard]] std::string type_text(DType dtype, std::span<const std::int64_t> shape);

/// A row-major, contiguous, 64-byte aligned array. A value that shares its storage; the storage is
/// written only before the array is first shared. An array made by lazy() has no storage until somebody asks for
/// data().
class NDArray {
  public:
    NDArray() = default;
    /// Uninitialized storage of that type and shape.
    static NDArray allocate(DType dtype, Shape shape);
    static NDArray zeros(DType dtype, Shape shape);
    /// Copies `size` bytes. Pre: size equals byte_size().
    static NDArray copy_of(DType dtype, Shape shape, const void* data, std::size_t size);
    /// Views storage owned by `owner` (a mapped file, a model). Pre: `data` is aligned for the dtype.
    static NDArray view(DType dtype, Shape shape, std::shared_ptr<const void> owner, const void* data);
    /// Elements that `source` gives once somebody asks for data(). Pre: at least one element.
    static NDArray lazy(DType dtype, Shape shape, std::shared_ptr<const ElementSource> source);
    template <class T> static NDArray of(DType dtype, Shape shape, std::span<const T> values) {
        return copy_of(dtype, std::move(shape), values.data(), values.size_bytes());
    }

    [[nodiscard]] bool defined() const { return lazy_ || data_ != nullptr; }
    [[nodiscard]] DType dtype() const { return dtype_; }
    [[nodiscard]] const Shape& shape() const { return shape_; }
    [[nodiscard]] std::int64_t size() const { return element_count(shape_); } ///< Units: elements.
    [[nodiscard]] std::size_t bytes() const;                                  ///< Units: bytes.
    /// Computes what is not there yet, on all cores. Thread: any; others that ask meanwhile wait.
    [[nodiscard]] const void* data() const { return lazy_ ? lazy_data() : data_; }
    /// The source of an array made by lazy(), computed or not; null of any other.
    [[nodiscard]] const ElementSource* source() const;
    /// All elements where they lie, at any address: data() where that computes nothing. Null when nobody has computed
    /// them.
    [[nodiscard]] const void* loose_data() const;
    /// Writes elements [begin, begin + count), row-major, to `out`; the others are computed only when their source
    /// cannot do without.
    void read(std::int64_t begin, std::int64_t count, void* out) const;
    /// What keeps the bytes alive; shared by views of one storage.
    [[nodiscard]] const std::shared_ptr<const void>& owner() const { return owner_; }
    /// Pre: not yet shared with anyone who reads it; a lazy array is not written.
    [[nodiscard]] void* mutable_data() { return const_cast<void*>(data()); }
    template <class T> [[nodiscard]] std::span<const T> values() const {
        return {static_cast<const T*>(data()), static_cast<std::size_t>(size())};
    }
    template <class T> [[nodiscard]] std::span<T> mutable_values() {
        return {static_cast<T*>(mutable_data()), static_cast<std::size_t>(size())};
    }
    /// Element `index` (row-major), converted; integers beyond 2^53 lose their low bits in as_double.
    [[nodiscard]] double as_double(std::int64_t index) const;
    [[nodiscard]] std::int64_t as_int(std::int64_t index) const;
    /// All elements as integers: how shape operands are read.
    [[nodiscard]] std::vector<std::int64_t> to_ints() const;
    /// Writes `value` converted to the dtype. Pre: as for mutable_data.
    void set(std::int64_t index, double value);
    void set_int(std::int64_t index, std::int64_t value);
    /// The same storage under another shape of equal element count.
    [[nodiscard]] NDArray reshaped(Shape shape) const;
    /// Of type, shape and bytes.
    [[nodiscard]] Hash content_hash() const;

  private:
    struct Lazy;
    [[nodiscard]] Lazy& lazy_storage() const;
    [[nodiscard]] const void* lazy_data() const;
    friend void compute_all(std::span<const NDArray> arrays);

    DType dtype_ = DType::F32;
    bool lazy_ = false; ///< `owner_` is a Lazy, which knows where the elements are
    Shape shape_;
    std::shared_ptr<const void> owner_;
    const void* data_ = nullptr;
};

/// What data() of each does, all at once: on all cores, into one block of memory in huge pages, which lives as long as
/// any of them.
void compute_all(std::span<const NDArray> arrays);

/// How far `actual` is from `expected`.
struct Difference {
    bool same_type = true;         ///< dtype and shape agree; the rest means nothing otherwise
    double max_abs = 0;            ///< largest |actual - expected|
    double max_rel = 0;            ///< max_abs over the largest |expected| (1 when that is 0)
    std::int64_t worst_index = -1; ///< row-major index of max_abs
    double actual = 0, expected = 0;
};
/// NaN equals NaN; infinities equal themselves; otherwise a non-finite difference is infinite.
[[nodiscard]] Difference compare(const NDArray& actual, const NDArray& expected);

} // namespace orrery
