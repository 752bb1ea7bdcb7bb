#include "views/qt/command_palette.hpp"

#include "views/qt/theme.hpp"

#include <QApplication>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListView>
#include <QPainter>
#include <QPointer>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kPaletteWidth = 620, kPaletteHeight = 420, kPaletteRow = 30;
constexpr int kMaxShown = 300;

class RowDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    QSize sizeHint(const QStyleOptionViewItem&, const QModelIndex&) const override {
        return {kPaletteWidth - 20, kPaletteRow};
    }
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const Theme& t = theme();
        const bool on = index.data(PaletteModel::EnabledRole).toBool();
        if ((option.state & QStyle::State_Selected) != 0) painter->fillRect(option.rect, t.accent_fill);
        QRect inside = option.rect.adjusted(12, 0, -12, 0);
        const QString keys = index.data(PaletteModel::KeysRole).toString();
        painter->setFont(t.ui_small);
        painter->setPen(t.quiet);
        painter->drawText(inside, Qt::AlignRight | Qt::AlignVCenter, keys);
        inside.setRight(inside.right() - (keys.isEmpty() ? 0 : painter->fontMetrics().horizontalAdvance(keys) + 16));
        painter->setFont(t.ui);
        painter->setPen(on ? t.text : t.quiet);
        const QString text = index.data(Qt::DisplayRole).toString();
        painter->drawText(inside, Qt::AlignLeft | Qt::AlignVCenter,
                          painter->fontMetrics().elidedText(text, Qt::ElideRight, inside.width()));
        const int used = painter->fontMetrics().horizontalAdvance(text) + 14;
        if (used + 40 > inside.width()) return;
        painter->setFont(t.ui_small);
        painter->setPen(t.quiet);
        painter->drawText(inside.adjusted(used, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
                          painter->fontMetrics().elidedText(index.data(PaletteModel::DetailRole).toString(),
                                                            Qt::ElideRight, inside.width() - used));
    }
};

} // namespace

int palette_score(const QString& query, const QString& text) {
    int score = 0, at = 0, run = 0;
    for (const QChar raw : query) {
        if (raw.isSpace()) continue;
        const QChar wanted = raw.toLower();
        bool found = false;
        for (; at < text.size(); ++at) {
            if (text[at].toLower() != wanted) {
                run = 0;
                continue;
            }
            const bool starts = at == 0 || !text[at - 1].isLetterOrNumber();
            score += 1 + (starts ? 6 : 0) + 3 * run;
            ++run, ++at;
            found = true;
            break;
        }
        if (!found) return -1;
    }
    return std::max(0, score * 8 - static_cast<int>(text.size()) / 8);
}

void PaletteModel::set_entries(std::vector<PaletteEntry> entries, Finder finder) {
    beginResetModel();
    entries_ = std::move(entries);
    finder_ = std::move(finder);
    found_.clear();
    shown_.clear();
    endResetModel();
    filter({});
}

void PaletteModel::filter(const QString& query) {
    std::vector<std::pair<int, int>> scored;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const int own = palette_score(query, entries_[i].text);
        const int score = own >= 0 ? own : palette_score(query, entries_[i].text + u' ' + entries_[i].detail) / 4;
        if (own >= 0 || palette_score(query, entries_[i].text + u' ' + entries_[i].detail) >= 0)
            scored.emplace_back(query.trimmed().isEmpty() ? 0 : -score, static_cast<int>(i));
    }
    std::stable_sort(scored.begin(), scored.end());
    if (scored.size() > kMaxShown) scored.resize(kMaxShown);
    beginResetModel();
    shown_.clear();
    for (const auto& [score, i] : scored) shown_.push_back(i);
    found_.clear();
    if (finder_ && !query.trimmed().isEmpty()) found_ = finder_(query);
    for (std::size_t i = 0; i < found_.size(); ++i) shown_.push_back(static_cast<int>(entries_.size() + i));
    endResetModel();
}

const PaletteEntry* PaletteModel::entry(int row) const {
    if (row < 0 || row >= static_cast<int>(shown_.size())) return nullptr;
    const auto index = static_cast<std::size_t>(shown_[static_cast<std::size_t>(row)]);
    return index < entries_.size() ? &entries_[index] : &found_[index - entries_.size()];
}

int PaletteModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(shown_.size());
}

QVariant PaletteModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const PaletteEntry& e = *entry(index.row());
    switch (role) {
    case Qt::DisplayRole: return e.text;
    case DetailRole: return e.detail;
    case KeysRole: return e.keys;
    case EnabledRole: return e.enabled;
    default: return {};
    }
}

CommandPalette::CommandPalette(QWidget* window) : QFrame(window) {
    setObjectName(QStringLiteral("popup"));
    setAccessibleName(tr("Command palette"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(8, 8, 8, 8);
    column->setSpacing(6);
    field_ = new QLineEdit(this);
    field_->setAccessibleName(tr("What to do or where to go"));
    field_->installEventFilter(this);
    list_ = new QListView(this);
    list_->setAccessibleName(tr("Actions"));
    list_->setFocusPolicy(Qt::NoFocus);
    list_->setUniformItemSizes(true);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff); // rows fit: what is long is cut with an ellipsis
    list_->setItemDelegate(new RowDelegate(list_));
    model_ = new PaletteModel(this);
    list_->setModel(model_);
    column->addWidget(field_);
    column->addWidget(list_, 1);
    connect(field_, &QLineEdit::textChanged, this, [this](const QString& text) {
        model_->filter(text);
        list_->setCurrentIndex(model_->index(0, 0));
    });
    connect(list_, &QListView::clicked, this, &CommandPalette::run_current);
    hide();
}

void CommandPalette::open(std::vector<PaletteEntry> entries, const QString& placeholder, PaletteModel::Finder finder) {
    if (!isVisible()) before_ = QApplication::focusWidget();
    model_->set_entries(std::move(entries), std::move(finder));
    field_->setPlaceholderText(placeholder);
    field_->clear();
    model_->filter({});
    list_->setCurrentIndex(model_->index(0, 0));
    const QSize room = parentWidget()->size();
    resize(std::min(kPaletteWidth, room.width() - 40), std::min(kPaletteHeight, room.height() - 80));
    move((room.width() - width()) / 2, 56);
    show();
    raise();
    field_->setFocus(Qt::ShortcutFocusReason);
}

void CommandPalette::close_palette() {
    hide();
    if (before_ != nullptr) before_->setFocus();
    before_ = nullptr;
}

void CommandPalette::run_current() {
    const PaletteEntry* chosen = model_->entry(list_->currentIndex().row());
    if (chosen == nullptr || !chosen->enabled || !chosen->run) return;
    const auto run = chosen->run;
    close_palette();
    run();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
    if (watched == field_ && event->type() == QEvent::FocusOut && isVisible()) {
        hide();
        before_ = nullptr;
        return false;
    }
    if (watched != field_ || event->type() != QEvent::KeyPress) return QFrame::eventFilter(watched, event);
    auto* key = static_cast<QKeyEvent*>(event);
    switch (key->key()) {
    case Qt::Key_Escape: close_palette(); return true;
    case Qt::Key_Return:
    case Qt::Key_Enter: run_current(); return true;
    case Qt::Key_Up:
    case Qt::Key_Down:
    case Qt::Key_PageUp:
    case Qt::Key_PageDown: QApplication::sendEvent(list_, event); return true;
    default: return QFrame::eventFilter(watched, event);
    }
}

} // namespace orrery::qt
