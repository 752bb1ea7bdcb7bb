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
    void set_entries(std::vector<PaletteEntry> entries);
    void filter(const QString& query);
    [[nodiscard]] const PaletteEntry* entry(int row) const;
    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;

  private:
    std::vector<PaletteEntry> entries_;
    std::vector<int> shown_;
};

class CommandPalette : public QFrame {
    Q_OBJECT
  public:
    explicit CommandPalette(QWidget* window);
    void open(std::vector<PaletteEntry> entries, const QString& placeholder);
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
