#include "core/base/ndarray.hpp"

#include "core/base/element_source.hpp"
#include "core/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <unordered_set>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace orrery {

namespace {

constexpr std::size_t kAlignment = 64; // a cache line, and the widest vector register in use

/// Calls `f` with a value of the C++ type that stores `dtype` (narrow floats as their bits).
template <class F> auto with_storage(DType dtype, F&& f) {
    switch (dtype) {
    case DType::Bool: return f(std::uint8_t{});
    case DType::I4:
    case DType::I8: return f(std::int8_t{});
    case DType::I16: return f(std::int16_t{});
    case DType::I32: return f(std::int32_t{});
    case DType::I64: return f(std::int64_t{});
    case DType::U4:
    case DType::U8:
    case DType::F8E4M3FN:
    case DType::F8E4M3FNUZ:
    case DType::F8E5M2:
    case DType::F8E5M2FNUZ: return f(std::uint8_t{});
    case DType::U16: return f(std::uint16_t{});
    case DType::U32: return f(std::uint32_t{});
    case DType::U64: return f(std::uint64_t{});
    case DType::F16:
    case DType::BF16: return f(std::uint16_t{});
    case DType::F32: return f(float{});
    case DType::F64: return f(double{});
    }
    fail_internal("with_storage covers every dtype");
}

} // namespace

std::int64_t element_count(std::span<const std::int64_t> shape) {
    // Empty first: the other dimensions of an empty array may be beyond any product.
    if (std::find(shape.begin(), shape.end(), std::int64_t{0}) != shape.end()) return 0;
    std::int64_t count = 1;
    for (std::int64_t dim : shape) count *= dim;
    return count;
}

Result<std::int64_t> checked_elements(std::span<const std::int64_t> shape, DType dtype, std::int64_t max_bytes) {
    const std::int64_t limit = max_bytes / byte_size(dtype);
    std::int64_t count = 1;
    for (std::int64_t dim : shape) {
        if (dim < 0) return Diagnostic{Code::BadShape, "a dimension is negative: " + type_text(dtype, shape), {}, {}};
    }
    if (std::ranges::find(shape, 0) != shape.end()) return std::int64_t{0};
    for (std::int64_t dim : shape) {
        if (count > limit / dim)
            return Diagnostic{Code::LimitExceeded,
                              type_text(dtype, shape) + " is larger than the limit of " + std::to_string(max_bytes) +
                                  " bytes",
                              {},
                              {}};
        count *= dim;
    }
    return count;
}

std::string type_text(DType dtype, std::span<const std::int64_t> shape) {
    std::string text(to_string(dtype));
    text += '[';
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? "," : "") + std::to_string(shape[i]);
    return text + ']';
}

namespace {

/// Memory for a whole number of alignments. What fills huge pages asks for them: a first touch of each of 512 small
/// pages costs more than what is usually done with it, and kernels that read it miss fewer translations.
void* allocate_bytes(std::size_t bytes) {
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    const bool huge = bytes >= kHugePage;
    const std::size_t alignment = huge ? kHugePage : kAlignment;
    void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!memory) throw std::bad_alloc();
#if defined(__linux__)
    // The rest of the last huge page stays untouched, and small. A kernel that has none to give says no, and that is
    // all.
    if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return memory;
}

} // namespace

NDArray NDArray::allocate(DType dtype, Shape shape) {
    NDArray array;
    array.dtype_ = dtype;
    array.shape_ = std::move(shape);
    void* memory = allocate_bytes(std::max<std::size_t>(array.bytes(), 1));
    array.owner_ = std::shared_ptr<const void>(memory, [](const void* p) { std::free(const_cast<void*>(p)); });
    array.data_ = memory;
    return array;
}

NDArray NDArray::zeros(DType dtype, Shape shape) {
    NDArray array = allocate(dtype, std::move(shape));
    std::memset(array.mutable_data(), 0, array.bytes());
    return array;
}

NDArray NDArray::copy_of(DType dtype, Shape shape, const void* data, std::size_t size) {
    NDArray array = allocate(dtype, std::move(shape));
    ORRERY_ASSERT(size == array.bytes(), type_text(dtype, array.shape_));
    if (size) std::memcpy(array.mutable_data(), data, size);
    return array;
}

