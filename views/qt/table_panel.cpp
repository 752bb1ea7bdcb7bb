#include "views/qt/table_panel.hpp"

#include "views/qt/theme.hpp"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHeaderView>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>
#include <QStyledItemDelegate>

#include <algorithm>
#include <utility>

namespace orrery::qt {
namespace {

constexpr int kRowHeight = 24;

/// Paints the share of a cell behind its text.
class BarDelegate : public QStyledItemDelegate {
  public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
        const float bar = index.data(TableModel::BarRole).toFloat();
        if (bar > 0) {
            QRectF box = QRectF(option.rect).adjusted(4, 4, -4, -4);
            const float from = std::clamp(index.data(TableModel::BarFromRole).toFloat(), 0.f, 1.f);
            const double whole = box.width();
            box.setLeft(box.left() + whole * static_cast<double>(from));
            box.setWidth(std::max(2.0, whole * static_cast<double>(std::min(1.f - from, bar))));
            painter->fillRect(box, theme().blue_fill);
            painter->fillRect(QRectF(box.x(), box.bottom() - 2, box.width(), 2), theme().blue);
        }
        QStyledItemDelegate::paint(painter, option, index);
    }
};

} // namespace

TablePanel::TablePanel(const QString& name, QWidget* parent) : QTableView(parent) {
    setAccessibleName(name);
    model_ = new TableModel(this);
    sorted_ = new QSortFilterProxyModel(this);
    sorted_->setSourceModel(model_);
    sorted_->setSortRole(TableModel::SortRole);
    setModel(sorted_);
    setItemDelegate(new BarDelegate(this));
    setSelectionBehavior(QAbstractItemView::SelectRows);
    setSelectionMode(QAbstractItemView::SingleSelection);
    setEditTriggers(QAbstractItemView::NoEditTriggers);
    setShowGrid(false);
    setWordWrap(false);
    setTabKeyNavigation(false);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    verticalHeader()->hide();
    verticalHeader()->setDefaultSectionSize(kRowHeight);
    verticalHeader()->setMinimumSectionSize(kRowHeight);
    horizontalHeader()->setHighlightSections(false);
    horizontalHeader()->setStretchLastSection(true);
    horizontalHeader()->setResizeContentsPrecision(64); // rows whose texts are measured
    connect(horizontalHeader(), &QHeaderView::sectionResized, this, [this] {
        // A button may be down elsewhere, on a splitter that makes the table narrower.
        const bool dragged =
            (QApplication::mouseButtons() & Qt::LeftButton) != 0 && horizontalHeader()->viewport()->underMouse();
        if (!sizing_ && isVisible() && dragged) sized_ = true;
    });
    setSortingEnabled(true);
    sorted_->sort(-1);
    horizontalHeader()->setSortIndicator(-1, Qt::AscendingOrder);
    // A row that was marked already, by a selection elsewhere, is meant as well when it is clicked.
    connect(this, &QTableView::clicked, this, [this](const QModelIndex& index) {
        const int row = sorted_->mapToSource(index).row();
        if (std::exchange(told_, -1) != row) tell(row);
    });
    connect(this, &QTableView::activated, this,
            [this](const QModelIndex& index) { Q_EMIT row_activated(sorted_->mapToSource(index).row()); });
}

void TablePanel::set_table(std::shared_ptr<const views::Table> table) {
    const bool same = table->columns.size() == model_->table().columns.size();
    quiet_ = true;
    model_->set_table(std::move(table));
    quiet_ = false;
    if (!same) sized_ = false;
    if (!sized_) isVisible() ? size_columns() : void(unsized_ = true); // measuring texts takes milliseconds
    viewport()->update();
}

/// Widths of columns that have too little room: what their texts need, then the widest texts are cut.
int TablePanel::tighten(std::vector<int>& widths, int open, int room) const {
    constexpr int kTitlePadding = 30, kTextPadding = 8, kLeastText = 84, kLeastOpen = 96;
    const auto& columns = model_->table().columns;
    const QFontMetrics head(horizontalHeader()->font());
    int fixed = 0;
    for (std::size_t c = 0; c < widths.size(); ++c) {
        if (static_cast<int>(c) == open) continue;
        const int title = head.horizontalAdvance(QString::fromStdString(columns[c].title)) + kTitlePadding;
        const int text = sizeHintForColumn(static_cast<int>(c)) + kTextPadding;
        fixed += widths[c] = std::min(widths[c], std::max(title, text));
    }
    for (int over = fixed + (open < 0 ? 0 : kLeastOpen) - room; over > 0;) {
        int widest = -1;
        for (std::size_t c = 0; c < widths.size(); ++c)
            if (static_cast<int>(c) != open && columns[c].align == views::Align::Left && widths[c] > kLeastText &&
                (widest < 0 || widths[c] > widths[static_cast<std::size_t>(widest)]))
                widest = static_cast<int>(c);
        if (widest < 0) break;
        const int by = std::min({over, 16, widths[static_cast<std::size_t>(widest)] - kLeastText});
        widths[static_cast<std::size_t>(widest)] -= by;
        fixed -= by, over -= by;
    }
    return fixed;
}

