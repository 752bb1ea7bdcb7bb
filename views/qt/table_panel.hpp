#pragma once
// A sortable table with bars in its cells, linked selection, copy, and a sentence when it is empty.

#include "views/model/selection.hpp"
#include "views/qt/table_model.hpp"

#include <QSortFilterProxyModel>
#include <QTableView>

#include <memory>
#include <vector>

namespace orrery::qt {

class TablePanel : public QTableView {
    Q_OBJECT
  public:
    explicit TablePanel(const QString& name, QWidget* parent = nullptr);
    void set_table(std::shared_ptr<const views::Table> table);
    /// Highlights the rows that share an origin with the selection.
    void set_selection(const views::Selection& selection);
    /// Selects one row of the table, unsorted numbering; -1 for none.
    void select_row(int row);
    [[nodiscard]] TableModel* model_data() const { return model_; }

  signals:
    void selection_requested(const orrery::views::Selection& selection);
    void row_activated(int row);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void selectionChanged(const QItemSelection& selected, const QItemSelection& deselected) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

  private:
    [[nodiscard]] bool means(const views::TableRow& row, const views::Selection& selection) const;
    void copy_rows() const;
    void tell(int row);
    void size_columns();
    [[nodiscard]] int tighten(std::vector<int>& widths, int open, int room) const;
    TableModel* model_ = nullptr;
    QSortFilterProxyModel* sorted_ = nullptr;
    int told_ = -1;        ///< row that the selection told of last, until it is clicked
    bool quiet_ = false;   ///< a selection from outside is being shown
    bool sizing_ = false;  ///< columns are being sized
    bool unsized_ = false; ///< another table came while nobody saw it
    bool sized_ = false;   ///< by the user: kept until other columns come
};

} // namespace orrery::qt