NDArray NDArray::view(DType dtype, Shape shape, std::shared_ptr<const void> owner, const void* data) {
    NDArray array;
    array.dtype_ = dtype;
    array.shape_ = std::move(shape);
    array.owner_ = std::move(owner);
    array.data_ = data;
    return array;
}

// ------------------------------------------------------------------------------ lazy arrays

/// Storage that is filled when somebody asks.
struct NDArray::Lazy {
    Lazy(std::shared_ptr<const ElementSource> s, std::size_t b) : source(std::move(s)), bytes(b) {}

    std::shared_ptr<const ElementSource> source; ///< kept: what is made of this array may start from there
    std::size_t bytes;
    std::mutex mutex;
    std::shared_ptr<const void> block; ///< what keeps `data` alive
    std::atomic<const void*> data{nullptr};

    /// The first to come stays. Pre: the mutex is held.
    void publish(std::shared_ptr<const void> owner, const void* where) {
        if (data.load(std::memory_order_relaxed)) return;
        block = std::move(owner);
        data.store(where, std::memory_order_release);
    }
};

NDArray NDArray::lazy(DType dtype, Shape shape, std::shared_ptr<const ElementSource> source) {
    NDArray array;
    array.dtype_ = dtype;
    array.lazy_ = true;
    array.shape_ = std::move(shape);
    ORRERY_ASSERT(array.bytes() > 0, "a lazy array has elements");
    array.owner_ = std::make_shared<Lazy>(std::move(source), array.bytes());
    return array;
}

NDArray::Lazy& NDArray::lazy_storage() const {
    return *static_cast<Lazy*>(const_cast<void*>(owner_.get())); // made by lazy(), not const
}

const ElementSource* NDArray::source() const { return lazy_ ? lazy_storage().source.get() : nullptr; }

const void* NDArray::lazy_data() const {
    Lazy& lazy = lazy_storage();
    if (const void* known = lazy.data.load(std::memory_order_acquire)) return known;
    const std::lock_guard lock(lazy.mutex);
    if (const void* known = lazy.data.load(std::memory_order_relaxed)) return known;
    NDArray made = allocate(dtype_, shape_);
    void* out = made.mutable_data();
    parallel_for(static_cast<std::size_t>(lazy.source->pieces()), 0,
                 [&](std::size_t piece) { lazy.source->write(static_cast<std::int64_t>(piece), out); });
    lazy.publish(made.owner_, out);
    return out;
}

const void* NDArray::loose_data() const {
    if (!lazy_) return data_;
    const Lazy& lazy = lazy_storage();
    const void* known = lazy.data.load(std::memory_order_acquire);
    return known ? known : lazy.source->bytes();
}

void NDArray::read(std::int64_t begin, std::int64_t count, void* out) const {
    const auto width = static_cast<std::size_t>(byte_size(dtype_));
    const void* all = loose_data();
    if (!all && lazy_storage().source->read(begin, count, out)) return;
    if (!all) all = data();
    std::memcpy(out, static_cast<const char*>(all) + static_cast<std::size_t>(begin) * width,
                static_cast<std::size_t>(count) * width);
}

void compute_all(std::span<const NDArray> arrays) {
    std::vector<NDArray::Lazy*> missing; // each once
    std::unordered_set<const NDArray::Lazy*> met;
    for (const NDArray& array : arrays)
        if (array.lazy_ && !array.lazy_storage().data.load(std::memory_order_acquire) &&
            met.insert(&array.lazy_storage()).second)
            missing.push_back(&array.lazy_storage());
    // The largest first, so that no thread is left with one of them at the end.
    std::ranges::stable_sort(missing, std::ranges::greater{}, &NDArray::Lazy::bytes);
    struct Piece {
        std::size_t array = 0;
        std::int64_t piece = 0;
    };
    std::vector<Piece> pieces;
    std::vector<std::size_t> places;
    std::size_t total = 0;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        places.push_back(total);
        total += (missing[i]->bytes + kAlignment - 1) / kAlignment * kAlignment;
        for (std::int64_t p = 0; p < missing[i]->source->pieces(); ++p) pieces.push_back({i, p});
    }
    if (missing.empty()) return;
    NDArray block = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(total)});
    const auto place = [&](std::size_t i) { return static_cast<char*>(block.mutable_data()) + places[i]; };
    parallel_for(pieces.size(), 0, [&](std::size_t i) {
        missing[pieces[i].array]->source->write(pieces[i].piece, place(pieces[i].array));
    });
    for (std::size_t i = 0; i < missing.size(); ++i) {
        const std::lock_guard lock(missing[i]->mutex);
        missing[i]->publish(block.owner(), place(i));
    }
}

