#pragma once
// Waiting, clicking, pictures.

#include <QString>
#include <QTest>
#include <QWidget>

#include <functional>

namespace orrery::gui_test {

/// Runs the event loop until `done`, at most ten seconds. False when that never came.
[[nodiscard]] bool wait_for(const std::function<bool()>& done);
/// The same without the pauses between looks, for measuring: looks after each event.
[[nodiscard]] bool spin_until(const std::function<bool()>& done);
/// Shows the widget at a size and waits until it is on screen.
void show(QWidget& widget, int width, int height);
/// Saves the widget as shots/<name>.png and returns the picture.
QImage picture(QWidget& widget, const QString& name);
void click(QWidget* widget, const QPointF& at, Qt::KeyboardModifiers modifiers = Qt::NoModifier);
/// How many pixels of the picture have that colour, within a small distance.
[[nodiscard]] int count_pixels(const QImage& image, const QColor& colour);
/// Median of `frames` repaints in milliseconds, with `move` called before each.
[[nodiscard]] double frame_ms(QWidget& widget, int frames, const std::function<void(int)>& move);

} // namespace orrery::gui_test
