#pragma once
// A views::Table for Qt's item views; index arithmetic only.

#include "views/model/table.hpp"

#include <QAbstractTableModel>

#include <memory>

namespace orrery::qt {

class TableModel : public QAbstractTableModel {
    Q_OBJECT
  public:
    enum Role { SortRole = Qt::UserRole + 1, BarRole, BarFromRole };
    explicit TableModel(QObject* parent = nullptr);
    void set_table(std::shared_ptr<const views::Table> table);
    [[nodiscard]] const views::Table& table() const { return *table_; }

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    std::shared_ptr<const views::Table> table_;
};

} // namespace orrery::qt
