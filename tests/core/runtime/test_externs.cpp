#include "core/runtime/externs.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <vector>

using namespace orrery::runtime;

namespace {

/// A matrix that lies in memory with any strides.
struct Matrix {
    std::vector<float> memory;
    std::int64_t extent[2], stride[2];
    Matrix(std::int64_t rows, std::int64_t columns, std::int64_t row, std::int64_t column, std::mt19937& random)
        : memory(static_cast<std::size_t>(rows * row + columns * column + 1)), extent{rows, columns}, stride{row,
                                                                                                             column} {
        for (float& value : memory) value = static_cast<float>(static_cast<int>(random() % 17) - 8);
    }
    orrery_view view() { return {memory.data(), extent, stride, 2}; }
    float& at(std::int64_t i, std::int64_t j) {
        return memory[static_cast<std::size_t>(i * stride[0] + j * stride[1])];
    }
};

} // namespace

TEST_CASE("orrery_gemm_f32 adds a product at any shape and stride", "[runtime][extern]") {
    std::mt19937 random(7);
    const ExternFunction* gemm = find_extern("orrery_gemm_f32");
    REQUIRE(gemm != nullptr);
    for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
             {1, 1, 1}, {4, 16, 8}, {5, 17, 3}, {3, 40, 300}, {9, 2, 513}, {0, 4, 4}, {4, 4, 0}}) {
        INFO(m << " " << n << " " << k);
        Matrix c(m, n, n + 3, 1, random), a(m, k, 1, m + 2, random), b(k, n, 2 * n + 1, 2, random);
        Matrix expected = c;
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j)
                for (std::int64_t x = 0; x < k; ++x) expected.at(i, j) += a.at(i, x) * b.at(x, j);
        const orrery_view views[] = {c.view(), a.view(), b.view()};
        gemm->function(views, nullptr);
        REQUIRE(c.memory == expected.memory); // whole numbers: exact in any order
    }
}

TEST_CASE("extern functions are known by symbols that C could have", "[runtime][extern]") {
    const auto nothing = [](const orrery_view*, const std::int64_t*) {};
    CHECK(register_extern({"test_runtime_nothing", "", {}, {}, nothing}));
    CHECK_FALSE(register_extern({"test_runtime_nothing", "", {}, {}, nothing}));
    CHECK_FALSE(register_extern({"orrery_gemm_f32", "", {}, {}, nothing}));
    CHECK_FALSE(register_extern({"no identifier", "", {}, {}, nothing}));
    CHECK_FALSE(register_extern({"", "", {}, {}, nothing}));
    CHECK_FALSE(register_extern({"test_runtime_null", "", {}, {}, nullptr}));
    CHECK(find_extern("test_runtime_null") == nullptr);
    const std::vector<std::string> symbols = extern_symbols();
    CHECK(std::is_sorted(symbols.begin(), symbols.end()));
    CHECK(std::find(symbols.begin(), symbols.end(), "test_runtime_nothing") != symbols.end());
}
