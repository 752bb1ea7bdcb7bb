#include "core/frontends/onnx/tensor_data.hpp"

#include "core/base/file.hpp"

#include <catch2/catch.hpp>
#include <onnx/onnx_pb.h>

#include <random>

using namespace orrery;
using ::onnx::TensorProto;

namespace {

TensorProto proto(int type, std::initializer_list<std::int64_t> dims) {
    TensorProto tensor;
    tensor.set_name("w");
    tensor.set_data_type(type);
    for (const std::int64_t d : dims) tensor.add_dims(d);
    return tensor;
}

Code code_of(const TensorProto& tensor, const orrery::onnx::TensorLimits& limits = {}) {
    const auto array = orrery::onnx::tensor_value(tensor, limits);
    REQUIRE_FALSE(array);
    return array.error().code;
}

/// A folder with a model's data file of 16 bytes, 0 to 15, and a secret beside the folder.
struct Model {
    std::filesystem::path root =
        std::filesystem::temp_directory_path() / ("orrery-tensor-" + std::to_string(std::random_device{}()));
    orrery::onnx::TensorLimits limits;
    Model() {
        limits.folder = root / "model";
        std::filesystem::create_directories(limits.folder);
        std::string bytes;
        for (char c = 0; c < 16; ++c) bytes += c;
        REQUIRE(write_file(limits.folder / "weights.bin", bytes));
        REQUIRE(write_file(root / "secret.bin", bytes));
        std::filesystem::create_symlink(root / "secret.bin", limits.folder / "link.bin");
    }
    ~Model() { std::filesystem::remove_all(root); }
};

TensorProto external(const std::string& location, const std::string& offset, const std::string& length) {
    TensorProto tensor = proto(TensorProto::INT32, {2});
    tensor.set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair{"location", location}, {"offset", offset}, {"length", length}}) {
        if (value.empty()) continue;
        auto* entry = tensor.add_external_data();
        entry->set_key(key);
        entry->set_value(value);
    }
    return tensor;
}

} // namespace

TEST_CASE("typed fields hold every dtype ONNX gives them", "[frontends][tensor]") {
    const std::vector<std::int64_t> expected{1, 0, 1};
    for (const int type : {TensorProto::BOOL, TensorProto::UINT8, TensorProto::INT8, TensorProto::INT16,
                           TensorProto::INT32, TensorProto::UINT16, TensorProto::INT64, TensorProto::UINT32,
                           TensorProto::UINT64, TensorProto::FLOAT, TensorProto::DOUBLE}) {
        TensorProto tensor = proto(type, {3});
        for (const std::int64_t v : expected) {
            if (type == TensorProto::INT64)
                tensor.add_int64_data(v);
            else if (type == TensorProto::UINT32 || type == TensorProto::UINT64)
                tensor.add_uint64_data(v);
            else if (type == TensorProto::FLOAT)
                tensor.add_float_data(v);
            else if (type == TensorProto::DOUBLE)
                tensor.add_double_data(v);
            else
                tensor.add_int32_data(v);
        }
        const auto array = orrery::onnx::tensor_value(tensor);
        REQUIRE(array);
        CHECK(array->dtype() == *orrery::onnx::dtype_of(type));
        CHECK(array->to_ints() == expected);
    }
}

TEST_CASE("half precision is stored as bits", "[frontends][tensor]") {
    TensorProto half = proto(TensorProto::FLOAT16, {}), brain = proto(TensorProto::BFLOAT16, {});
    half.add_int32_data(0xC000);  // -2 (IEEE 754 binary16: sign, exponent 16 - 15)
    brain.add_int32_data(0xC000); // -2 too: the upper half of binary32's C0000000
    CHECK(orrery::onnx::tensor_value(half)->as_double(0) == -2);
    CHECK(orrery::onnx::tensor_value(brain)->as_double(0) == -2);
}

TEST_CASE("data that does not fit its shape is refused", "[frontends][tensor]") {
    TensorProto tensor = proto(TensorProto::FLOAT, {3});
    CHECK(code_of(tensor) == Code::MalformedModel);
    tensor.add_float_data(1);
    CHECK(code_of(tensor) == Code::MalformedModel);
    tensor.set_raw_data("12345678");
    CHECK(code_of(tensor) == Code::MalformedModel);
    TensorProto narrow = proto(TensorProto::INT8, {1});
    narrow.add_int32_data(128);
    CHECK(code_of(narrow) == Code::MalformedModel);
    narrow.set_int32_data(0, -128);
    CHECK(orrery::onnx::tensor_value(narrow)->as_int(0) == -128);
}

TEST_CASE("shapes that cannot be are refused before memory is taken", "[frontends][tensor]") {
    CHECK(code_of(proto(TensorProto::FLOAT, {-1})) == Code::BadShape);
    CHECK(code_of(proto(TensorProto::FLOAT, {1ll << 40, 1ll << 40})) == Code::LimitExceeded);
    CHECK(code_of(proto(TensorProto::FLOAT, {1 << 30})) == Code::MalformedModel);
    TensorProto deep = proto(TensorProto::FLOAT, {});
    for (int i = 0; i < 65; ++i) deep.add_dims(1);
    CHECK(code_of(deep) == Code::LimitExceeded);
    for (const std::int64_t dim : {4ll, 1ll << 62}) {
        const auto empty = orrery::onnx::tensor_value(proto(TensorProto::FLOAT, {dim, dim, 0}));
        REQUIRE(empty);
        CHECK(empty->size() == 0);
    }
}

