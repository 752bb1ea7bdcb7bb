#include "views/qt/vta_instruction_list.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHelpEvent>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kInstructionRow = 22, kColumnsHeight = 24;

QColor module_colour(vta::Module module) {
    switch (module) {
    case vta::Module::Load: return theme().teal;
    case vta::Module::Compute: return theme().blue;
    case vta::Module::Store: return theme().green;
    case vta::Module::Fetch: break;
    }
    return theme().grey;
}

} // namespace

/// Left edges and widths; the disassembly takes what the others leave.
struct VtaInstructionList::Columns {
    int mark = 0, number = 22, module = 92, text = 172, origin = 0, issued = 0, cycles = 0, waited = 0, end = 0;
};

VtaInstructionList::VtaInstructionList(QWidget* parent) : QAbstractScrollArea(parent) {
    setAccessibleName(tr("Instructions of the accelerator program"));
    setFocusPolicy(Qt::StrongFocus);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setMinimumSize(200, 80);
    viewport()->setMouseTracking(true);
    connect(verticalScrollBar(), &QScrollBar::valueChanged, this, [this] {
        place_editor();
        viewport()->update();
    });
}

VtaInstructionList::Columns VtaInstructionList::columns() const {
    Columns c;
    c.end = viewport()->width() - 8;
    // One origin, beside the program's own instructions, is in the title already.
    const bool wide = c.end > 620 && run_ && run_->program.origin_names.size() > 2;
    c.waited = c.end - 66;
    c.cycles = c.waited - 70;
    c.issued = c.cycles - 92;
    c.origin = wide ? c.issued - 84 : c.issued;
    return c;
}

void VtaInstructionList::set_run(std::shared_ptr<const views::VtaRun> run) {
    const bool same = run_ && run && run_->size() == run->size();
    run_ = std::move(run);
    if (editor_ != nullptr) editor_->deleteLater(), editor_ = nullptr;
    if (!same) selected_ = current_ = vta::kNoInstruction, verticalScrollBar()->setValue(0);
    update_bar();
    viewport()->update();
}

int VtaInstructionList::visible_rows() const {
    return std::max(1, (viewport()->height() - kColumnsHeight) / kInstructionRow);
}

void VtaInstructionList::update_bar() {
    const auto rows = run_ ? static_cast<int>(std::min<std::size_t>(run_->size(), 0x7fffffff)) : 0;
    verticalScrollBar()->setRange(0, std::max(0, rows - visible_rows()));
    verticalScrollBar()->setPageStep(visible_rows());
    verticalScrollBar()->setSingleStep(3);
}

void VtaInstructionList::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    update_bar();
    place_editor();
}

void VtaInstructionList::reveal(std::uint32_t index) {
    const int row = static_cast<int>(index), first = verticalScrollBar()->value();
    if (row < first || row >= first + visible_rows()) verticalScrollBar()->setValue(row - visible_rows() / 3);
}

void VtaInstructionList::select(std::uint32_t index) {
    if (!run_ || index >= run_->size()) index = vta::kNoInstruction;
    selected_ = index;
    if (index != vta::kNoInstruction) reveal(index);
    viewport()->update();
}

void VtaInstructionList::set_current(std::uint32_t index) {
    current_ = index;
    viewport()->update();
}

void VtaInstructionList::set_breakpoints(std::set<std::uint32_t> instructions) {
    breakpoints_ = std::move(instructions);
    viewport()->update();
}

QPoint VtaInstructionList::row_position(std::uint32_t index) const {
    const int row = static_cast<int>(index) - verticalScrollBar()->value();
    return {columns().text + 10, kColumnsHeight + row * kInstructionRow + kInstructionRow / 2};
}

std::uint32_t VtaInstructionList::row_at(int y) const {
    if (!run_ || y < kColumnsHeight) return vta::kNoInstruction;
    const auto row = static_cast<std::uint32_t>(verticalScrollBar()->value() + (y - kColumnsHeight) / kInstructionRow);
    return row < run_->size() ? row : vta::kNoInstruction;
}

void VtaInstructionList::move_to(std::uint32_t index) {
    if (!run_ || run_->size() == 0) return;
    select(std::min<std::uint32_t>(index, static_cast<std::uint32_t>(run_->size() - 1)));
    Q_EMIT selection_requested(selected_);
}

bool VtaInstructionList::find(const QString& needle, int direction) {
    if (!run_ || needle.isEmpty()) return false;
    const std::uint32_t from = selected_ == vta::kNoInstruction ? 0 : selected_ + static_cast<std::uint32_t>(direction);
    const std::uint32_t hit = views::find_vta_instruction(*run_, from, direction, needle.toStdString());
    if (hit == vta::kNoInstruction) return false;
    move_to(hit);
    return true;
}

