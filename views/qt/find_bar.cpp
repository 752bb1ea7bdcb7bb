#include "views/qt/find_bar.hpp"

#include "views/qt/theme.hpp"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QToolButton>

namespace orrery::qt {

FindBar::FindBar(const QString& placeholder, QWidget* parent) : QWidget(parent) {
    setFixedSize(360, 40);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 5, 6, 5);
    row->setSpacing(2);
    field_ = new QLineEdit(this);
    field_->setPlaceholderText(placeholder);
    field_->setAccessibleName(placeholder);
    row->addWidget(field_, 1);
    count_ = new QLabel(this);
    count_->setObjectName(QStringLiteral("dim"));
    count_->setMinimumWidth(74);
    count_->setAlignment(Qt::AlignCenter);
    row->addWidget(count_);
    const auto button = [&](const QString& text, const QString& name) {
        auto* b = new QToolButton(this);
        b->setObjectName(QStringLiteral("flat"));
        b->setText(text);
        b->setToolTip(name);
        b->setAccessibleName(name);
        row->addWidget(b);
        return b;
    };
    case_ = button(QStringLiteral("Aa"), tr("Match case"));
    case_->setCheckable(true);
    auto* previous = button(QStringLiteral("↑"), tr("Previous hit (Shift+F3)"));
    auto* following = button(QStringLiteral("↓"), tr("Next hit (F3)"));
    auto* close = button(QStringLiteral("×"), tr("Close (Esc)"));
    const auto changed = [this] { Q_EMIT edited(field_->text(), case_->isChecked()); };
    connect(field_, &QLineEdit::textChanged, this, changed);
    connect(case_, &QToolButton::toggled, this, changed);
    connect(previous, &QToolButton::clicked, this, [this] { Q_EMIT next(true); });
    connect(following, &QToolButton::clicked, this, [this] { Q_EMIT next(false); });
    connect(close, &QToolButton::clicked, this, &FindBar::closed);
    hide();
}

void FindBar::open(const QString& text) {
    show();
    raise();
    if (!text.isEmpty()) field_->setText(text);
    field_->setFocus(Qt::ShortcutFocusReason);
    field_->selectAll();
    Q_EMIT edited(field_->text(), case_->isChecked());
}

void FindBar::show_count(int current, int total, bool searching) {
    if (field_->text().isEmpty())
        count_->clear();
    else if (total == 0)
        count_->setText(searching ? tr("searching") : tr("no hits"));
    else
        count_->setText(
            QStringLiteral("%1 / %2%3").arg(current).arg(total).arg(searching ? QStringLiteral("…") : QString()));
}

QString FindBar::text() const { return field_->text(); }
bool FindBar::match_case() const { return case_->isChecked(); }

void FindBar::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape)
        Q_EMIT closed();
    else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter)
        Q_EMIT next((event->modifiers() & Qt::ShiftModifier) != 0);
    else
        QWidget::keyPressEvent(event);
}

void FindBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(theme().hairline);
    painter.setBrush(theme().panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

} // namespace orrery::qt
