#include "views/qt/status_line.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QToolButton>

namespace orrery::qt {
namespace {
constexpr int kLineHeight = 28;
constexpr int kPatienceMs = 200; // shorter jobs come and go unsaid; UX.md: waits over 300 ms show what they do
} // namespace

StatusLine::StatusLine(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("statusline"));
    setAccessibleName(tr("Status"));
    setFixedHeight(kLineHeight);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(12, 1, 8, 0);
    row->setSpacing(8);
    const auto label = [&](bool dim) {
        auto* l = new QLabel(this);
        if (dim) l->setObjectName(QStringLiteral("dim"));
        l->setFont(theme().ui_small);
        l->setMinimumWidth(0);
        l->hide();
        row->addWidget(l);
        return l;
    };
    dot_ = label(false);
    check_ = label(false);
    rebuilt_ = label(true);
    speed_ = label(true);
    hint_ = label(true);
    for (QLabel* later : {rebuilt_, speed_, hint_}) later->setContentsMargins(10, 0, 0, 0);
    row->addStretch(1);
    job_ = label(true);
    bar_ = new QProgressBar(this);
    bar_->setAccessibleName(tr("Progress of the running job"));
    bar_->setTextVisible(false);
    bar_->setFixedWidth(120);
    bar_->setRange(0, 1000);
    row->addWidget(bar_);
    cancel_ = new QToolButton(this);
    cancel_->setObjectName(QStringLiteral("flat"));
    cancel_->setText(tr("cancel"));
    cancel_->setToolTip(tr("Cancel what is running (Ctrl+.)"));
    cancel_->setAccessibleName(tr("Cancel the running job"));
    row->addWidget(cancel_);
    connect(cancel_, &QToolButton::clicked, this, [this] {
        if (sink_) sink_(views::CancelJobs{});
    });
    patience_.setSingleShot(true);
    patience_.setInterval(kPatienceMs);
    connect(&patience_, &QTimer::timeout, this, &StatusLine::render_job);
    render();
}

void StatusLine::set_data(const views::StatusViewData& data) {
    if (data == data_) return;
    if (data.check != data_.check || data.speed != data_.speed || data.rebuilt != data_.rebuilt) show_hint({});
    data_ = data;
    render();
}

void StatusLine::show_hint(const QString& text) {
    hint_->setText(text);
    hint_->setVisible(!text.isEmpty());
}

void StatusLine::render() {
    const QColor colour = theme().tone(data_.check_tone);
    const auto set = [](QLabel* label, const QString& text) {
        label->setText(text);
        label->setVisible(!text.isEmpty());
    };
    set(dot_, data_.check.empty() ? QString() : QStringLiteral("●"));
    set(check_, text_of(data_.check));
    if (colour != colour_) { // a style sheet costs milliseconds
        colour_ = colour;
        dot_->setStyleSheet(QStringLiteral("color: %1; font-size: 10px").arg(colour.name()));
        check_->setStyleSheet(QStringLiteral("color: %1").arg(colour.name()));
    }
    set(rebuilt_, text_of(data_.rebuilt));
    set(speed_, text_of(data_.speed));
    if (!data_.job.empty() && job_->isHidden()) {
        if (!patience_.isActive()) patience_.start();
        return;
    }
    patience_.stop();
    render_job();
}

void StatusLine::render_job() {
    job_->setText(text_of(data_.job));
    job_->setVisible(!data_.job.empty());
    const bool running = !data_.job.empty() && !data_.quiet;
    bar_->setVisible(running);
    cancel_->setVisible(running && data_.can_cancel);
    if (!running) return;
    bar_->setRange(0, data_.fraction < 0 ? 0 : 1000);
    if (data_.fraction >= 0) bar_->setValue(static_cast<int>(data_.fraction * 1000));
}

void StatusLine::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) render();
}

void StatusLine::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme().panel);
    painter.fillRect(0, 0, width(), 1, theme().hairline);
}

} // namespace orrery::qt
