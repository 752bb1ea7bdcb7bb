#include "core/base/dtype.hpp"
#include "core/base/file.hpp"
#include "core/base/hash.hpp"
#include "core/base/narrow.hpp"
#include "core/base/ndarray.hpp"
#include "core/base/object.hpp"
#include "core/base/origin.hpp"
#include "core/base/result.hpp"
#include "core/base/text_pool.hpp"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

using namespace orrery;

namespace {

struct Link : Object {
    Ref<const Link> next;
};

} // namespace

TEST_CASE("a chain of two million nodes is freed without recursion", "[base][object]") {
    Ref<const Link> head;
    for (int i = 0; i < 2'000'000; ++i) {
        auto* node = new Link;
        node->next = head;
        head = Ref<const Link>(node);
    }
    REQUIRE(head.get() != nullptr);
    head = nullptr;
    REQUIRE(head.get() == nullptr);
}

TEST_CASE("origin sets unite, share and compare", "[base][origin]") {
    const OriginSet a(std::vector<SourceId>{3, 1, 3}), b(SourceId{2});
    REQUIRE(std::vector<SourceId>(a.ids().begin(), a.ids().end()) == std::vector<SourceId>{1, 3});
    const OriginSet both = unite(a, b);
    REQUIRE(both == OriginSet(std::vector<SourceId>{1, 2, 3}));
    REQUIRE(unite(both, a).ids().data() == both.ids().data());
    REQUIRE(both.intersects(b));
    REQUIRE_FALSE(a.intersects(b));
    REQUIRE(OriginSet().empty());
    REQUIRE(unite(OriginSet(), b) == b);
}

TEST_CASE("half precision agrees with the IEEE values", "[base][dtype]") {
    // IEEE 754-2008 binary16: 1 = 0x3c00, largest finite 65504 = 0x7bff, smallest subnormal 2^-24 = 0x0001.
    REQUIRE(float_to_half(1.0f) == 0x3c00);
    REQUIRE(float_to_half(65504.0f) == 0x7bff);
    REQUIRE(float_to_half(65520.0f) == 0x7c00);
    REQUIRE(float_to_half(std::ldexp(1.0f, -24)) == 0x0001);
    REQUIRE(float_to_half(-2.0f) == 0xc000);
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = half_to_float(half);
        if (std::isnan(value)) continue;
        if (float_to_half(value) != half) FAIL("half " << bits << " does not round-trip");
    }
}

TEST_CASE("bfloat rounds to nearest even", "[base][dtype]") {
    REQUIRE(float_to_bfloat(1.0f) == 0x3f80);
    REQUIRE(bfloat_to_float(0x4049) == Approx(3.140625f));
    REQUIRE(float_to_bfloat(3.14159265f) == 0x4049);
}

TEST_CASE("8-bit floats agree with the values of their specification", "[base][dtype]") {
    // OCP 8-bit Floating Point Specification, revision 1.0, table 2; ONNX, "Float stored in 8 bits".
    struct Kind {
        DType dtype;
        double greatest, least, least_normal;
        std::uint8_t beyond; ///< what 1e6 becomes
    };
    const Kind kinds[] = {{DType::F8E4M3FN, 448, 0x1p-9, 0x1p-6, 0x7f},
                          {DType::F8E4M3FNUZ, 240, 0x1p-10, 0x1p-7, 0x80},
                          {DType::F8E5M2, 57344, 0x1p-16, 0x1p-14, 0x7c},
                          {DType::F8E5M2FNUZ, 57344, 0x1p-17, 0x1p-15, 0x80}};
    for (const Kind& kind : kinds) {
        INFO(to_string(kind.dtype));
        const auto value = [&](int bits) { return float8_to_float(kind.dtype, static_cast<std::uint8_t>(bits)); };
        const auto code = [&](double v) { return float_to_float8(kind.dtype, static_cast<float>(v)); };
        REQUIRE(value(code(kind.greatest)) == kind.greatest);
        REQUIRE(code(kind.least) == 1);
        REQUIRE(code(kind.least / 2) == 0); // a tie, to even
        REQUIRE(code(kind.least * 1.5) == 2);
        REQUIRE(code(kind.least_normal) == (kind.dtype < DType::F8E5M2 ? 8 : 4));
        REQUIRE(code(1e6) == kind.beyond);
        REQUIRE(code(HUGE_VAL) == kind.beyond);
        REQUIRE(std::isnan(value(code(std::nan("")))));
        REQUIRE(std::signbit(value(code(-0.0))) == (kind.beyond != 0x80));
        REQUIRE(value(code(-1.25)) == -1.25f);
        for (int bits = 0; bits < 256; ++bits) {
            if (std::isnan(value(bits))) continue;
            REQUIRE(code(value(bits)) == bits);
            if (value(bits) <= 0 || value(bits) >= kind.greatest) continue;
            // Between neighbours the nearer one is taken, half way the even one.
            const double low = value(bits), high = value(bits + 1), middle = (low + high) / 2;
            REQUIRE(code(low + (middle - low) * 0.99) == bits);
            REQUIRE(code(middle + (high - middle) * 0.01) == bits + 1);
            REQUIRE(code(middle) == bits + bits % 2);
        }
    }
    REQUIRE(float8_to_float(DType::F8E5M2, 0x7c) == HUGE_VALF);
}

