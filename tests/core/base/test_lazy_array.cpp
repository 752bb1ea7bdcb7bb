#include "core/base/element_source.hpp"
#include "core/base/file.hpp"
#include "core/base/ndarray.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace orrery;

namespace {

/// Element i is 2 * i; counts who asks for what.
class Doubles final : public ElementSource {
  public:
    explicit Doubles(std::int64_t count, bool partial = true) : count_(count), partial_(partial) {}
    std::int64_t pieces() const override { return 3; }
    void write(std::int64_t piece, void* out) const override {
        ++written;
        for (std::int64_t i = count_ * piece / 3; i < count_ * (piece + 1) / 3; ++i)
            static_cast<float*>(out)[i] = static_cast<float>(2 * i);
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        if (!partial_) return false;
        for (std::int64_t i = 0; i < count; ++i) static_cast<float*>(out)[i] = static_cast<float>(2 * (begin + i));
        return true;
    }
    mutable std::atomic<int> written{0};

  private:
    std::int64_t count_;
    bool partial_;
};

std::filesystem::path scratch_file() { return std::filesystem::temp_directory_path() / "orrery_test_lazy_array"; }

} // namespace

TEST_CASE("a lazy array is computed once, when somebody looks", "[base][ndarray]") {
    const auto source = std::make_shared<Doubles>(10);
    const NDArray array = NDArray::lazy(DType::F32, {2, 5}, source);
    const NDArray same = array, flat = array.reshaped({10});
    CHECK(array.defined());
    CHECK(array.bytes() == 40);
    CHECK(array.source() == source.get());
    CHECK(array.loose_data() == nullptr);
    std::array<float, 3> part{};
    array.read(4, 3, part.data());
    CHECK(part == std::array<float, 3>{8, 10, 12});
    CHECK(source->written == 0);

    CHECK(flat.as_double(9) == 18);
    CHECK(array.values<float>()[1] == 2);
    CHECK(array.data() == flat.data());
    CHECK(array.loose_data() == same.data());
    CHECK(source->written == 3);
    CHECK(compare(array, NDArray::copy_of(DType::F32, {2, 5}, flat.data(), 40)).max_abs == 0);
    CHECK(array.content_hash() == NDArray::copy_of(DType::F32, {2, 5}, flat.data(), 40).content_hash());

    const NDArray whole = NDArray::lazy(DType::F32, {10}, std::make_shared<Doubles>(10, false));
    whole.read(8, 2, part.data()); // its source cannot do without the others
    CHECK(part[1] == 18);
    CHECK(whole.loose_data() == whole.data());
    CHECK(NDArray::zeros(DType::F32, {1}).source() == nullptr);
}

TEST_CASE("many lazy arrays are computed at once, and asked for from several threads", "[base][ndarray]") {
    std::vector<NDArray> arrays;
    std::vector<std::shared_ptr<Doubles>> sources;
    for (std::int64_t count = 1; count < 40; ++count) {
        sources.push_back(std::make_shared<Doubles>(count));
        arrays.push_back(NDArray::lazy(DType::F32, {count}, sources.back()));
    }
    arrays.push_back(arrays[7].reshaped({2, 4}));      // the same storage twice
    arrays.push_back(NDArray::zeros(DType::F32, {3})); // not lazy
    static_cast<void>(arrays[3].data());               // there already
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) threads.emplace_back([&] { static_cast<void>(arrays[30].data()); });
        compute_all(arrays);
    }
    for (std::size_t i = 0; i < sources.size(); ++i) {
        CHECK(sources[i]->written >= 3);
        if (i != 30) CHECK(sources[i]->written == 3);
        CHECK(reinterpret_cast<std::uintptr_t>(arrays[i].data()) % 64 == 0);
        for (std::int64_t e = 0; e < arrays[i].size(); ++e)
            CHECK(arrays[i].as_double(e) == 2.0 * static_cast<double>(e));
    }
    const NDArray last = arrays[20];
    arrays.clear(); // the block lives on with the last of its arrays
    CHECK(last.as_double(20) == 40);
    compute_all({});
}

TEST_CASE("a loaded file stays as it was", "[base][file]") {
    const auto path = scratch_file();
    std::filesystem::remove(path);
    CHECK(load_file(path).error().code == Code::FileMissing);
    CHECK_FALSE(file_stamp(path));
    std::string content(3'500'000, 'x'); // several pieces
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 / 5);
    REQUIRE(write_file(path, content).has_value());
    const LoadedFile first = load_file(path).value();
    REQUIRE(std::string(reinterpret_cast<const char*>(first.bytes.data()), first.bytes.size()) == content);
    CHECK(load_file(path).value().content == first.content);
    CHECK(load_file(path, content.size() - 1).error().code == Code::LimitExceeded);
    CHECK(load_file(std::filesystem::temp_directory_path()).error().code == Code::FileUnreadable);
    CHECK_FALSE(file_stamp(path)); // just written

    const auto past = std::filesystem::last_write_time(path) - std::chrono::hours(1);
    std::filesystem::resize_file(path, 10);
    CHECK(load_file(path).value().content != first.content);
    CHECK(static_cast<char>(first.bytes[3'000'000]) == content[3'000'000]);
    std::filesystem::resize_file(path, 0);
    CHECK(load_file(path).value().bytes.empty());
    std::filesystem::last_write_time(path, past);
    CHECK_FALSE(file_stamp(path)); // its node was changed just now, whatever its content's time
    std::filesystem::remove(path);
}
