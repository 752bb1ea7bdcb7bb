#include "views/qt/primitive_menu.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPainter>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kLeastWidth = 320, kMenuWidth = 460, kEntryRow = 26, kMostRows = 12;
enum Role { StepRole = Qt::UserRole + 1, SaysRole };

/// "split(conv.oc, [-1, 8])" beside what it does; a refused one in quiet ink beside the reason.
class EntryDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override {
        return {kMenuWidth - 24, kEntryRow};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const Theme& t = theme();
        const bool legal = !index.data(StepRole).toString().isEmpty();
        if ((option.state & QStyle::State_Selected) != 0) painter->fillRect(option.rect, t.accent_fill);
        const QRect inside = option.rect.adjusted(10, 0, -10, 0);
        const auto draw = [&](const QFont& font, const QColor& ink, int x, const QString& text) {
            painter->setFont(font);
            painter->setPen(ink);
            const QString shown = painter->fontMetrics().elidedText(text, Qt::ElideRight, inside.width() - x);
            painter->drawText(inside.adjusted(x, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, shown);
            return x + painter->fontMetrics().horizontalAdvance(shown) + 12;
        };
        const int x = draw(t.mono, legal ? t.text : t.quiet, 0, index.data(Qt::DisplayRole).toString());
        if (x < inside.width() - 40) draw(t.ui_small, t.quiet, x, index.data(SaysRole).toString());
    }
};

} // namespace