TEST_CASE("4-bit integers are kept in a byte each and wrap", "[base][dtype]") {
    NDArray array = NDArray::allocate(DType::I4, {3});
    REQUIRE(array.bytes() == 3);
    array.set_int(0, -8);
    array.set_int(1, 8);
    array.set(2, 7);
    REQUIRE(array.to_ints() == std::vector<std::int64_t>{-8, -8, 7});
    NDArray whole = NDArray::allocate(DType::U4, {1});
    whole.set_int(0, 17);
    REQUIRE(whole.as_int(0) == 1);
    REQUIRE(bit_width(DType::U4) == 4);
    REQUIRE_FALSE(is_arithmetic(DType::U4));
}

TEST_CASE("dtype names round-trip", "[base][dtype]") {
    for (int i = 0; i < kDTypeCount; ++i) {
        const auto dtype = static_cast<DType>(i);
        REQUIRE(parse_dtype(to_string(dtype)) == dtype);
    }
    REQUIRE_FALSE(parse_dtype("f31").has_value());
}

TEST_CASE("untrusted shapes are bounded before they are believed", "[base][ndarray]") {
    const Shape negative{2, -1}, huge{1ll << 40, 1ll << 40}, empty{0, 1ll << 62, 1ll << 62}, good{2, 3};
    REQUIRE(checked_elements(negative, DType::F32, 1 << 20).error().code == Code::BadShape);
    REQUIRE(checked_elements(huge, DType::F32, 1 << 20).error().code == Code::LimitExceeded);
    REQUIRE(checked_elements(empty, DType::F32, 1 << 20).value() == 0);
    REQUIRE(checked_elements(good, DType::F32, 1 << 20).value() == 6);
}

TEST_CASE("arrays convert, compare and hash by content", "[base][ndarray]") {
    const std::vector<float> values{1, 2, 4};
    const NDArray a = NDArray::of<float>(DType::F32, {3}, values);
    NDArray b = NDArray::zeros(DType::F32, {3});
    for (int i = 0; i < 3; ++i) b.set(i, values[static_cast<std::size_t>(i)]);
    REQUIRE(compare(b, a).max_abs == 0);
    REQUIRE(a.content_hash() == b.content_hash());
    b.set(1, 3);
    const Difference d = compare(b, a);
    REQUIRE(d.worst_index == 1);
    REQUIRE(d.max_rel == Approx(0.25));
    REQUIRE(a.content_hash() != b.content_hash());
    REQUIRE(a.reshaped({1, 3}).content_hash() != a.content_hash());
    b.set(0, std::numeric_limits<double>::quiet_NaN());
    REQUIRE(std::isinf(compare(b, a).max_abs));
}

TEST_CASE("hashes separate their fields", "[base][hash]") {
    Hasher a, b;
    a.add("ab").add("c");
    b.add("a").add("bc");
    REQUIRE(a.finish() != b.finish());
    REQUIRE(to_string(hash_bytes("", 0)).size() == 32);
}

TEST_CASE("files: missing is a value, writing is atomic", "[base][file]") {
    const auto path = std::filesystem::temp_directory_path() / "orrery_test_base_file";
    std::filesystem::remove(path);
    REQUIRE(read_file(path).error().code == Code::FileMissing);
    REQUIRE(write_file(path, "content").has_value());
    REQUIRE(read_file(path).value() == "content");
    REQUIRE(read_file(path, 3).error().code == Code::LimitExceeded);
    REQUIRE(map_file(path).value().bytes.size() == 7);
    REQUIRE(read_file(std::filesystem::temp_directory_path()).error().code == Code::FileUnreadable);
    std::filesystem::remove(path);
}

TEST_CASE("results chain like std::expected", "[base][result]") {
    const auto half = [](int x) -> Result<int> {
        if (x % 2) return Diagnostic{Code::BadArgument, "odd", {}, {}};
        return x / 2;
    };
    REQUIRE(Result<int>(8).and_then(half).value() == 4);
    REQUIRE(Result<int>(7).and_then(half).error().code == Code::BadArgument);
    REQUIRE(Result<int>(3).transform([](int x) { return x + 1; }).value() == 4);
    REQUIRE_THROWS_AS(half(7).value(), InternalError);
}

TEST_CASE("floats are rounded many at once as one at a time", "[base][dtype]") {
    std::vector<float> values;
    // Every exponent and sign, with the bits around which halves and bfloats round.
    for (std::uint64_t bits = 0; bits < (1ull << 32); bits += 0x0fff) // no multiple of a power of two
        values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    for (std::uint32_t half = 0; half < 0x10000; ++half)
        for (const std::uint32_t low : {0u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u})
            values.push_back(std::bit_cast<float>(half << 16 | low));
    for (const DType dtype : {DType::F16, DType::BF16}) {
        std::vector<std::uint16_t> out(values.size());
        round_to_narrow(dtype, values, out);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < values.size(); ++i) wrong += out[i] != float_to_narrow(dtype, values[i]) ? 1 : 0;
        CHECK(wrong == 0);
    }
}

TEST_CASE("strings have numbers", "[base][text]") {
    const std::int64_t a = number_of_text("monday").value(), b = number_of_text("tuesday").value();
    CHECK(a != b);
    CHECK(number_of_text("monday").value() == a);
    CHECK(text_of_number(a) == "monday");
    CHECK(text_of_number(number_of_text("").value()) == "");
    CHECK_FALSE(text_of_number(a ^ 1).has_value());
}

TEST_CASE("a unit of a narrow float is the step after 1", "[base][narrow]") {
    CHECK(unit_of(DType::F16) == 0x1p-10);
    CHECK(unit_of(DType::BF16) == 0x1p-7);
    CHECK(unit_of(DType::F8E4M3FN) == 0x1p-3);
    CHECK(unit_of(DType::F8E5M2) == 0x1p-2);
    CHECK(unit_of(DType::F32) == 0);
    CHECK(unit_of(DType::I32) == 0);
}
