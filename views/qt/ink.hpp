#pragma once
// Short texts that are painted over and over: each is shaped once and kept as glyphs.

#include <QGlyphRun>
#include <QList>
#include <QRect>
#include <QString>

#include <cstdint>
#include <limits>

class QPainter;

namespace orrery::qt {

/// The theme's typefaces.
enum class Face : std::uint8_t { Ui, UiSmall, UiBold, Mono, MonoBold };

/// A line of text as glyphs. Units: pixels.
struct ShapedText {
    QList<QGlyphRun> runs; ///< from the line's left end, y being 0 at its top
    int width = 0;
    double ascent = 0; ///< of the line, from its top to the glyphs' ground
};

/// The text as it fits into `room`: what is longer is cut, with an ellipsis in place of the rest. Shaping takes some
/// 30 microseconds, hundreds of times what looking it up does: a few thousand texts are kept. What is returned holds
/// until the next call. Thread: the window's.
[[nodiscard]] const ShapedText& shaped(Face face, const QString& text, int room = std::numeric_limits<int>::max(),
                                       Qt::TextElideMode elide = Qt::ElideRight);
/// The width of the text when nothing is cut.
[[nodiscard]] int shaped_width(Face face, const QString& text);

/// Where a text goes: in the middle of the height, cut to the width.
struct TextBox {
    QRect rect;
    Qt::Alignment align = Qt::AlignLeft; ///< left, right or in the middle
    Qt::TextElideMode elide = Qt::ElideRight;
};
/// Paints with the painter's pen; the width that was painted.
int draw_text(QPainter& painter, Face face, const TextBox& box, const QString& text);

/// Forgets what was shaped: the theme's typefaces are others.
void forget_shaped();

} // namespace orrery::qt
