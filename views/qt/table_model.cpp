#include "views/qt/table_model.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

namespace orrery::qt {
namespace {} // namespace

TableModel::TableModel(QObject* parent) : QAbstractTableModel(parent), table_(std::make_shared<views::Table>()) {}

void TableModel::set_table(std::shared_ptr<const views::Table> table) {
    beginResetModel();
    table_ = std::move(table);
    endResetModel();
}

int TableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(table_->rows.size());
}
int TableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(table_->columns.size());
}

QVariant TableModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const views::TableRow& row = table_->rows[static_cast<std::size_t>(index.row())];
    const views::TableCell& cell = row.cells[static_cast<std::size_t>(index.column())];
    const bool right = table_->columns[static_cast<std::size_t>(index.column())].align == views::Align::Right;
    switch (role) {
    case Qt::DisplayRole: return text_of(cell.text);
    case Qt::ToolTipRole: return text_of(row.details.empty() ? cell.text : row.details);
    case Qt::TextAlignmentRole: return QVariant::fromValue((right ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::ForegroundRole:
        return index.column() == 0 || row.tone == views::Tone::Dim ? QVariant(theme().tone(row.tone)) : QVariant();
    case SortRole: return cell.sort_key != 0 ? QVariant(cell.sort_key) : QVariant(text_of(cell.text));
    case BarRole: return cell.bar;
    case BarFromRole: return cell.bar_from;
    default: return {};
    }
}

QVariant TableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
    const views::TableColumn& column = table_->columns[static_cast<std::size_t>(section)];
    if (role == Qt::DisplayRole) return text_of(column.title);
    if (role == Qt::TextAlignmentRole)
        return QVariant::fromValue((column.align == views::Align::Right ? Qt::AlignRight : Qt::AlignLeft) |
                                   Qt::AlignVCenter);
    return {};
}

} // namespace orrery::qt
