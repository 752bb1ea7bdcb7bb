#pragma once
// Everything one can do or go to, by typing (Ctrl+Shift+P).

#include <QAbstractListModel>
#include <QFrame>

#include <functional>
#include <vector>

class QLineEdit;
class QListView;

namespace orrery::qt {

struct PaletteEntry {
    QString text, detail, keys; ///< what it does, why it cannot be done or where it leads, its shortcut
    bool enabled = true;
    std::function<void()> run;
};

/// How well `query` fits: every letter in order, better when it starts words; negative when it does not fit.
[[nodiscard]] int palette_score(const QString& query, const QString& text);

class PaletteModel : public QAbstractListModel {
    Q_OBJECT
  public:
    enum Role { DetailRole = Qt::UserRole + 1, KeysRole, EnabledRole };
    using QAbstractListModel::QAbstractListModel;
    /// Finds more entries for what is typed; they stand behind those of the list that fit.
    using Finder = std::function<std::vector<PaletteEntry>(const QString& query)>;
    void set_entries(std::vector<PaletteEntry> entries, Finder finder = {});
    void filter(const QString& query);
    [[nodiscard]] const PaletteEntry* entry(int row) const;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

  private:
    std::vector<PaletteEntry> entries_, found_;
    Finder finder_;
    std::vector<int> shown_; ///< indices of entries_, and behind them of found_
};

class CommandPalette : public QFrame {
    Q_OBJECT
  public:
    explicit CommandPalette(QWidget* window);
    void open(std::vector<PaletteEntry> entries, const QString& placeholder, PaletteModel::Finder finder = {});
    [[nodiscard]] PaletteModel* model() const { return model_; }
    [[nodiscard]] QLineEdit* field() const { return field_; }

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void run_current();
    void close_palette();
    QLineEdit* field_ = nullptr;
    QListView* list_ = nullptr;
    PaletteModel* model_ = nullptr;
    QWidget* before_ = nullptr; ///< what had the focus
};

} // namespace orrery::qt