/// Wished widths where there is room for them, the open column with the rest.
void TablePanel::size_columns() {
    constexpr int kPadding = 18, kLeastOpen = 140, kLeast = 72;
    const auto& columns = model_->table().columns;
    const int char_width = QFontMetrics(theme().ui).averageCharWidth();
    std::vector<int> widths(columns.size(), 0);
    int fixed = 0, open = -1;
    for (std::size_t c = 0; c < columns.size(); ++c) {
        if (columns[c].width == 0)
            open = static_cast<int>(c);
        else
            fixed += widths[c] = columns[c].width * char_width + kPadding;
    }
    const int room = viewport()->width();
    if (fixed + (open < 0 ? 0 : kLeastOpen) > room) fixed = tighten(widths, open, room);
    if (open >= 0) widths[static_cast<std::size_t>(open)] = std::max(kLeast, room - fixed);
    sizing_ = true;
    for (std::size_t c = 0; c < widths.size(); ++c) setColumnWidth(static_cast<int>(c), widths[c]);
    sizing_ = false;
}

void TablePanel::showEvent(QShowEvent* event) {
    if (std::exchange(unsized_, false) && !sized_) size_columns();
    QTableView::showEvent(event);
}

void TablePanel::resizeEvent(QResizeEvent* event) {
    QTableView::resizeEvent(event);
    if (event->oldSize().width() != event->size().width() && !sized_) size_columns();
}

/// Rows that name lines are told apart by them: all loops of a kernel share its origin.
bool TablePanel::means(const views::TableRow& row, const views::Selection& selection) const {
    if (row.tensor_lines.empty() || selection.tensor_lines.empty() || selection.function != model_->table().function)
        return row.origins.intersects(selection.origins);
    return std::ranges::any_of(row.tensor_lines,
                               [&](int line) { return std::ranges::binary_search(selection.tensor_lines, line); });
}

void TablePanel::set_selection(const views::Selection& selection) {
    if (selectionModel()->hasSelection()) {
        const int row = sorted_->mapToSource(selectionModel()->selectedRows().front()).row();
        if (means(model_->table().rows[static_cast<std::size_t>(row)], selection)) return;
    }
    int row = -1;
    const auto& rows = model_->table().rows;
    for (std::size_t i = 0; i < rows.size() && row < 0; ++i)
        if (means(rows[i], selection)) row = static_cast<int>(i);
    select_row(row);
}

void TablePanel::select_row(int row) {
    quiet_ = true;
    told_ = -1;
    if (row < 0) {
        clearSelection();
    } else {
        const QModelIndex index = sorted_->mapFromSource(model_->index(row, 0));
        selectionModel()->setCurrentIndex(index, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
        scrollTo(index);
    }
    quiet_ = false;
}

void TablePanel::selectionChanged(const QItemSelection& selected, const QItemSelection& deselected) {
    QTableView::selectionChanged(selected, deselected);
    if (quiet_ || selected.indexes().isEmpty()) return;
    told_ = sorted_->mapToSource(selected.indexes().front()).row();
    tell(told_);
}

void TablePanel::tell(int row) {
    const views::TableRow& chosen = model_->table().rows[static_cast<std::size_t>(row)];
    if (!chosen.tensor_lines.empty())
        Q_EMIT selection_requested({chosen.origins, model_->table().function, chosen.tensor_lines});
    else if (!chosen.origins.empty())
        Q_EMIT selection_requested({chosen.origins, {}, {}});
    Q_EMIT row_activated(row);
}

void TablePanel::copy_rows() const {
    const auto& rows = model_->table().rows;
    QStringList lines;
    const QModelIndexList chosen = selectionModel()->selectedRows();
    const auto line_of = [&](int source) {
        const views::TableRow& row = rows[static_cast<std::size_t>(source)];
        if (!row.details.empty()) return QString::fromStdString(row.details);
        QStringList cells;
        for (const views::TableCell& cell : row.cells) cells << QString::fromStdString(cell.text);
        return cells.join(u'\t');
    };
    if (chosen.isEmpty())
        for (int r = 0; r < sorted_->rowCount(); ++r)
            lines << line_of(sorted_->mapToSource(sorted_->index(r, 0)).row());
    else
        for (const QModelIndex& index : chosen) lines << line_of(sorted_->mapToSource(index).row());
    QApplication::clipboard()->setText(lines.join(u'\n'));
}

void TablePanel::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy)) return copy_rows();
    QTableView::keyPressEvent(event);
}

void TablePanel::contextMenuEvent(QContextMenuEvent* event) {
    if (model_->rowCount() == 0) return;
    QMenu menu(this);
    menu.addAction(selectionModel()->hasSelection() ? tr("Copy the row") : tr("Copy all rows"), this,
                   &TablePanel::copy_rows);
    menu.exec(event->globalPos());
}

void TablePanel::paintEvent(QPaintEvent* event) {
    QTableView::paintEvent(event);
    if (model_->rowCount() > 0) return;
    QPainter painter(viewport());
    painter.setPen(theme().dim);
    painter.drawText(viewport()->rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
                     QString::fromStdString(model_->table().empty_reason));
}

} // namespace orrery::qt
