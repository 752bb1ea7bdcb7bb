#include "app/window_imgui_host.hpp"

#include "views/qt/theme.hpp"

#include <QMouseEvent>
#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLFramebufferObject>
#include <QOpenGLFunctions>
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

ImGuiHost::~ImGuiHost() {
    if (gl_ != Gl::Ready) return;
    context_->makeCurrent(surface_.get());
    target_.reset();
    canvas_->stop_gl();
    context_->doneCurrent();
}

void ImGuiHost::start() {
    if (gl_ != Gl::Unknown) return;
    gl_ = Gl::Missing;
    context_ = std::make_unique<QOpenGLContext>();
    if (!context_->create()) return;
    surface_ = std::make_unique<QOffscreenSurface>();
    surface_->setFormat(context_->format());
    surface_->create();
    if (!surface_->isValid() || !context_->makeCurrent(surface_.get())) return;
    const auto version = context_->format().version();
    const bool enough = context_->isOpenGLES() || version >= qMakePair(3, 0); // what imgui_impl_opengl3 needs
    if (enough && canvas_->start_gl()) gl_ = Gl::Ready;
    context_->doneCurrent();
}

bool ImGuiHost::has_gl() {
    start();
    return gl_ == Gl::Ready;
}

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
    if (!context_->makeCurrent(surface_.get())) {
        gl_ = Gl::Missing;
        return;
    }
    const QSize pixels = size() * devicePixelRatioF();
    if (!target_ || target_->size() != pixels) target_ = std::make_unique<QOpenGLFramebufferObject>(pixels);
    target_->bind();
    QOpenGLFunctions* gl = context_->functions();
    gl->glViewport(0, 0, pixels.width(), pixels.height());
    gl->glClearColor(0, 0, 0, 1);
    gl->glClear(GL_COLOR_BUFFER_BIT);
    run_frame();
    canvas_->render_gl();
    picture_ = target_->toImage(true);
    picture_.setDevicePixelRatio(devicePixelRatioF());
    target_->release();
    context_->doneCurrent();
    ++frames_;
    frame_ms_ = static_cast<double>(timer.nsecsElapsed()) / 1e6;
}

void ImGuiHost::paintEvent(QPaintEvent*) {
    start();
    QPainter painter(this);
    if (gl_ == Gl::Ready && dirty_) {
        dirty_ = false;
        render();
    }
    if (gl_ != Gl::Ready) {
        painter.fillRect(rect(), qt::theme().ground);
        painter.setPen(qt::theme().dim);
        painter.drawText(
            rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
            tr("This canvas needs OpenGL 3, which is not available here. The table beside it shows the same."));
        return;
    }
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
    if (dirty_ && gl_ == Gl::Ready && !down) render();
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
    if (dirty_ && gl_ == Gl::Ready) render();
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
        if (dirty_ && gl_ == Gl::Ready && input_.key != 0) render(); // one letter a frame
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