void VtaInstructionList::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    const Columns c = columns();
    const auto cell = [&](int left, int right, int y, int height, const QString& text, int align) {
        const QRect box(left, y, std::max(0, right - left - 8), height);
        painter.drawText(box, align | Qt::AlignVCenter,
                         painter.fontMetrics().elidedText(text, Qt::ElideRight, box.width()));
    };
    if (!run_ || run_->size() == 0) {
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect(), Qt::AlignCenter, tr("The program's instructions appear here."));
        return;
    }
    const auto first = static_cast<std::uint32_t>(verticalScrollBar()->value());
    const auto last = std::min<std::uint32_t>(static_cast<std::uint32_t>(run_->size()),
                                              first + static_cast<std::uint32_t>(visible_rows()) + 2);
    for (std::uint32_t i = first; i < last; ++i) {
        const views::VtaInstructionRow row = views::vta_instruction_row(*run_, i);
        const int y = kColumnsHeight + static_cast<int>(i - first) * kInstructionRow;
        if (i == selected_)
            painter.fillRect(0, y, viewport()->width(), kInstructionRow, t.accent_fill);
        else if (i == current_)
            painter.fillRect(0, y, viewport()->width(), kInstructionRow, t.selection);
        if (breakpoints_.contains(i)) {
            painter.setRenderHint(QPainter::Antialiasing);
            painter.setBrush(t.error);
            painter.setPen(Qt::NoPen);
            painter.drawEllipse(QRect(7, y + 7, 8, 8));
        }
        painter.setFont(t.ui_small);
        painter.setPen(t.quiet);
        cell(c.number, c.module, y, kInstructionRow, QString::number(i), Qt::AlignRight);
        painter.fillRect(c.module, y + 5, 3, kInstructionRow - 10, module_colour(row.module));
        painter.setPen(t.dim);
        cell(c.module + 8, c.text, y, kInstructionRow, text_of(std::string(vta::module_name(row.module))),
             Qt::AlignLeft);
        painter.setPen(row.ran ? t.dim : t.error);
        cell(c.issued, c.cycles, y, kInstructionRow, text_of(row.issued), Qt::AlignRight);
        cell(c.cycles, c.waited, y, kInstructionRow, text_of(row.cycles), Qt::AlignRight);
        if (c.origin != c.issued) cell(c.origin, c.issued, y, kInstructionRow, text_of(row.origin), Qt::AlignLeft);
        painter.setPen(t.error);
        cell(c.waited, c.end + 8, y, kInstructionRow, text_of(row.waited), Qt::AlignRight);
        painter.setFont(t.mono);
        painter.setPen(row.edited ? t.accent : t.text);
        cell(c.text, c.origin, y, kInstructionRow, text_of(row.text), Qt::AlignLeft);
    }
    painter.fillRect(0, 0, viewport()->width(), kColumnsHeight, t.panel);
    painter.fillRect(0, kColumnsHeight - 1, viewport()->width(), 1, t.hairline);
    painter.setFont(t.ui_small);
    painter.setPen(t.dim);
    cell(c.number, c.module, 0, kColumnsHeight, tr("#"), Qt::AlignRight);
    cell(c.module + 8, c.text, 0, kColumnsHeight, tr("module"), Qt::AlignLeft);
    cell(c.text, c.origin, 0, kColumnsHeight, tr("instruction  (Return edits, B breaks)"), Qt::AlignLeft);
    if (c.origin != c.issued) cell(c.origin, c.issued, 0, kColumnsHeight, tr("origin"), Qt::AlignLeft);
    cell(c.issued, c.cycles, 0, kColumnsHeight, tr("issued"), Qt::AlignRight);
    cell(c.cycles, c.waited, 0, kColumnsHeight, tr("cycles"), Qt::AlignRight);
    cell(c.waited, c.end + 8, 0, kColumnsHeight, tr("waited"), Qt::AlignRight);
    if (hasFocus()) {
        painter.setPen(t.accent);
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(viewport()->rect().adjusted(0, 0, -1, -1));
    }
}

void VtaInstructionList::mousePressEvent(QMouseEvent* event) {
    const std::uint32_t row = row_at(event->pos().y());
    if (row == vta::kNoInstruction) return;
    if (event->pos().x() < columns().number) {
        Q_EMIT breakpoint_toggled(row);
        return;
    }
    move_to(row);
}

