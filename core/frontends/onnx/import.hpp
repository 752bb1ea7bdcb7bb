#pragma once
// Reads ONNX models into the graph IR.

#include "core/base/file.hpp"
#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
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
    /// Fixes inputs' shapes; symbolic dimensions take their value from here. A sequence's own is its length, [N]; left
    /// out it is as long as there are shapes "name.0", "name.1", ... of its elements. Optionals not named are empty.
    std::map<std::string, Shape> shapes;
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
/// The two steps of it: the file's bytes, then what they mean. Its constants share the bytes.
/// Errors: FileMissing, FileUnreadable, LimitExceeded; the others.
[[nodiscard]] Result<LoadedFile> load_model(const std::filesystem::path& path);
[[nodiscard]] Result<graph::Module> import_loaded(const LoadedFile& file, const std::filesystem::path& path,
                                                  const ImportOptions& options = {}, const Progress& progress = {});
/// The same from memory; `folder` is where external data lies (empty: none allowed).
[[nodiscard]] Result<graph::Module> import_bytes(std::span<const std::byte> bytes, const std::filesystem::path& folder,
                                                 const ImportOptions& options = {}, const Progress& progress = {});

/// What a file calls an input or output. A sequence is imported as its elements "name.0", "name.1", ...
enum class ValueKind : std::uint8_t { Tensor, Sequence, Optional, OptionalSequence };
struct ModelValue {
    std::string name;
    ValueKind kind = ValueKind::Tensor;
};
struct ModelInterface {
    std::vector<ModelValue> inputs; ///< those that have no default value, in the file's order
    std::vector<ModelValue> outputs;
};
/// Errors: FileMissing, FileUnreadable, MalformedModel, LimitExceeded.
[[nodiscard]] Result<ModelInterface> model_interface(const std::filesystem::path& path);
/// Names of its inputs. Errors: as model_interface.
[[nodiscard]] Result<std::vector<std::string>> input_names(const std::filesystem::path& path);

/// ONNX operators served, with the first opset version each entry holds for.
struct ServedOperator {
    std::string name;
    int since_opset = 1;
};
[[nodiscard]] std::vector<ServedOperator> served_operators();

/// An ONNX TensorProto file's content as an array. Errors: MalformedModel, UnsupportedFeature, LimitExceeded.
[[nodiscard]] Result<NDArray> parse_tensor(std::span<const std::byte> bytes);
/// The tensors of a file that holds a value of that kind: one, or the elements of a sequence; nullopt of an optional
/// without element. Errors: as parse_tensor.
[[nodiscard]] Result<std::optional<std::vector<NDArray>>> parse_value(std::span<const std::byte> bytes, ValueKind kind);

} // namespace orrery::onnx
