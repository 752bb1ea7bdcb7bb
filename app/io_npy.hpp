#pragma once
// NumPy's .npy files: inputs and outputs of a run.
// Source of the format: NEP 1 and numpy.lib.format's documentation, versions 1.0 to 3.0.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace orrery::app {

/// The array of a .npy file: any dtype NumPy and we have in common (all but bf16), either byte order; Fortran order is
/// rearranged to row-major. What follows the array in the file is ignored, as NumPy does.
/// Errors: FileMissing; FileUnreadable for a damaged or shortened file; BadType for other element types; LimitExceeded
/// for more than 32 dimensions. No more memory is taken than the file has bytes.
[[nodiscard]] Result<NDArray> read_npy(const std::filesystem::path& path);
/// The same from memory; `name` is what a Diagnostic calls it.
[[nodiscard]] Result<NDArray> parse_npy(std::span<const std::byte> bytes, const std::string& name);

/// The bytes of a version 1.0 file, little-endian. bf16, which NumPy lacks, becomes f32 of the same values.
[[nodiscard]] std::string npy_bytes(const NDArray& array);
/// Errors: FileUnwritable.
[[nodiscard]] Result<void> write_npy(const std::filesystem::path& path, const NDArray& array);

/// The name of the file that holds tensor `name`: '/' and ':' become '_', and ".npy" follows.
[[nodiscard]] std::string npy_file_name(std::string_view name);

} // namespace orrery::app
