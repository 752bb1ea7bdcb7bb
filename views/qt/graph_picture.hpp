#pragma once
// A whole graph as a picture.

#include "views/model/graph_view.hpp"

#include <QImage>

namespace orrery::qt {

/// In the colours of the theme in use, at `scale` pixels a unit, less when the picture would pass 16,384 pixels a side
/// or 64 million in all. Thread: the window's.
[[nodiscard]] QImage graph_picture(const views::GraphViewData& data, bool heat, double scale);

} // namespace orrery::qt
