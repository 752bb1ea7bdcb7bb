#include "app/window_imgui_host.hpp"

#include "views/qt/theme.hpp"

#include <QMouseEvent>
#include <QPainter>
#include <QStandardPaths>

namespace orrery::app {
namespace {

constexpr int kSettleFrames = 2;

/// The interface's typeface as a file, for ImGui's own rasterizer.
QString font_file() {
    for (const char* name : {"opentype/inter/Inter-Regular.otf", "truetype/inter/Inter-Regular.ttf",
                             "truetype/dejavu/DejaVuSans.ttf", "truetype/noto/NotoSans-Regular.ttf"}) {
        const QString found = QStandardPaths::locate(QStandardPaths::FontsLocation, QLatin1String(name));
        if (!found.isEmpty()) return found;
    }
    return {};
}

imgui::Colour packed(const QColor& c) {
    return imgui::rgb(static_cast<std::uint8_t>(c.red()), static_cast<std::uint8_t>(c.green()),
                      static_cast<std::uint8_t>(c.blue()));
}

} // namespace

imgui::Style canvas_style() {
    const qt::Theme& t = qt::theme();
    imgui::Style s;
    s.ground = packed(t.ground), s.panel = packed(t.panel), s.raised = packed(t.raised),
    s.hairline = packed(t.hairline);
    s.text = packed(t.text), s.dim = packed(t.dim), s.faint = packed(t.faint);
    s.accent = packed(t.accent), s.accent_fill = packed(t.accent_fill);
    s.bad = packed(t.error), s.warning = packed(t.warning);
    s.kinds = {packed(t.blue), packed(t.teal), packed(t.violet), packed(t.green), packed(t.grey)};
    s.kind_fills = {packed(t.blue_fill), packed(t.teal_fill), packed(t.violet_fill), packed(t.green_fill),
                    packed(t.grey_fill)};
    return s;
}

ImGuiHost::ImGuiHost(const QString& name, QWidget* parent)
    : QWidget(parent), canvas_(std::make_unique<imgui::Canvas>()) {
    setAccessibleName(name);
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAttribute(Qt::WA_OpaquePaintEvent);
    setMinimumSize(120, 80);
    canvas_->set_font(font_file().toStdString(), 12);
    clock_.start();
}

ImGuiHost::~ImGuiHost() = default;

void ImGuiHost::request_frame() {
    dirty_ = true;
    settle_ = kSettleFrames;
    update();
}

void ImGuiHost::run_frame() {
    input_.width = static_cast<float>(width());
    input_.height = static_cast<float>(height());
    input_.ratio = static_cast<float>(devicePixelRatioF());
    input_.seconds = std::min(0.1f, static_cast<float>(clock_.restart()) / 1000.f);
    canvas_->frame(input_, [this] {
        if (draw_) draw_(input_);
    });
    input_.wheel = 0;
    input_.step = 0;
    input_.key = 0;
}

void ImGuiHost::render() {
    QElapsedTimer timer;
    timer.start();
    const QSize pixels = size() * devicePixelRatioF();
    if (picture_.size() != pixels) picture_ = QImage(pixels, QImage::Format_RGB32); // opaque: painting it is a copy
    picture_.setDevicePixelRatio(devicePixelRatioF());
    run_frame();
    canvas_->paint({reinterpret_cast<std::uint32_t*>(picture_.bits()), picture_.width(), picture_.height(),
                    static_cast<std::size_t>(picture_.bytesPerLine()) / 4},
                   packed(qt::theme().ground));
    ++frames_;
    frame_ms_ = static_cast<double>(timer.nsecsElapsed()) / 1e6;
}

void ImGuiHost::paintEvent(QPaintEvent*) {
    if (dirty_) {
        dirty_ = false;
        render();
    }
    QPainter painter(this);
    painter.drawImage(0, 0, picture_);
    if (hasFocus()) {
        painter.setPen(qt::theme().accent);
        painter.drawRect(rect().adjusted(0, 0, -1, -1));
    }
    if (settle_ > 0) {
        --settle_;
        QTimer::singleShot(0, this, [this] {
            dirty_ = true;
            update();
        });
    }
}

void ImGuiHost::set_mouse(const QPointF& at) {
    input_.mouse_x = static_cast<float>(at.x());
    input_.mouse_y = static_cast<float>(at.y());
    request_frame();
}

void ImGuiHost::set_button(Qt::MouseButton button, bool down) {
    const int index = button == Qt::LeftButton     ? 0
                      : button == Qt::RightButton  ? 1
                      : button == Qt::MiddleButton ? 2
                                                   : -1;
    if (index < 0) return;
    // A press and its release within one frame would be lost: the frame of the press is drawn first.
    if (dirty_ && !down) render();
    input_.buttons[static_cast<std::size_t>(index)] = down;
    request_frame();
}

void ImGuiHost::mousePressEvent(QMouseEvent* event) {
    input_.shift = (event->modifiers() & Qt::ShiftModifier) != 0;
    set_mouse(event->position());
    set_button(event->button(), true);
}

void ImGuiHost::mouseReleaseEvent(QMouseEvent* event) {
    set_mouse(event->position());
    set_button(event->button(), false);
}

void ImGuiHost::mouseMoveEvent(QMouseEvent* event) { set_mouse(event->position()); }

void ImGuiHost::mouseDoubleClickEvent(QMouseEvent* event) {
    if (dirty_) render();
    set_mouse(event->position());
    set_button(event->button(), true);
}

void ImGuiHost::wheelEvent(QWheelEvent* event) {
    input_.wheel += static_cast<float>(event->angleDelta().y()) / 120.f;
    input_.shift = (event->modifiers() & Qt::ShiftModifier) != 0;
    event->accept();
    request_frame();
}

void ImGuiHost::keyPressEvent(QKeyEvent* event) {
    const int key = event->key();
    const QString letter = key == Qt::Key_Escape ? QStringLiteral("\x1b") : QString(QChar(key).toLower());
    const bool plain = (event->modifiers() & (Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier)) == 0;
    if (plain && key < 0x80 ? keys_.contains(letter) : key == Qt::Key_Escape && keys_.contains(letter)) {
        if (dirty_ && input_.key != 0) render(); // one letter a frame
        input_.key = letter.at(0).toLatin1();
        input_.shift = (event->modifiers() & Qt::ShiftModifier) != 0;
        return request_frame();
    }
    if (key != Qt::Key_Left && key != Qt::Key_Right && key != Qt::Key_Up && key != Qt::Key_Down)
        return QWidget::keyPressEvent(event);
    input_.step = key == Qt::Key_Left || key == Qt::Key_Up ? -1 : 1;
    request_frame();
}

void ImGuiHost::leaveEvent(QEvent*) { set_mouse({-1e6, -1e6}); }

void ImGuiHost::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    request_frame();
}

void ImGuiHost::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::PaletteChange) request_frame();
}

} // namespace orrery::app
