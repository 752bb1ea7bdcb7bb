// The importer on any bytes: it takes them or refuses them.

#include "core/frontends/onnx/import.hpp"
#include "tests/core/frontends/onnx/model_seeds.hpp"
#include "tests/core/frontends/onnx/mutation.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace {

const std::vector<std::string>& originals() {
    static const std::vector<std::string> made = [] {
        std::vector<std::string> list;
        for (const auto& model : orrery::onnx::models::seeds()) list.push_back(model.SerializeAsString());
        return list;
    }();
    return made;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    orrery::onnx::ImportOptions options;
    options.max_bytes = std::int64_t{64} << 20;
    const auto module = orrery::onnx::import_bytes({reinterpret_cast<const std::byte*>(data), size}, {}, options);
    if (!module && module.error().message.empty()) std::abort();
    return 0;
}

/// Changes of the format's own kind: fields of messages, besides libFuzzer's changes of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
    if (seed % 3 == 0) return LLVMFuzzerMutate(data, size, max_size);
    const std::vector<std::string> current{std::string(reinterpret_cast<const char*>(data), size)};
    const bool fresh = size < 16 || seed % 16 == 1;
    const std::string next = orrery::onnx::models::mutated(fresh ? originals() : current, seed);
    const std::size_t kept = std::min(next.size(), max_size);
    std::copy_n(next.begin(), kept, data);
    return kept;
}
