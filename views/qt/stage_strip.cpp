#include "views/qt/stage_strip.hpp"

#include "views/qt/theme.hpp"

#include <QContextMenuEvent>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>
#include <QTimer>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kHeight = 52, kButtonHeight = 38, kDotWidth = 14, kMaxButton = 190;

QString text_of(const std::string& s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

QString second_line(const views::StageStep& step) {
    if (step.state == views::StageState::Running) return StageButton::tr("running…");
    if (step.state == views::StageState::Failed) return StageButton::tr("failed");
    if (step.state == views::StageState::Disabled) return StageButton::tr("off");
    if (step.detail.empty()) return text_of(step.time);
    return step.time.empty() ? text_of(step.detail) : text_of(step.detail) + QStringLiteral("  ") + text_of(step.time);
}

} // namespace

StageButton::StageButton(QWidget* parent) : QAbstractButton(parent) {
    setFocusPolicy(Qt::TabFocus);
    setCursor(Qt::PointingHandCursor);
    setAttribute(Qt::WA_Hover);
}

void StageButton::set_step(const views::StageStep& step, bool expand) {
    step_ = step;
    expand_ = expand;
    const QString line = second_line(step);
    setAccessibleName(text_of(step.name));
    setAccessibleDescription(line);
    setToolTip(step.tooltip.empty() ? text_of(step.name) + u'\n' + line : text_of(step.tooltip));
    updateGeometry();
    update();
}

bool StageButton::is_dot() const {
    return !expand_ && !step_.changed && !step_.selected && step_.state == views::StageState::Done;
}

QSize StageButton::sizeHint() const {
    if (is_dot()) return {kDotWidth, kButtonHeight};
    const QFontMetrics bold(theme().ui_bold), small(theme().ui_small);
    const int text = std::max(bold.horizontalAdvance(text_of(step_.name)), small.horizontalAdvance(second_line(step_)));
    return {std::clamp(text + 20, 58, kMaxButton), kButtonHeight};
}

void StageButton::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF box = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    if (is_dot()) {
        painter.setPen(hasFocus() ? QPen(t.accent, 1) : QPen(Qt::NoPen));
        painter.setBrush(Qt::NoBrush);
        if (hasFocus()) painter.drawRoundedRect(box, 5, 5);
        painter.setPen(Qt::NoPen);
        painter.setBrush(underMouse() ? t.text : t.faint);
        painter.drawEllipse(box.center(), 2.5, 2.5);
        return;
    }
    const bool failed = step_.state == views::StageState::Failed, off = step_.state == views::StageState::Disabled;
    QPen border(t.hairline, 1);
    if (failed) border = QPen(t.error, 1);
    if (step_.selected) border = QPen(t.accent, 1.4);
    if (hasFocus()) border = QPen(step_.selected ? t.text : t.accent, 1.4);
    painter.setPen(border);
    painter.setBrush(step_.selected ? t.accent_fill : underMouse() ? t.hover : t.raised);
    painter.drawRoundedRect(box, 6, 6);
    const QRect inside = rect().adjusted(10, 4, -8, -4);
    const int half = inside.height() / 2;
    painter.setFont(t.ui_bold);
    painter.setPen(off ? t.quiet : step_.selected ? (t.choice.dark ? t.accent : t.text) : t.text);
    painter.drawText(QRect(inside.x(), inside.y(), inside.width(), half), Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(text_of(step_.name), Qt::ElideRight, inside.width()));
    painter.setFont(t.ui_small);
    const QRect second(inside.x(), inside.y() + half, inside.width(), half);
    const QString detail = text_of(step_.detail);
    if (step_.state != views::StageState::Done || detail.isEmpty()) {
        painter.setPen(failed ? t.error : t.dim);
        painter.drawText(second, Qt::AlignLeft | Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(second_line(step_), Qt::ElideRight, second.width()));
        return;
    }
    const int advance = painter.fontMetrics().horizontalAdvance(detail);
    const bool fewer = detail.startsWith(u'-') || detail.startsWith(u'−');
    painter.setPen(fewer ? t.good : t.dim);
    painter.drawText(second, Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(detail, Qt::ElideRight, second.width()));
    painter.setPen(t.dim);
    if (advance + 8 < second.width())
        painter.drawText(
            second.adjusted(advance + 8, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
            painter.fontMetrics().elidedText(text_of(step_.time), Qt::ElideRight, second.width() - advance - 8));
}

StageStrip::StageStrip(QWidget* parent) : QScrollArea(parent), data_(std::make_shared<views::StagesViewData>()) {
    setObjectName(QStringLiteral("strip"));
    setAccessibleName(tr("Stages"));
    setFixedHeight(kHeight);
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setFocusPolicy(Qt::NoFocus);
    viewport()->setAutoFillBackground(false);
    rebuild();
}