std::size_t NDArray::bytes() const {
    return static_cast<std::size_t>(size()) * static_cast<std::size_t>(byte_size(dtype_));
}

double NDArray::as_double(std::int64_t index) const {
    return with_storage(dtype_, [&](auto zero) -> double {
        const auto raw = static_cast<const decltype(zero)*>(data())[index];
        if (is_narrow_float(dtype_)) return narrow_to_float(dtype_, static_cast<std::uint16_t>(raw));
        return static_cast<double>(raw);
    });
}

std::int64_t NDArray::as_int(std::int64_t index) const {
    if (is_float(dtype_)) return static_cast<std::int64_t>(as_double(index));
    return with_storage(dtype_, [&](auto zero) -> std::int64_t {
        return static_cast<std::int64_t>(static_cast<const decltype(zero)*>(data())[index]);
    });
}

std::vector<std::int64_t> NDArray::to_ints() const {
    std::vector<std::int64_t> out(static_cast<std::size_t>(size()));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = as_int(static_cast<std::int64_t>(i));
    return out;
}

void NDArray::set(std::int64_t index, double value) {
    if (!is_arithmetic(dtype_)) return set_int(index, static_cast<std::int64_t>(value));
    with_storage(dtype_, [&](auto zero) {
        using T = decltype(zero);
        T& slot = static_cast<T*>(mutable_data())[index];
        if (is_narrow_float(dtype_))
            slot = static_cast<T>(float_to_narrow(dtype_, static_cast<float>(value)));
        else if (dtype_ == DType::Bool)
            slot = static_cast<T>(value != 0);
        else
            slot = static_cast<T>(value);
    });
}

void NDArray::set_int(std::int64_t index, std::int64_t value) {
    if (is_float(dtype_) || dtype_ == DType::Bool) return set(index, static_cast<double>(value));
    if (dtype_ == DType::U4) value &= 0xf;
    if (dtype_ == DType::I4) value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 60) >> 60;
    with_storage(dtype_, [&](auto zero) {
        static_cast<decltype(zero)*>(mutable_data())[index] = static_cast<decltype(zero)>(value);
    });
}

NDArray NDArray::reshaped(Shape shape) const {
    ORRERY_ASSERT(element_count(shape) == size(), "a reshape keeps the element count");
    NDArray array = *this;
    array.shape_ = std::move(shape);
    return array;
}

Hash NDArray::content_hash() const {
    Hasher hasher;
    hasher.add(static_cast<int>(dtype_)).add(std::span<const std::int64_t>(shape_)).bytes(data(), bytes());
    return hasher.finish();
}

Difference compare(const NDArray& actual, const NDArray& expected) {
    Difference d;
    d.same_type = actual.dtype() == expected.dtype() && actual.shape() == expected.shape();
    if (!d.same_type) return d;
    double largest = 0;
    for (std::int64_t i = 0; i < expected.size(); ++i) {
        const double a = actual.as_double(i), e = expected.as_double(i);
        if (std::isfinite(e)) largest = std::max(largest, std::abs(e));
        if (a == e || (std::isnan(a) && std::isnan(e))) continue;
        double difference = std::abs(a - e);
        if (!std::isfinite(difference)) difference = std::numeric_limits<double>::infinity();
        if (difference > d.max_abs || d.worst_index < 0) {
            d.max_abs = difference;
            d.worst_index = i;
            d.actual = a;
            d.expected = e;
        }
    }
    d.max_rel = d.max_abs / (largest > 0 ? largest : 1.0);
    return d;
}

} // namespace orrery
