#include "views/qt/graph_picture.hpp"

#include "views/qt/graph_painter.hpp"
#include "views/qt/theme.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::qt {

QImage graph_picture(const views::GraphViewData& data, bool heat, double scale) {
    constexpr double kMargin = 24, kMostSide = 16384, kMostPixels = 64e6;
    const double width = data.width + 2 * kMargin, height = data.height + 2 * kMargin;
    scale = std::min({scale, kMostSide / width, kMostSide / height, std::sqrt(kMostPixels / (width * height))});
    QImage image(std::max(1, static_cast<int>(std::ceil(width * scale))),
                 std::max(1, static_cast<int>(std::ceil(height * scale))), QImage::Format_RGB32);
    image.fill(theme().ground);
    GraphPainter painter;
    // The painter shares its data; this one is only borrowed.
    painter.set_data(std::shared_ptr<const views::GraphViewData>(std::shared_ptr<void>(), &data));
    GraphFrameState state;
    state.scale = scale;
    state.origin = QPointF(kMargin, kMargin) * scale;
    state.size = image.size();
    state.heat = heat;
    QPainter out(&image);
    painter.paint(out, state);
    return image;
}

} // namespace orrery::qt
