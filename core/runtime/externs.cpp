// The registry, then the functions that come with the program.

#include "core/runtime/externs.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <mutex>

namespace orrery::runtime {

namespace {

struct Registry {
    std::mutex mutex;
    std::map<std::string, ExternFunction, std::less<>> all; ///< nothing is ever taken out
};

Registry& registry() {
    static Registry instance;
    static std::once_flag once;
    std::call_once(once, [] {
        instance.all["orrery_gemm_f32"] = {
            "orrery_gemm_f32",
            "Adds the product of a and b to c; rows and columns may lie anywhere.",
            {{"c", "f32", "rw", {"m", "n"}}, {"a", "f32", "r", {"m", "k"}}, {"b", "f32", "r", {"k", "n"}}},
            {},
            gemm_f32};
    });
    return instance;
}

bool is_identifier(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    return !text.empty() && letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

} // namespace

bool register_extern(ExternFunction function) {
    if (!is_identifier(function.symbol) || function.function == nullptr) return false;
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    std::string symbol = function.symbol;
    return known.all.emplace(std::move(symbol), std::move(function)).second;
}

const ExternFunction* find_extern(std::string_view symbol) {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    const auto found = known.all.find(symbol);
    return found == known.all.end() ? nullptr : &found->second;
}

std::vector<std::string> extern_symbols() {
    Registry& known = registry();
    const std::lock_guard lock(known.mutex);
    std::vector<std::string> out;
    for (const auto& [symbol, function] : known.all) out.push_back(symbol);
    return out;
}

// -------------------------------------------------------------------------------------------- gemm_f32

namespace {

/// A tile of c that fits the vector registers of any 64-bit machine, and a panel of b (16 KiB) that fits its L1.
constexpr std::int64_t kRows = 4, kColumns = 16, kDepth = 256;

struct Matrix {
    float* data = nullptr;
    std::int64_t row = 0, column = 0; ///< Units: elements from one to the next
    explicit Matrix(const orrery_view& view)
        : data(static_cast<float*>(view.data)), row(view.stride[0]), column(view.stride[1]) {}
    [[nodiscard]] Matrix from(std::int64_t i, std::int64_t j) const {
        Matrix out = *this;
        out.data = at(i, j);
        return out;
    }
    [[nodiscard]] float* at(std::int64_t i, std::int64_t j) const { return data + i * row + j * column; }
};

using Panel = std::array<float, static_cast<std::size_t>(kDepth* kColumns)>;
using Tile = std::array<std::array<float, kColumns>, kRows>;

void pack(Panel& panel, const Matrix& from, std::int64_t columns, std::int64_t depth) {
    float* out = panel.data();
    for (std::int64_t k = 0; k < depth; ++k)
        for (std::int64_t x = 0; x < kColumns; ++x) *out++ = x < columns ? *from.at(k, x) : 0.0F;
}

/// The product of kRows rows of a with the panel; rows that are not there are the last one again.
void multiply(Tile& tile, const std::array<const float*, kRows>& rows, std::int64_t step, const Panel& panel,
              std::int64_t depth) {
    tile = {};
    const float* b = panel.data();
    for (std::int64_t k = 0; k < depth; ++k, b += kColumns)
        for (std::size_t i = 0; i < kRows; ++i) {
            const float factor = rows[i][k * step];
            for (std::size_t x = 0; x < kColumns; ++x) tile[i][x] += factor * b[x];
        }
}

} // namespace

void gemm_f32(const orrery_view* views, const std::int64_t* /*numbers*/) {
    const Matrix c(views[0]), a(views[1]), b(views[2]);
    const std::int64_t m = std::min(views[0].extent[0], views[1].extent[0]);
    const std::int64_t n = std::min(views[0].extent[1], views[2].extent[1]);
    const std::int64_t depth = std::min(views[1].extent[1], views[2].extent[0]);
    alignas(64) Panel panel;
    Tile tile;
    for (std::int64_t j = 0; j < n; j += kColumns)
        for (std::int64_t k = 0; k < depth; k += kDepth) {
            const std::int64_t columns = std::min(kColumns, n - j), steps = std::min(kDepth, depth - k);
            pack(panel, b.from(k, j), columns, steps);
            for (std::int64_t i = 0; i < m; i += kRows) {
                std::array<const float*, kRows> rows{};
                for (std::int64_t r = 0; r < kRows; ++r)
                    rows[static_cast<std::size_t>(r)] = a.at(std::min(i + r, m - 1), k);
                multiply(tile, rows, a.column, panel, steps);
                for (std::int64_t r = 0; r < std::min(kRows, m - i); ++r)
                    for (std::int64_t x = 0; x < columns; ++x)
                        *c.at(i + r, j + x) += tile[static_cast<std::size_t>(r)][static_cast<std::size_t>(x)];
            }
        }
}

} // namespace orrery::runtime
