#include "core/ops/permute.hpp"
#include "tests/core/ops/calls.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

void require_as_transpose(const NDArray& array, const Ints& perm) {
    const NDArray expected = call("transpose", {array}, {{"perm", perm}}), actual = ops::permuted(array, perm);
    INFO(type_text(array.dtype(), array.shape()));
    REQUIRE(actual.shape() == expected.shape());
    REQUIRE(std::memcmp(actual.data(), expected.data(), expected.bytes()) == 0);
}

} // namespace

TEST_CASE("axes are turned as the operator says, in any order and of any size", "[ops][permute]") {
    std::mt19937 random(3);
    for (int round = 0; round < 300; ++round) {
        const std::size_t rank = 1 + random() % 5;
        Shape shape;
        for (std::size_t d = 0; d < rank; ++d)
            shape.push_back(random() % 4 == 0 ? 1 : 1 + static_cast<std::int64_t>(random() % (rank < 3 ? 70 : 19)));
        Ints perm(rank);
        std::iota(perm.begin(), perm.end(), 0);
        std::shuffle(perm.begin(), perm.end(), random);
        const DType dtypes[] = {DType::F32, DType::U8, DType::I64, DType::F16, DType::Bool};
        const DType dtype = dtypes[random() % 5];
        NDArray array = NDArray::zeros(dtype, shape);
        for (std::int64_t i = 0; i < array.size(); ++i) array.set_int(i, static_cast<std::int64_t>(random() % 97));
        require_as_transpose(array, perm);
    }
    require_as_transpose(counted({600, 700}), {1, 0}); // several pieces
    require_as_transpose(counted({64, 3, 7, 300}), {2, 0, 3, 1});
    const NDArray large = counted({600, 700}), turned = ops::permuted(large, Ints{1, 0});
    std::vector<float> few(30);
    turned.read(590, 30, few.data()); // without the others
    for (std::int64_t i = 0; i < 30; ++i) {
        const std::int64_t at = 590 + i;
        CHECK(few[static_cast<std::size_t>(i)] == static_cast<float>(at % 600 * 700 + at / 600));
    }
    REQUIRE(ops::permuted(NDArray::zeros(DType::F32, {3, 0, 2}), Ints{2, 1, 0}).shape() == Shape{2, 0, 3});
    REQUIRE(ops::permuted(f32({}, {5}), Ints{}).as_double(0) == 5);
}
