#include "views/qt/key_list.hpp"

#include "views/qt/theme.hpp"

#include <QKeyEvent>
#include <QPainter>

namespace orrery::qt {
namespace {
constexpr int kColumn = 392, kPad = 20, kKeys = 132;
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
    // The fewest columns of the most comfortable rows that fit; in a small window narrower columns.
    const QSize room = parentWidget()->size() - QSize(40, 72);
    columns_ = 0;
    for (const int row : {22, 20, 18})
        for (int columns = 1; columns <= 3 && columns_ == 0; ++columns)
            if (columns * kColumn + 2 * kPad <= room.width() && place(row, room.height()) <= columns)
                columns_ = columns;
    if (columns_ == 0) columns_ = place(18, room.height());
    int bottom = 0;
    for (const QPoint& at : places_) bottom = std::max(bottom, at.y() + row_);
    resize(std::min(columns_ * kColumn + 2 * kPad, room.width()), bottom + kPad);
    move((parentWidget()->width() - width()) / 2, (parentWidget()->height() - height()) / 2);
    show();
    raise();
    setFocus(Qt::ShortcutFocusReason);
}

void KeyList::keyPressEvent(QKeyEvent*) { hide(); }
void KeyList::focusOutEvent(QFocusEvent*) { hide(); }

/// Where each row goes, x in columns, below its section's name when it is the first of one. Gives the columns needed.
int KeyList::place(int row, int high) {
    row_ = row;
    places_.clear();
    int column = 0, y = kPad;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const bool starts = i == 0 || rows_[i].section != rows_[i - 1].section;
        if (y + (starts ? 5 * row / 2 : row) > high - kPad) ++column, y = kPad;
        if (starts) y += (y > kPad ? row / 2 : 0) + row + 2;
        places_.emplace_back(column, y);
        y += row;
    }
    return column + 1;
}

void KeyList::paintEvent(QPaintEvent* event) {
    QFrame::paintEvent(event);
    const Theme& t = theme();
    QPainter painter(this);
    const int wide = (width() - 2 * kPad) / std::max(1, columns_);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
        const KeyRow& row = rows_[i];
        const int x = kPad + places_[i].x() * wide, y = places_[i].y();
        if (i == 0 || row.section != rows_[i - 1].section) {
            painter.setFont(t.ui_bold);
            painter.setPen(t.text);
            painter.drawText(x, y - row_ - 2, wide, row_, Qt::AlignVCenter, row.section);
        }
        painter.setFont(row_ < 20 ? t.ui_small : t.ui);
        painter.setPen(t.accent);
        painter.drawText(x, y, kKeys, row_, Qt::AlignVCenter, row.keys);
        painter.setPen(t.dim);
        painter.drawText(x + kKeys, y, wide - kKeys - 12, row_, Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(row.text, Qt::ElideRight, wide - kKeys - 12));
    }
}

} // namespace orrery::qt
