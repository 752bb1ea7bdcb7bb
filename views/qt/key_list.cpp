#include "views/qt/key_list.hpp"

#include "views/qt/theme.hpp"

#include <QKeyEvent>
#include <QPainter>

namespace orrery::qt {
namespace {
constexpr int kRow = 22, kColumn = 400, kPad = 20, kKeys = 132;
}

KeyList::KeyList(QWidget* window) : QFrame(window) {
    setObjectName(QStringLiteral("popup"));
    setAccessibleName(tr("Keys"));
    setFocusPolicy(Qt::StrongFocus);
    hide();
}

void KeyList::open(const std::vector<KeyRow>& rows) {
    rows_ = rows;
    QStringList spoken;
    for (const KeyRow& row : rows) spoken << row.keys + QStringLiteral(": ") + row.text;
    setAccessibleDescription(spoken.join(QStringLiteral("; ")));
    const QSize room = parentWidget()->size();
    resize(std::min(2 * kColumn + 2 * kPad, room.width() - 40), room.height() - 80);
    QString section;
    int lines = 0;
    for (const KeyRow& row : rows) lines += row.section == std::exchange(section, row.section) ? 1 : 3;
    resize(width(), std::min(room.height() - 80, (lines / 2 + 4) * kRow + 2 * kPad));
    move((room.width() - width()) / 2, (room.height() - height()) / 2);
    show();
    raise();
    setFocus(Qt::ShortcutFocusReason);
}

void KeyList::keyPressEvent(QKeyEvent*) { hide(); }
void KeyList::focusOutEvent(QFocusEvent*) { hide(); }

void KeyList::paintEvent(QPaintEvent* event) {
    QFrame::paintEvent(event);
    const Theme& t = theme();
    QPainter painter(this);
    const int column = (width() - 2 * kPad) / 2;
    int x = kPad, y = kPad;
    QString section;
    for (const KeyRow& row : rows_) {
        const bool starts = row.section != section;
        if (y + (starts ? 3 : 1) * kRow > height() - kPad) x += column, y = kPad;
        if (starts) {
            section = row.section;
            if (y > kPad) y += kRow / 2;
            painter.setFont(t.ui_bold);
            painter.setPen(t.text);
            painter.drawText(x, y, column, kRow, Qt::AlignVCenter, section);
            y += kRow + 2;
        }
        painter.setFont(t.ui);
        painter.setPen(t.accent);
        painter.drawText(x, y, kKeys, kRow, Qt::AlignVCenter, row.keys);
        painter.setPen(t.dim);
        painter.drawText(x + kKeys, y, column - kKeys - 12, kRow, Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(row.text, Qt::ElideRight, column - kKeys - 12));
        y += kRow;
    }
}

} // namespace orrery::qt
