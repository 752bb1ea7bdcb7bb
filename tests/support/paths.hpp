#pragma once
// Where tests find files. In a library of its own, so that no other object of the tests depends on the folder the
// project lies in, and a compiler cache serves every checkout.

#include <filesystem>

namespace orrery::tests {

/// The root of the sources.
[[nodiscard]] std::filesystem::path source_dir();
/// Real models and tools beside the project; may not exist: tests that want it skip, saying what they miss.
[[nodiscard]] std::filesystem::path shared_dir();

} // namespace orrery::tests