void StageStrip::set_data(std::shared_ptr<const views::StagesViewData> data) {
    if (!data || data == data_) return;
    const auto same_shape = [&] {
        if (data->sections.size() != data_->sections.size()) return false;
        for (std::size_t i = 0; i < data->sections.size(); ++i)
            if (data->sections[i].title != data_->sections[i].title ||
                data->sections[i].steps.size() != data_->sections[i].steps.size())
                return false;
        return true;
    };
    const bool keep = same_shape();
    data_ = std::move(data);
    if (!keep || buttons_.empty()) return rebuild();
    std::size_t next = 0;
    for (const views::StageSection& section : data_->sections)
        for (const views::StageStep& step : section.steps) buttons_[next++]->set_step(step, expanded_);
    show_selected();
}

void StageStrip::set_expanded(bool on) {
    expanded_ = on;
    for (StageButton* button : buttons_) button->set_step(views::StageStep(button->step()), on);
}

void StageStrip::rebuild() {
    buttons_.clear();
    auto* content = new QWidget;
    auto* row = new QHBoxLayout(content);
    row->setContentsMargins(16, 6, 16, 7);
    row->setSpacing(6);
    if (data_->sections.empty()) {
        auto* label = new QLabel(text_of(data_->empty_reason), content);
        label->setObjectName(QStringLiteral("dim"));
        row->addWidget(label);
    }
    for (const views::StageSection& section : data_->sections) {
        auto* label = new QLabel(text_of(section.title).toUpper(), content);
        label->setObjectName(QStringLiteral("dim"));
        QFont font = theme().ui_small;
        font.setPixelSize(11);
        font.setLetterSpacing(QFont::AbsoluteSpacing, 1.2);
        label->setFont(font);
        if (row->count() > 0) row->addSpacing(10);
        row->addWidget(label);
        row->addSpacing(2);
        for (const views::StageStep& step : section.steps) {
            auto* button = new StageButton(content);
            button->set_step(step, expanded_);
            button->installEventFilter(this);
            connect(button, &StageButton::clicked, this, [this, button] {
                if (sink_) sink_(views::SelectStage{button->step().id});
            });
            row->addWidget(button);
            buttons_.push_back(button);
        }
    }
    row->addStretch(1);
    setWidget(content);
    content->setAutoFillBackground(false);
    show_selected();
}

void StageStrip::show_selected() {
    // After the layout has run: until then positions are those of the strip before.
    QTimer::singleShot(0, this, [this] {
        for (StageButton* button : buttons_)
            if (button->step().selected) ensureWidgetVisible(button, 120, 0);
    });
}

void StageStrip::step(int direction, bool only_changed) {
    int at = -1;
    const int count = static_cast<int>(buttons_.size());
    for (int i = 0; i < count; ++i)
        if (buttons_[static_cast<std::size_t>(i)]->step().selected) at = i;
    for (int i = at + direction; i >= 0 && i < count; i += direction) {
        const views::StageStep& step = buttons_[static_cast<std::size_t>(i)]->step();
        if (only_changed && !step.changed) continue;
        if (sink_) sink_(views::SelectStage{step.id});
        return;
    }
}

bool StageStrip::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        const auto at = std::find(buttons_.begin(), buttons_.end(), watched);
        if (at != buttons_.end() && (key == Qt::Key_Left || key == Qt::Key_Right)) {
            const auto index = at - buttons_.begin() + (key == Qt::Key_Right ? 1 : -1);
            if (index >= 0 && index < static_cast<std::ptrdiff_t>(buttons_.size())) {
                buttons_[static_cast<std::size_t>(index)]->setFocus(Qt::TabFocusReason);
                ensureWidgetVisible(buttons_[static_cast<std::size_t>(index)], 60, 0);
            }
            return true;
        }
    }
    if (event->type() == QEvent::FocusIn)
        if (auto* button = qobject_cast<QWidget*>(watched)) ensureWidgetVisible(button, 60, 0);
    return QScrollArea::eventFilter(watched, event);
}

void StageStrip::wheelEvent(QWheelEvent* event) {
    const QPoint delta = event->angleDelta();
    horizontalScrollBar()->setValue(horizontalScrollBar()->value() - (delta.y() != 0 ? delta.y() : delta.x()) / 2);
    event->accept();
}

void StageStrip::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    for (StageButton* button : buttons_) {
        if (!button->rect().contains(button->mapFromGlobal(event->globalPos()))) continue;
        const views::StageStep step = button->step();
        menu.addAction(tr("Show this stage"), this, [this, step] {
            if (sink_) sink_(views::SelectStage{step.id});
        });
        if (step.can_disable) {
            const bool off = step.state == views::StageState::Disabled;
            menu.addAction(off ? tr("Switch this pass on") : tr("Switch this pass off"), this, [this, step, off] {
                if (sink_) sink_(views::EnablePass{step.id, off});
            });
        }
        menu.addSeparator();
    }
    QAction* all = menu.addAction(tr("Show steps that changed nothing"));
    all->setCheckable(true);
    all->setChecked(expanded_);
    connect(all, &QAction::toggled, this, &StageStrip::set_expanded);
    menu.exec(event->globalPos());
}

void StageStrip::paintEvent(QPaintEvent*) {
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), theme().panel);
    painter.fillRect(0, viewport()->height() - 1, viewport()->width(), 1, theme().hairline);
}

} // namespace orrery::qt
