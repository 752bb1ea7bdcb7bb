#pragma once
// Small ONNX files whose shapes are known only when they run.

#include <string>

namespace orrery::gui_test {

/// Two products and a softmax over any batch: x f32[batch,seq,12].
[[nodiscard]] std::string any_batch();
/// A branch and a loop whose results' extents depend on data.
[[nodiscard]] std::string branch_and_loop();

} // namespace orrery::gui_test
