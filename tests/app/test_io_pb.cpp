#include "app/io_pb.hpp"

#include "core/base/file.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace orrery;
using namespace orrery::app;

namespace {

/// A folder of this test's own, removed at the end.
struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("orrery-pb-" + std::to_string(std::random_device{}()));
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    Result<NDArray> read(std::string_view bytes) const {
        REQUIRE(write_file(path / "t.pb", bytes));
        return read_pb(path / "t.pb");
    }
};

using namespace std::string_literals;

// TensorProto by hand: field 1 dims, 2 data_type, 4 float_data, 7 int64_data, 9 raw_data (onnx.proto).
const std::string kRaw = "\x08\x02\x10\x01\x4a\x08\x00\x00\x80\x3f\x00\x00\x00\xc0"s;   // f32[2] 1, -2
const std::string kTyped = "\x08\x02\x10\x01\x22\x08\x00\x00\x80\x3f\x00\x00\x00\xc0"s; // the same in float_data
const std::string kIntegers = "\x08\x01\x08\x02\x10\x07\x3a\x03\x05\x80\x01"s;          // i64[1,2] 5, 128

} // namespace

TEST_CASE("tensor files are read from raw and from typed fields", "[app][pb]") {
    const Folder folder;
    for (const std::string& bytes : {kRaw, kTyped}) {
        const auto array = folder.read(bytes);
        REQUIRE(array);
        CHECK(array->dtype() == DType::F32);
        CHECK(array->shape() == Shape{2});
        CHECK(array->as_double(0) == 1);
        CHECK(array->as_double(1) == -2);
    }
    const auto integers = folder.read(kIntegers);
    REQUIRE(integers);
    CHECK(integers->dtype() == DType::I64);
    CHECK(integers->shape() == Shape{1, 2});
    CHECK(integers->to_ints() == std::vector<std::int64_t>{5, 128});
}

TEST_CASE("damaged tensor files are refused and name the file", "[app][pb]") {
    const Folder folder;
    const auto refused = [&](const std::string& bytes) {
        const auto array = folder.read(bytes);
        REQUIRE_FALSE(array);
        const auto& places = array.error().locations;
        CHECK(std::any_of(places.begin(), places.end(),
                          [](const Location& l) { return std::holds_alternative<FileOffset>(l); }));
        return array.error().code;
    };
    for (const std::size_t size : {5, 6, 9, 13}) CHECK(refused(kRaw.substr(0, size)) == Code::MalformedModel);
    CHECK(refused("\x08\x03\x10\x01\x4a\x08\x00\x00\x80\x3f\x00\x00\x00\xc0"s) ==
          Code::MalformedModel); // three, two given
    CHECK(refused("this is no tensor") == Code::MalformedModel);
    CHECK(read_pb(folder.path / "none.pb").error().code == Code::FileMissing);
}

TEST_CASE("tensor files changed at random never do harm", "[app][pb]") {
    const Folder folder;
    std::mt19937 random(20240609);
    for (int round = 0; round < 500; ++round) {
        std::string bytes = round % 2 ? kRaw : kIntegers;
        bytes[random() % bytes.size()] = static_cast<char>(random());
        const auto array = folder.read(bytes);
        if (array) CHECK(array->bytes() < 4096);
    }
}