PrimitiveMenu::PrimitiveMenu(QWidget* window)
    : QFrame(window), data_(std::make_shared<views::MenuViewData>()),
      preview_(std::make_shared<views::PreviewViewData>()) {
    setObjectName(QStringLiteral("popup"));
    setAccessibleName(tr("Primitives"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 8, 8, 8);
    column->setSpacing(6);
    field_ = new QLineEdit(this);
    field_->setAccessibleName(tr("Primitive, or a whole step"));
    field_->installEventFilter(this);
    list_ = new QListWidget(this);
    list_->setAccessibleName(tr("What can be done here"));
    list_->setFocusPolicy(Qt::NoFocus);
    list_->setUniformItemSizes(true);
    list_->viewport()->setMouseTracking(true);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list_->setItemDelegate(new EntryDelegate(list_));
    footer_ = new QLabel(this);
    footer_->setWordWrap(true);
    footer_->setMinimumHeight(36);
    footer_->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    column->addWidget(field_);
    column->addWidget(list_, 1);
    column->addWidget(footer_);
    connect(field_, &QLineEdit::textChanged, this, &PrimitiveMenu::fill);
    connect(list_, &QListWidget::currentRowChanged, this, &PrimitiveMenu::announce);
    connect(list_, &QListWidget::itemEntered, list_, [this](QListWidgetItem* item) { list_->setCurrentItem(item); });
    connect(list_, &QListWidget::itemClicked, this, &PrimitiveMenu::apply);
    hide();
}

void PrimitiveMenu::open(const std::string& place, const QRect& anchor, const QString& typed) {
    if (!isVisible()) before_ = QApplication::focusWidget();
    place_ = place;
    field_->setPlaceholderText(tr("Do what with %1? Type a name, or a whole step").arg(text_of(place)));
    field_->setText(typed);
    fill();
    const QSize room = parentWidget()->size();
    constexpr int kOther = 110; // field, footer, margins
    // As wide as the tree, so that the program it previews stays in sight.
    const int wide = std::clamp(anchor.width() - 12, kLeastWidth, kMenuWidth);
    resize(std::min(wide, room.width() - 16), std::min(kMostRows * kEntryRow + kOther, room.height() - 80));
    const int below = anchor.bottom() + 2;
    const int y = below + height() <= room.height() - 8 ? below : std::max(8, anchor.top() - height() - 2);
    move(std::clamp(anchor.left() + 8, 8, std::max(8, room.width() - width() - 8)), y);
    show();
    raise();
    field_->setFocus(Qt::PopupFocusReason);
    announce();
}

void PrimitiveMenu::set_data(std::shared_ptr<const views::MenuViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    if (isVisible()) fill();
}

void PrimitiveMenu::set_preview(std::shared_ptr<const views::PreviewViewData> preview) {
    if (!preview || preview == preview_) return;
    preview_ = std::move(preview);
    if (isVisible()) announce();
}

bool PrimitiveMenu::typed_step() const { return field_->text().contains(u'('); }

void PrimitiveMenu::fill() {
    const QString wanted = field_->text().section(u'(', 0, 0).trimmed();
    const QSignalBlocker quiet(list_);
    const QString before = list_->currentItem() ? list_->currentItem()->text() : QString();
    list_->clear();
    if (data_->place != place_) {
        footer_->setText(tr("Looking what is legal here…"));
        return;
    }
    // Names that begin with what is typed come before those that hold it.
    for (const bool begins : {true, false})
        for (const views::MenuEntry& entry : data_->entries) {
            const QString name = text_of(entry.primitive);
            if (!name.contains(wanted, Qt::CaseInsensitive) || name.startsWith(wanted, Qt::CaseInsensitive) != begins)
                continue;
            auto* item = new QListWidgetItem(text_of(entry.legal() ? entry.step : entry.primitive), list_);
            item->setData(StepRole, text_of(entry.step));
            item->setData(SaysRole, text_of(entry.legal() ? entry.summary : entry.reason));
            item->setToolTip(text_of(entry.legal() ? entry.summary : entry.reason));
        }
    int row = list_->count() > 0 ? 0 : -1;
    for (int i = 0; i < list_->count() && wanted.isEmpty(); ++i)
        if (list_->item(i)->text() == before) row = i;
    list_->setCurrentRow(row);
    announce();
}

QString PrimitiveMenu::step() const {
    if (typed_step()) return field_->text().trimmed();
    const QListWidgetItem* item = list_->currentItem();
    return item == nullptr || data_->place != place_ ? QString() : item->data(StepRole).toString();
}

/// Says what is highlighted, below and to the panes that preview it.
void PrimitiveMenu::announce() {
    if (data_->place != place_) return;
    const Theme& t = theme();
    const QString now = step();
    const QListWidgetItem* item = list_->currentItem();
    QString says = item == nullptr ? text_of(data_->empty_reason) : item->data(SaysRole).toString();
    bool wrong = item != nullptr && now.isEmpty();
    if (!now.isEmpty() && preview_->step == now.toStdString()) {
        wrong = !preview_->error.empty();
        if (wrong)
            says = text_of(preview_->error);
        else if (item != nullptr && !typed_step())
            says = text_of(preview_->sentence) + u'\n' + says;
        else
            says = text_of(preview_->sentence);
    } else if (typed_step()) {
        says = tr("Enter applies the step as it is typed");
    }
    footer_->setText(says);
    footer_->setStyleSheet(QStringLiteral("color: %1").arg((wrong ? t.error : t.dim).name()));
    if (preview_->step != now.toStdString()) Q_EMIT highlighted(now);
}

QString PrimitiveMenu::footer() const { return footer_->text(); }

void PrimitiveMenu::apply() {
    const QString now = step();
    if (now.isEmpty()) return;
    close_menu();
    Q_EMIT chosen(now);
}

void PrimitiveMenu::close_menu() {
    if (isHidden()) return;
    hide();
    if (before_ != nullptr) before_->setFocus();
    before_ = nullptr;
    Q_EMIT closed();
}

void PrimitiveMenu::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::StyleChange && isVisible()) announce(); // in the other theme's colours
}

bool PrimitiveMenu::eventFilter(QObject* watched, QEvent* event) {
    if (watched == field_ && event->type() == QEvent::FocusOut && isVisible()) {
        before_ = nullptr;
        close_menu();
        return false;
    }
    if (watched != field_ || event->type() != QEvent::KeyPress) return QFrame::eventFilter(watched, event);
    auto* key = static_cast<QKeyEvent*>(event);
    const int row = list_->currentRow();
    switch (key->key()) {
    case Qt::Key_Escape: close_menu(); return true;
    case Qt::Key_Return:
    case Qt::Key_Enter: apply(); return true;
    case Qt::Key_Down: list_->setCurrentRow(std::min(row + 1, list_->count() - 1)); return true;
    case Qt::Key_Up: list_->setCurrentRow(std::max(row - 1, 0)); return true;
    case Qt::Key_PageDown: list_->setCurrentRow(std::min(row + kMostRows, list_->count() - 1)); return true;
    case Qt::Key_PageUp: list_->setCurrentRow(std::max(row - kMostRows, 0)); return true;
    case Qt::Key_Tab:
        // The highlighted step, to be changed by hand.
        if (!step().isEmpty()) field_->setText(step());
        return true;
    default: return QFrame::eventFilter(watched, event);
    }
}

} // namespace orrery::qt
