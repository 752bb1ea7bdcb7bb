#pragma once
// Reads ONNX models into the graph IR.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace orrery::onnx {

/// What becomes of symbolic dimensions that no shape fixes.
enum class OpenExtents : std::uint8_t {
    BindBatch, ///< inputs' first dimensions become 1 when that leaves no other open; otherwise all stay symbols
    Keep,      ///< all stay symbols
};

struct ImportOptions {
    std::map<std::string, Shape> shapes;      ///< fixes inputs' shapes; symbolic dimensions take their value from here
    std::map<std::string, NDArray> constants; ///< inputs to be taken as constants of that value
    OpenExtents open = OpenExtents::BindBatch;
    std::int64_t max_bytes = std::int64_t{8} << 30; ///< for all constants and any one intermediate type together
};

/// Reads a model file; initializers stored outside are read from beside it and nowhere else.
/// A node whose operator cannot be told before its operands' shapes or values are known becomes an open call
/// (open.hpp). Errors: FileMissing, FileUnreadable, MalformedModel, UnsupportedOperator (all of them at once, with
/// their nodes), UnsupportedFeature, BadShape, BadType, BadAttribute, LimitExceeded, Cancelled.
[[nodiscard]] Result<graph::Module> import_file(const std::filesystem::path& path, const ImportOptions& options = {},
                                                const Progress& progress = {});
/// The same from memory; `folder` is where external data lies (empty: none allowed).
[[nodiscard]] Result<graph::Module> import_bytes(std::span<const std::byte> bytes, const std::filesystem::path& folder,
                                                 const ImportOptions& options = {}, const Progress& progress = {});

/// Names of a model's inputs that have no default value, in the file's order.
/// Errors: FileMissing, FileUnreadable, MalformedModel, LimitExceeded.
[[nodiscard]] Result<std::vector<std::string>> input_names(const std::filesystem::path& path);

/// ONNX operators served, with the first opset version each entry holds for.
struct ServedOperator {
    std::string name;
    int since_opset = 1;
};
[[nodiscard]] std::vector<ServedOperator> served_operators();

/// An ONNX TensorProto file's content as an array. Errors: MalformedModel, UnsupportedFeature, LimitExceeded.
[[nodiscard]] Result<NDArray> parse_tensor(std::span<const std::byte> bytes);

} // namespace orrery::onnx
