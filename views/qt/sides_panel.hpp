#pragma once
// Recipes side by side: a graph for each with one selection for all, their figures below.

#include "views/model/command.hpp"
#include "views/model/sides_view.hpp"
#include "views/qt/graph_view.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

#include <memory>
#include <vector>

class QLabel;
class QSplitter;
class QStackedWidget;
class QToolButton;

namespace orrery::qt {

class SidesPanel : public QWidget {
    Q_OBJECT
  public:
    explicit SidesPanel(QWidget* parent = nullptr);
    /// `first` is the graph of the first side.
    void set_data(std::shared_ptr<const views::SidesViewData> data, std::shared_ptr<const views::GraphViewData> first);
    void set_heat(bool on);
    /// Marks a selection in every graph but `source`.
    void set_selection(const views::Selection& selection, const QObject* source);
    void set_sink(views::CommandSink sink);
    /// Motion is off when the system asks for it, and for tests.
    void set_animated(bool on);

    [[nodiscard]] const views::SidesViewData& data() const { return *data_; }
    /// The graph of each side, the open recipe's first.
    [[nodiscard]] std::vector<GraphView*> graphs() const;
    [[nodiscard]] TablePanel* figures() const { return figures_; }
    [[nodiscard]] QToolButton* add_button() const { return add_; }
    /// Of side `index`, from 1; null for the first, which stays.
    [[nodiscard]] QToolButton* close_button(std::size_t index) const { return columns_[index].close; }
    /// The graph that has the focus, else the first.
    [[nodiscard]] GraphView* current() const;

  signals:
    void selection_requested(const orrery::views::Selection& selection, QObject* source);
    void function_requested(const QString& function);
    /// Another recipe is wanted beside these; the menu of what it may be goes there.
    void add_requested(const QPoint& at);
    /// The texts of the first side and of that one, from 1, are to be compared.
    void texts_requested(int side);

  private:
    struct Column {
        Pane* pane = nullptr;
        PaneHeader* header = nullptr;
        GraphView* graph = nullptr;
        QToolButton* close = nullptr;
    };
    void add_column();
    void show_notes();

    std::shared_ptr<const views::SidesViewData> data_;
    views::CommandSink sink_;
    QSplitter *rows_ = nullptr, *row_ = nullptr;
    std::vector<Column> columns_; ///< as many as were needed at once; those too many are hidden
    QWidget* invitation_ = nullptr;
    PaneHeader* figures_header_ = nullptr;
    TablePanel* figures_ = nullptr;
    QToolButton* add_ = nullptr;
    bool animated_ = true;
};

} // namespace orrery::qt