void VtaInstructionList::mouseDoubleClickEvent(QMouseEvent* event) {
    if (row_at(event->pos().y()) != vta::kNoInstruction && event->pos().x() >= columns().text) edit();
}

void VtaInstructionList::keyPressEvent(QKeyEvent* event) {
    if (!run_ || run_->size() == 0) return QAbstractScrollArea::keyPressEvent(event);
    const std::uint32_t at = selected_ == vta::kNoInstruction ? 0 : selected_;
    const auto page = static_cast<std::uint32_t>(visible_rows());
    switch (event->key()) {
    case Qt::Key_Up: return move_to(at == 0 ? 0 : at - 1);
    case Qt::Key_Down: return move_to(selected_ == vta::kNoInstruction ? 0 : at + 1);
    case Qt::Key_PageUp: return move_to(at < page ? 0 : at - page);
    case Qt::Key_PageDown: return move_to(at + page);
    case Qt::Key_Home: return move_to(0);
    case Qt::Key_End: return move_to(static_cast<std::uint32_t>(run_->size() - 1));
    case Qt::Key_Return:
    case Qt::Key_F2: return edit();
    case Qt::Key_B:
        if (selected_ != vta::kNoInstruction) Q_EMIT breakpoint_toggled(selected_);
        return;
    default: QAbstractScrollArea::keyPressEvent(event);
    }
}

void VtaInstructionList::edit() {
    if (!run_ || selected_ == vta::kNoInstruction || editor_ != nullptr) return;
    editing_ = selected_;
    editor_ = new QLineEdit(viewport());
    editor_->setFont(theme().mono);
    editor_->setAccessibleName(tr("Instruction %1").arg(editing_));
    editor_->setText(text_of(views::vta_instruction_row(*run_, editing_).text));
    editor_->installEventFilter(this);
    connect(editor_, &QLineEdit::returnPressed, this, &VtaInstructionList::commit);
    place_editor();
    editor_->show();
    editor_->setFocus();
}

void VtaInstructionList::place_editor() {
    if (editor_ == nullptr) return;
    const Columns c = columns();
    const int row = static_cast<int>(editing_) - verticalScrollBar()->value();
    editor_->setGeometry(c.text - 8, kColumnsHeight + row * kInstructionRow - 3, std::max(120, c.end - c.text),
                         kInstructionRow + 6);
}

void VtaInstructionList::commit() {
    const views::VtaEdit edit = views::parse_vta_instruction(run_->program.config, editor_->text().toStdString());
    const std::string& why = edit.error;
    if (!why.empty()) {
        editor_->setToolTip(text_of(why));
        QToolTip::showText(editor_->mapToGlobal(QPoint(8, kInstructionRow + 4)), text_of(why), editor_);
        Q_EMIT edit_refused(text_of(why));
        return;
    }
    const std::uint32_t index = editing_;
    const bool changed = !(edit.instruction == run_->program.instructions[index]);
    editor_->deleteLater();
    editor_ = nullptr;
    setFocus();
    if (changed) Q_EMIT edited(index, edit.instruction);
}

bool VtaInstructionList::eventFilter(QObject* watched, QEvent* event) {
    if (watched == editor_ && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        editor_->deleteLater();
        editor_ = nullptr;
        setFocus();
        return true;
    }
    return QAbstractScrollArea::eventFilter(watched, event);
}

QString VtaInstructionList::help_at(const QPoint& at) const {
    const std::uint32_t row = row_at(at.y());
    if (row == vta::kNoInstruction) return {};
    const Columns c = columns();
    QString help = text_of(views::vta_instruction_help(*run_, row));
    if (at.x() < c.text || at.x() >= c.origin) return help;
    const std::string line = views::vta_instruction_row(*run_, row).text;
    const int column = static_cast<int>((at.x() - c.text) / QFontMetricsF(theme().mono).horizontalAdvance(u'0'));
    if (column < 0 || column >= static_cast<int>(line.size()) || line[static_cast<std::size_t>(column)] == ' ')
        return help;
    const std::size_t begin = line.rfind(' ', static_cast<std::size_t>(column)) + 1; // npos + 1 is 0
    const std::string word = line.substr(begin, line.find(' ', begin) - begin);
    const std::string meaning = views::vta_word_help(word);
    return meaning.empty() ? help : text_of(word + "\n" + meaning) + QStringLiteral("\n\n") + help;
}

bool VtaInstructionList::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        QToolTip::showText(help->globalPos(), help_at(help->pos()), viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

void VtaInstructionList::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::StyleChange) viewport()->update();
}

} // namespace orrery::qt
