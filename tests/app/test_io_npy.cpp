#include "app/io_npy.hpp"

#include "core/base/file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <random>

using namespace orrery;
using namespace orrery::app;

namespace {

/// A file as the format's description says: mark, version, length, header, elements.
std::string file_of(int version, std::string header, std::string_view elements) {
    header += '\n';
    std::string bytes = "\x93NUMPY";
    bytes += {static_cast<char>(version), '\0', static_cast<char>(header.size() & 255),
              static_cast<char>(header.size() >> 8)};
    if (version > 1) bytes += {'\0', '\0'};
    return bytes + header + std::string(elements);
}

std::string header_of(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
    return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

Result<NDArray> parse(std::string_view bytes) {
    return parse_npy({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "test.npy");
}

Code code_of(std::string_view bytes) {
    const auto result = parse(bytes);
    REQUIRE_FALSE(result);
    REQUIRE_FALSE(result.error().locations.empty());
    return result.error().code;
}

std::string raw(std::initializer_list<int> bytes) {
    std::string text;
    for (const int b : bytes) text += static_cast<char>(b);
    return text;
}

} // namespace

TEST_CASE("arrays written are read back", "[app][npy]") {
    for (int i = 0; i < kDTypeCount; ++i) {
        const auto dtype = static_cast<DType>(i);
        if (dtype == DType::BF16 || is_float8(dtype) || !is_arithmetic(dtype)) continue; // NumPy lacks them
        for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 1, 3}}) {
            NDArray array = NDArray::zeros(dtype, shape);
            for (std::int64_t k = 0; k < array.size(); ++k) array.set_int(k, dtype == DType::Bool ? k % 2 : k + 1);
            const auto back = parse(npy_bytes(array));
            REQUIRE(back);
            INFO(type_text(dtype, shape));
            CHECK(compare(*back, array).same_type);
            CHECK(back->content_hash() == array.content_hash());
        }
    }
}

TEST_CASE("a written file is NumPy's, byte for byte where NumPy is", "[app][npy]") {
    const float values[] = {1, 2, 3, 4, 5, 6};
    const std::string bytes = npy_bytes(NDArray::of<float>(DType::F32, {2, 3}, values));
    CHECK(bytes.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
    CHECK(bytes.size() == 128 + 24);
    CHECK(bytes.substr(10, 59) == "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
    CHECK(bytes[127] == '\n');
    const std::int8_t one[] = {7};
    CHECK(npy_bytes(NDArray::of<std::int8_t>(DType::I8, {1}, one))
              .find("'|i1', 'fortran_order': False, 'shape': (1,), }") == 20);
    CHECK(npy_bytes(NDArray::of<std::int8_t>(DType::I8, {}, one)).find("'shape': (), }") != std::string::npos);
}

TEST_CASE("bf16 is written as f32 of the same values", "[app][npy]") {
    NDArray array = NDArray::allocate(DType::BF16, {2});
    array.set(0, 1.5);
    array.set(1, -3);
    const auto back = parse(npy_bytes(array));
    REQUIRE(back);
    CHECK(back->dtype() == DType::F32);
    CHECK(back->as_double(0) == 1.5);
    CHECK(back->as_double(1) == -3);
}

TEST_CASE("8-bit floats are written as f32, 4-bit integers as bytes", "[app][npy]") {
    NDArray quarter = NDArray::allocate(DType::F8E4M3FN, {2});
    quarter.set(0, 448);
    quarter.set(1, -0.015625);
    const auto real = parse(npy_bytes(quarter));
    REQUIRE(real);
    CHECK(real->dtype() == DType::F32);
    CHECK(real->as_double(0) == 448);
    CHECK(real->as_double(1) == -0.015625);
    NDArray nibble = NDArray::allocate(DType::I4, {2});
    nibble.set(0, -8);
    nibble.set(1, 7);
    const auto whole = parse(npy_bytes(nibble));
    REQUIRE(whole);
    CHECK(whole->dtype() == DType::I8);
    CHECK(whole->to_ints() == std::vector<std::int64_t>{-8, 7});
}

TEST_CASE("versions, byte orders and Fortran order are understood", "[app][npy]") {
    const std::string big = raw({0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6}); // [[1, 2, 3], [4, 5, 6]], columns first
    for (const int version : {1, 2, 3}) {
        const auto array = parse(file_of(version, header_of(">i2", "(2, 3)", "True"), big));
        REQUIRE(array);
        CHECK(array->dtype() == DType::I16);
        CHECK(array->shape() == Shape{2, 3});
        CHECK(array->to_ints() == std::vector<std::int64_t>{1, 2, 3, 4, 5, 6});
    }
    const auto cube = parse(file_of(1, header_of("|u1", "(2, 2, 2)", "True"), raw({0, 4, 2, 6, 1, 5, 3, 7})));
    REQUIRE(cube);
    CHECK(cube->to_ints() == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7});
    const auto reordered =
        parse(file_of(1, "{ 'shape': (2L,), \"fortran_order\":False,'descr': '<u2'}", raw({1, 0, 2, 1})));
    REQUIRE(reordered);
    CHECK(reordered->to_ints() == std::vector<std::int64_t>{1, 258});
    const auto truth = parse(file_of(1, header_of("|b1", "(3,)"), raw({0, 1, 9})));
    REQUIRE(truth);
    CHECK(truth->values<std::uint8_t>()[2] == 1);
    CHECK(parse(file_of(1, header_of("|u1", "(2,)"), "abcdef")));
}

TEST_CASE("damaged files are refused", "[app][npy]") {
    const std::string good = file_of(1, header_of("<f4", "(2, 3)"), std::string(24, 'x'));
    REQUIRE(parse(good));
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(code_of(good.substr(0, size)) == Code::FileUnreadable);
    CHECK(code_of("PK\x03\x04 an archive of arrays") == Code::FileUnreadable);
    CHECK(code_of(file_of(9, header_of("<f4", "(1,)"), "xxxx")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, header_of("<f4", "(-1,)"), "")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, header_of("<f4", "(1, x)"), "xxxx")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, header_of("<f4", "(1,)", "Maybe"), "xxxx")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, "{'descr': '<f4', 'shape': (1,)}", "xxxx")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}", "xxxx")) == Code::FileUnreadable);
}

