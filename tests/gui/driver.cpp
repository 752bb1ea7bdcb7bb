#include "tests/gui/driver.hpp"

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QTimer>

#include <algorithm>
#include <vector>

namespace orrery::gui_test {

bool wait_for(const std::function<bool()>& done) { return QTest::qWaitFor(done, 10'000); }

bool spin_until(const std::function<bool()>& done) {
    QElapsedTimer timer;
    timer.start();
    QTimer alarm; // so that there is an event when nothing else comes
    alarm.start(1);
    while (!done()) {
        if (timer.elapsed() > 10'000) return false;
        QApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents);
    }
    return true;
}

void show(QWidget& widget, int width, int height) {
    widget.resize(width, height);
    widget.show();
    (void)QTest::qWaitForWindowExposed(&widget);
    QApplication::setActiveWindow(&widget); // Xvfb has no window manager to do it
    QApplication::processEvents();
}

QImage picture(QWidget& widget, const QString& name) {
    QDir().mkpath(QStringLiteral(ORRERY_SHOTS));
    QApplication::processEvents();
    const QImage image = widget.grab().toImage();
    image.save(QStringLiteral(ORRERY_SHOTS) + u'/' + name + QStringLiteral(".png"));
    return image;
}

void click(QWidget* widget, const QPointF& at, Qt::KeyboardModifiers modifiers) {
    QTest::mouseMove(widget, at.toPoint());
    QTest::mouseClick(widget, Qt::LeftButton, modifiers, at.toPoint());
    QApplication::processEvents();
}

int count_pixels(const QImage& image, const QColor& colour) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QColor c = image.pixelColor(x, y);
            const int far = std::abs(c.red() - colour.red()) + std::abs(c.green() - colour.green()) +
                            std::abs(c.blue() - colour.blue());
            count += far <= 6 ? 1 : 0;
        }
    return count;
}

double frame_ms(QWidget& widget, int frames, const std::function<void(int)>& move) {
    std::vector<double> times;
    for (int i = 0; i < frames; ++i) {
        QElapsedTimer timer;
        timer.start();
        move(i);
        widget.repaint();
        times.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
    }
    std::nth_element(times.begin(), times.begin() + frames / 2, times.end());
    return times[static_cast<std::size_t>(frames / 2)];
}

} // namespace orrery::gui_test
