#pragma once
// A Dear ImGui canvas inside a Qt window: drawn on demand, Qt's input handed over.

#include "views/imgui/canvas.hpp"

#include <QElapsedTimer>
#include <QImage>
#include <QTimer>
#include <QWidget>

#include <functional>
#include <memory>

namespace orrery::app {

/// Draws into a picture of its own and shows it as a plain widget does: the window around it keeps Qt's raster
/// painting, `grab` works, and no platform needs OpenGL.
class ImGuiHost : public QWidget {
    Q_OBJECT
  public:
    using Draw = std::function<void(const imgui::Input&)>;
    explicit ImGuiHost(const QString& name, QWidget* parent = nullptr);
    ~ImGuiHost() override;
    void set_draw(Draw draw) { draw_ = std::move(draw); }
    /// Letters that go to the canvas when typed while it has the focus, in lower case; others go to the window.
    void set_keys(const QString& letters) { keys_ = letters; }
    /// Asks for a frame; several requests before the next paint are one.
    void request_frame();
    [[nodiscard]] double last_frame_ms() const { return frame_ms_; }
    [[nodiscard]] int frames() const { return frames_; }
    [[nodiscard]] int vertices() const { return canvas_->vertices(); } ///< of the last frame
    [[nodiscard]] const imgui::Input& input() const { return input_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void render();
    void run_frame();
    void set_mouse(const QPointF& at);
    void set_button(Qt::MouseButton button, bool down);

    std::unique_ptr<imgui::Canvas> canvas_;
    QImage picture_;
    Draw draw_;
    QString keys_;
    imgui::Input input_;
    bool dirty_ = true;
    int settle_ = 0; ///< frames still to be drawn after the last input: ImGui answers one frame late
    QElapsedTimer clock_;
    double frame_ms_ = 0;
    int frames_ = 0;
};

/// The theme's colours as canvases take them.
[[nodiscard]] imgui::Style canvas_style();

} // namespace orrery::app