TEST_CASE("sizes that cannot be are refused before memory is taken", "[app][npy]") {
    CHECK(code_of(file_of(1, header_of("<f8", "(4611686018427387904, 4)"), "")) == Code::FileUnreadable);
    const auto empty = parse(file_of(1, header_of("<f8", "(9223372036854775807, 9223372036854775807, 0)", "True"), ""));
    REQUIRE(empty);
    CHECK(empty->bytes() == 0);
    CHECK(code_of(file_of(1, header_of("<f8", "(99999999999999999999,)"), "")) == Code::FileUnreadable);
    CHECK(code_of(file_of(1, header_of("<f4", "(1000000000,)"), "xxxx")) == Code::FileUnreadable);
    std::string dims = "(";
    for (int i = 0; i < 33; ++i) dims += "1, ";
    CHECK(code_of(file_of(1, header_of("<f4", dims + ")"), "xxxx")) == Code::LimitExceeded);
}

TEST_CASE("element types without a counterpart are named", "[app][npy]") {
    for (const char* descr : {"<c8", "|O", "<U4", "<M8[ns]", "|S3", "<f16", "", "<"})
        CHECK(code_of(file_of(1, header_of(descr, "(1,)"), "xxxxxxxxxxxxxxxx")) == Code::BadType);
    CHECK(code_of(file_of(1, "{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (1,), }",
                          "xxxxxxxx")) == Code::BadType);
}

TEST_CASE("bytes changed at random never do harm", "[app][npy]") {
    const std::string good = file_of(1, header_of("<f4", "(2, 3)"), std::string(24, 'x'));
    std::mt19937 random(20240607);
    for (int round = 0; round < 5000; ++round) {
        std::string bytes = good;
        for (int change = 0; change < 1 + round % 4; ++change)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        const auto array = parse(bytes);
        if (array) CHECK(array->bytes() <= bytes.size());
    }
}

TEST_CASE("files on disk", "[app][npy]") {
    const auto folder =
        std::filesystem::temp_directory_path() / ("orrery-npy-" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(folder);
    const std::int64_t values[] = {1, -2};
    const auto path = folder / npy_file_name("a/b:0");
    CHECK(path.filename() == "a_b_0.npy");
    REQUIRE(write_npy(path, NDArray::of<std::int64_t>(DType::I64, {2}, values)));
    const auto back = read_npy(path);
    REQUIRE(back);
    CHECK(back->to_ints() == std::vector<std::int64_t>{1, -2});
    CHECK(read_npy(folder / "none.npy").error().code == Code::FileMissing);
    CHECK(write_npy(folder / "no" / "folder.npy", *back).error().code == Code::FileUnwritable);
    std::filesystem::remove_all(folder);
}
