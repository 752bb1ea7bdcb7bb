#pragma once
// The instructions of an accelerator program: virtual, so that ten million open at once; edited in place.

#include "views/model/vta_instructions.hpp"

#include <QAbstractScrollArea>

#include <memory>
#include <set>

class QLineEdit;

namespace orrery::qt {

class VtaInstructionList : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit VtaInstructionList(QWidget* parent = nullptr);
    void set_run(std::shared_ptr<const views::VtaRun> run);
    /// Marks an instruction and scrolls to it when it is out of sight; kNoInstruction for none.
    void select(std::uint32_t index);
    [[nodiscard]] std::uint32_t selected() const { return selected_; }
    /// The instruction a stepping view did last; kNoInstruction for none.
    void set_current(std::uint32_t index);
    void set_breakpoints(std::set<std::uint32_t> instructions);
    /// Opens the editor on the selected row.
    void edit();
    [[nodiscard]] QLineEdit* editor() const { return editor_; }
    /// Middle of a row in viewport coordinates.
    [[nodiscard]] QPoint row_position(std::uint32_t index) const;
    /// What a place is documented with: the field below the mouse, else the instruction.
    [[nodiscard]] QString help_at(const QPoint& at) const;
    /// Searches text and origin from the selection on.
    bool find(const QString& needle, int direction);

  signals:
    void selection_requested(std::uint32_t index);
    void edited(std::uint32_t index, const orrery::vta::Instruction& instruction);
    void breakpoint_toggled(std::uint32_t index);
    void edit_refused(const QString& why);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    struct Columns;
    [[nodiscard]] Columns columns() const;
    [[nodiscard]] std::uint32_t row_at(int y) const;
    [[nodiscard]] int visible_rows() const;
    void move_to(std::uint32_t index);
    void reveal(std::uint32_t index);
    void commit();
    void update_bar();
    void place_editor();

    std::shared_ptr<const views::VtaRun> run_;
    std::set<std::uint32_t> breakpoints_;
    std::uint32_t selected_ = vta::kNoInstruction, current_ = vta::kNoInstruction;
    std::uint32_t editing_ = vta::kNoInstruction;
    QLineEdit* editor_ = nullptr;
};

} // namespace orrery::qt