TEST_CASE("element types without a dtype are named", "[frontends][tensor]") {
    CHECK(code_of(proto(TensorProto::COMPLEX64, {1})) == Code::UnsupportedFeature);
    CHECK(code_of(proto(23, {1})) == Code::UnsupportedFeature); // FLOAT4E2M1 of later versions
    CHECK(code_of(proto(TensorProto::UNDEFINED, {1})) == Code::MalformedModel);
    CHECK(code_of(proto(TensorProto::STRING, {1})) == Code::MalformedModel); // says one text and holds none
}

TEST_CASE("8-bit floats and 4-bit integers have numbers the message classes do not know", "[frontends][tensor]") {
    TensorProto eights = proto(17, {3}); // FLOAT8E4M3FN
    eights.set_raw_data(std::string("\x38\x7e\x80", 3));
    const auto real = orrery::onnx::tensor_value(eights);
    REQUIRE(real);
    CHECK(real->dtype() == DType::F8E4M3FN);
    CHECK(real->as_double(0) == 1);
    CHECK(real->as_double(1) == 448);
    TensorProto bits = proto(19, {1}); // FLOAT8E5M2
    bits.add_int32_data(0xbc);
    CHECK(orrery::onnx::tensor_value(bits)->as_double(0) == -1);

    TensorProto nibbles = proto(22, {3}); // INT4: two in a byte, the first one low
    nibbles.set_raw_data(std::string("\x7f\x08", 2));
    const auto whole = orrery::onnx::tensor_value(nibbles);
    REQUIRE(whole);
    CHECK(whole->dtype() == DType::I4);
    CHECK(whole->to_ints() == std::vector<std::int64_t>{-1, 7, -8});
    TensorProto field = proto(21, {2}); // UINT4
    field.add_int32_data(0xf1);
    CHECK(orrery::onnx::tensor_value(field)->to_ints() == std::vector<std::int64_t>{1, 15});
    field.add_int32_data(0);
    CHECK(code_of(field) == Code::MalformedModel);
    nibbles.set_raw_data("abc");
    CHECK(code_of(nibbles) == Code::MalformedModel);
    const Model model;
    TensorProto outside = external("weights.bin", "4", "1");
    outside.set_data_type(21);
    CHECK(orrery::onnx::tensor_value(outside, model.limits)->to_ints() == std::vector<std::int64_t>{4, 0});
    outside.set_dims(0, 3);
    CHECK(code_of(outside, model.limits) == Code::MalformedModel);
}

TEST_CASE("a bool is 0 or 1", "[frontends][tensor]") {
    TensorProto tensor = proto(TensorProto::BOOL, {2});
    tensor.set_raw_data(std::string("\x00\x07", 2));
    const auto array = orrery::onnx::tensor_value(tensor);
    REQUIRE(array);
    CHECK(array->values<std::uint8_t>()[0] == 0);
    CHECK(array->values<std::uint8_t>()[1] == 1);
}

TEST_CASE("external data is read from beside the model", "[frontends][tensor]") {
    const Model model;
    // Little-endian: bytes 4 to 7, and 5 to 8 where nothing is aligned.
    const auto aligned = orrery::onnx::tensor_value(external("weights.bin", "4", "8"), model.limits);
    REQUIRE(aligned);
    CHECK(aligned->as_int(0) == 0x07060504);
    const auto odd = orrery::onnx::tensor_value(external("weights.bin", "5", ""), model.limits);
    REQUIRE(odd);
    CHECK(odd->as_int(1) == 0x0C0B0A09);
}

TEST_CASE("external data is read from nowhere else", "[frontends][tensor]") {
    const Model model;
    const auto refused = [&](const std::string& location, const std::string& offset = "",
                             const std::string& length = "") {
        return code_of(external(location, offset, length), model.limits);
    };
    CHECK(refused("../secret.bin") == Code::MalformedModel);
    CHECK(refused((model.root / "secret.bin").string()) == Code::MalformedModel);
    CHECK(refused("link.bin") == Code::MalformedModel);
    CHECK(refused("") == Code::MalformedModel);
    CHECK(refused("none.bin") == Code::FileMissing);
    CHECK(refused(".") == Code::FileUnreadable);
    CHECK(refused("weights.bin", "12") == Code::MalformedModel);
    CHECK(refused("weights.bin", "18446744073709551615") == Code::MalformedModel);
    CHECK(refused("weights.bin", "-4") == Code::MalformedModel);
    CHECK(refused("weights.bin", "0", "12") == Code::MalformedModel);
    CHECK(code_of(external("weights.bin", "", "")) == Code::MalformedModel); // a model in memory
}
