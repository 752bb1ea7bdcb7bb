#include "views/qt/trace_list.hpp"

#include "views/model/stages_view.hpp"
#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QLineEdit>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <set>

namespace orrery::qt {
namespace {

constexpr int kStepRow = 22, kErrorLine = 18, kNumber = 34;

/// What stands under a step: why it cannot be applied, or its first wrong element.
const std::string& below(const views::TraceRow& row) { return row.error.empty() ? row.wrong : row.error; }

/// A small tick, or a cross: told by shape as well as by colour.
void paint_verdict(QPainter& painter, const QRectF& box, bool right) {
    const Theme& t = theme();
    painter.setRenderHint(QPainter::Antialiasing, true);
    painter.setPen(QPen(right ? t.good : t.error, 1.6, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    if (right) {
        const QPointF points[] = {box.topLeft() + QPointF(0, box.height() * 0.55),
                                  box.topLeft() + QPointF(box.width() * 0.38, box.height() * 0.92),
                                  box.topLeft() + QPointF(box.width(), box.height() * 0.1)};
        painter.drawPolyline(points, 3);
    } else {
        painter.drawLine(box.topLeft(), box.bottomRight());
        painter.drawLine(box.topRight(), box.bottomLeft());
    }
    painter.setRenderHint(QPainter::Antialiasing, false);
}

} // namespace

TraceList::TraceList(QWidget* parent) : QAbstractScrollArea(parent), data_(std::make_shared<views::LoopViewData>()) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Trace"));
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
    editor_ = new QLineEdit(viewport());
    editor_->setAccessibleName(tr("Step"));
    editor_->installEventFilter(this);
    editor_->hide();
}

void TraceList::set_data(std::shared_ptr<const views::LoopViewData> data) {
    if (!data || data == data_) return;
    const bool same = data->subject == data_->subject;
    const bool longer = same && data->trace.size() > data_->trace.size() && data->shown != data_->shown;
    data_ = std::move(data);
    editor_->hide();
    edited_ = -1;
    // The step that was just applied is the one meant next.
    current_ = !same || longer ? data_->shown : std::min(current_, std::max(0, rows() - 1));
    update_bar();
    if (!same || longer) choose(current_);
    update_rows();
    setAccessibleDescription((data_->is_default ? tr("the default schedule") : tr("your own schedule")) +
                             (data_->checked.empty() ? QString() : QStringLiteral(", ") + text_of(data_->checked)));
}

int TraceList::top_of(int row) const {
    int y = 2 + row * kStepRow;
    for (int i = 1; i < row; ++i)
        if (!below(data_->trace[static_cast<std::size_t>(i) - 1]).empty()) y += kErrorLine;
    return y;
}

QRect TraceList::row_rect(int row) const {
    return {0, top_of(row) - verticalScrollBar()->value(), viewport()->width(), kStepRow};
}

int TraceList::row_at(int y) const {
    for (int row = 0; row < rows(); ++row)
        if (y + verticalScrollBar()->value() < top_of(row + 1)) return row;
    return -1;
}

void TraceList::update_bar() {
    verticalScrollBar()->setRange(0, std::max(0, top_of(rows()) + kErrorLine - viewport()->height()));
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(kStepRow);
}

void TraceList::choose(int row) {
    if (row < 0 || row >= rows()) return;
    current_ = row;
    const QRect rect = row_rect(row);
    QScrollBar* bar = verticalScrollBar();
    if (rect.top() < 0) bar->setValue(bar->value() + rect.top());
    if (rect.bottom() > viewport()->height()) bar->setValue(bar->value() + rect.bottom() - viewport()->height() + 2);
    update_rows();
}

// -------------------------------------------------------------------------------------------- editing

void TraceList::send(session::TraceEdit edit) const {
    if (sink_) sink_(views::EditTrace{std::move(edit)});
}

void TraceList::show_program(int row) const {
    if (sink_ && row >= 0 && row <= data_->reached) sink_(views::SelectStage{views::kTensorStages + row});
}

void TraceList::open_editor(int row, const QString& text) {
    choose(row);
    edited_ = row;
    editor_->setFont(theme().mono);
    editor_->setText(text);
    editor_->setGeometry(row_rect(row).adjusted(kNumber - 6, 0, -4, 0));
    editor_->show();
    editor_->setFocus(Qt::OtherFocusReason);
}

void TraceList::edit(int row) {
    if (row < 1 || row >= rows()) return;
    inserting_ = false;
    open_editor(row, text_of(data_->trace[static_cast<std::size_t>(row) - 1].text));
}

void TraceList::insert_after(int row) {
    if (row < 0 || row >= rows()) return;
    inserting_ = true;
    open_editor(row, {});
    editor_->setPlaceholderText(tr("a step after this one"));
}

void TraceList::finish_edit() {
    const int row = std::exchange(edited_, -1);
    const QString text = editor_->text().trimmed();
    editor_->hide();
    setFocus(Qt::OtherFocusReason);
    if (row < 0 || text.isEmpty()) return;
    if (inserting_) return send({.what = What::Insert, .at = row, .text = text.toStdString()});
    if (text.toStdString() != data_->trace[static_cast<std::size_t>(row) - 1].text)
        send({.what = What::Replace, .at = row - 1, .text = text.toStdString()});
}

void TraceList::remove_step(int row) {
    if (row >= 1 && row < rows()) send({.what = What::Remove, .at = row - 1});
}

void TraceList::move_step(int row, int by) {
    if (row < 1 || row + by < 1 || row + by >= rows()) return;
    current_ = row + by;
    send({.what = What::Move, .at = row - 1, .to = row - 1 + by});
}

void TraceList::add_numbers(QMenu& menu, int step) {
    std::set<std::string> taken, seen;
    for (const views::TraceRow& row : data_->trace)
        for (const views::TraceNumber& number : row.numbers) taken.insert(number.knob);
    std::string fresh = "k0";
    for (int i = 1; taken.contains(fresh); ++i) fresh = "k" + std::to_string(i);
    for (const views::TraceNumber& number : data_->trace[static_cast<std::size_t>(step)].numbers) {
        if (number.knob.empty()) {
            if (number.value < 0) continue; // -1 stands for what the others leave
            menu.addAction(
                tr("Open %1 as knob %2").arg(number.value).arg(text_of(fresh)), this, [this, number, fresh, step] {
                    send({.what = What::Promote, .at = step, .text = fresh, .arg = number.arg, .item = number.item});
                });
        } else if (seen.insert(number.knob).second) {
            QMenu* ways = menu.addMenu(tr("Knob %1 is").arg(text_of(number.knob)));
            for (const std::int64_t way : number.candidates) {
                QAction* choice = ways->addAction(QString::number(way), this, [this, way, name = number.knob] {
                    send({.what = What::Decide, .text = name, .numbers = {way}});
                });
                choice->setCheckable(true);
                choice->setChecked(way == number.value);
            }
            menu.addAction(tr("Fix knob %1 at %2").arg(text_of(number.knob)).arg(number.value), this,
                           [this, name = number.knob] { send({.what = What::Fix, .text = name}); });
        }
    }
}

void TraceList::add_branches(QMenu& menu) {
    std::string fresh = "branch 1";
    for (int i = 2; std::ranges::find(data_->branches, fresh) != data_->branches.end(); ++i)
        fresh = "branch " + std::to_string(i);
    menu.addAction(tr("Keep this trace as %1").arg(text_of(fresh)), this,
                   [this, fresh] { send({.what = What::Keep, .text = fresh}); });
    for (const std::string& name : data_->branches) {
        QMenu* branch = menu.addMenu(text_of(name));
        branch->addAction(tr("Take this trace"), this, [this, name] { send({.what = What::Take, .text = name}); });
        branch->addAction(tr("Compare with it"), this, [this, name] {
            if (sink_) sink_(views::CompareWith{views::CompareWith::What::Branch, name});
        });
        branch->addAction(tr("Forget it"), this, [this, name] { send({.what = What::Drop, .text = name}); });
    }
}

void TraceList::fill_menu(QMenu& menu, int row) {
    if (row >= 1 && row < rows()) {
        menu.addAction(tr("Change this step") + QStringLiteral("\tReturn"), this, [this, row] { edit(row); });
        menu.addAction(tr("Remove this step") + QStringLiteral("\tDel"), this, [this, row] { remove_step(row); });
        QAction* up = menu.addAction(tr("Move it earlier") + QStringLiteral("\tCtrl+Up"), this,
                                     [this, row] { move_step(row, -1); });
        up->setEnabled(row > 1);
        QAction* down = menu.addAction(tr("Move it later") + QStringLiteral("\tCtrl+Down"), this,
                                       [this, row] { move_step(row, 1); });
        down->setEnabled(row + 1 < rows());
        add_numbers(menu, row - 1);
        menu.addSeparator();
    }
    menu.addAction(tr("Insert a step after it") + QStringLiteral("\tIns"), this, [this, row] { insert_after(row); });
    QAction* show = menu.addAction(tr("Show the program here") + QStringLiteral("\tSpace"), this,
                                   [this, row] { show_program(row); });
    show->setEnabled(row <= data_->reached);
    menu.addSeparator();
    add_branches(menu);
    QAction* reset = menu.addAction(tr("Back to the default schedule"), this, [this] { send({.what = What::Reset}); });
    reset->setEnabled(!data_->is_default);
    menu.addAction(tr("No schedule: loops as lowered"), this, [this] { send({.what = What::Rewrite}); });
}

// -------------------------------------------------------------------------------------------- painting

void TraceList::paint_row(QPainter& painter, int index) {
    const Theme& t = theme();
    const QRect rect = row_rect(index);
    const views::TraceRow* row = index == 0 ? nullptr : &data_->trace[static_cast<std::size_t>(index) - 1];
    if (index == current_) painter.fillRect(rect, hasFocus() ? t.accent_fill : t.hover);
    const bool applied = index <= data_->shown;
    painter.setPen(t.quiet);
    draw_text(painter, Face::UiSmall, {QRect(0, rect.top(), kNumber - 10, kStepRow), Qt::AlignRight},
              QString::number(index));
    if (index == data_->shown) painter.fillRect(0, rect.top() + 2, 3, kStepRow - 4, t.accent);
    int right = rect.right() - 8;
    if (row != nullptr && !data_->checked.empty()) {
        constexpr int kMark = 8;
        if (row->verdict != views::StepVerdict::Unknown)
            paint_verdict(painter, QRectF(right - kMark, rect.center().y() - kMark / 2.0 + 0.5, kMark, kMark),
                          row->verdict == views::StepVerdict::Right);
        right -= kMark + 8;
    }
    if (row != nullptr) {
        QString knobs;
        for (const views::TraceNumber& number : row->numbers)
            if (!number.knob.empty()) knobs += QStringLiteral(" ◆") + text_of(number.knob);
        painter.setPen(t.violet);
        const int wide = draw_text(painter, Face::UiSmall,
                                   {QRect(kNumber, rect.top(), right - kNumber, kStepRow), Qt::AlignRight}, knobs);
        right -= wide + (wide > 0 ? 8 : 0);
    }
    const bool failed = row != nullptr && !below(*row).empty();
    painter.setPen(failed ? t.error : row == nullptr ? t.dim : applied ? t.text : t.quiet);
    const QString text = row == nullptr ? tr("as lowered") : text_of(row->text);
    draw_text(painter, Face::Mono, {QRect(kNumber, rect.top(), right - kNumber, kStepRow)}, text);
    if (!failed) return;
    const QRect under(kNumber, rect.bottom() + 1, rect.width() - kNumber - 8, kErrorLine);
    draw_text(painter, Face::UiSmall, {under}, text_of(below(*row)));
}

/// With the line below it.
QRect TraceList::whole_rect(int row) const {
    const bool more = row > 0 && !below(data_->trace[static_cast<std::size_t>(row) - 1]).empty();
    return row_rect(row).adjusted(0, 0, 0, more ? kErrorLine : 0);
}

std::uint64_t TraceList::signature(int index) const {
    Signature all;
    all.add(row_rect(index).top()).add(index == current_ ? (hasFocus() ? 2 : 1) : 0);
    all.add(index == data_->shown ? 1 : 0).add(index <= data_->shown ? 1 : 0).add(data_->checked.empty() ? 1 : 0);
    if (index == 0) return all.finish();
    const views::TraceRow& row = data_->trace[static_cast<std::size_t>(index) - 1];
    all.add(row.text).add(below(row)).add(static_cast<int>(row.verdict));
    for (const views::TraceNumber& number : row.numbers) all.add(number.knob);
    return all.finish();
}

/// Paints what changed, when all else is where it was.
void TraceList::update_rows() {
    if (rows() == 0) return viewport()->update();
    painted_.update(
        *viewport(), rows(), [this](int row) { return signature(row); }, [this](int row) { return whole_rect(row); });
}

void TraceList::paintEvent(QPaintEvent* event) {
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    if (rows() == 0) {
        painted_.forget();
        painter.setFont(t.ui);
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
                         tr("The steps of the schedule appear here."));
        return;
    }
    for (int row = 0; row < rows(); ++row) {
        if (!wants(*event, whole_rect(row))) continue;
        painted_.painted(row, signature(row));
        paint_row(painter, row);
    }
}

void TraceList::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    update_bar();
    if (edited_ >= 0) editor_->setGeometry(row_rect(edited_).adjusted(kNumber - 6, 0, -4, 0));
}

void TraceList::scrollContentsBy(int, int) {
    if (edited_ >= 0) editor_->setGeometry(row_rect(edited_).adjusted(kNumber - 6, 0, -4, 0));
    viewport()->update();
}

void TraceList::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::StyleChange) viewport()->update();
}

bool TraceList::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int row = row_at(help->pos().y());
        if (row < 1 || row >= rows()) return false;
        const views::TraceRow& step = data_->trace[static_cast<std::size_t>(row) - 1];
        const QString verdict = step.verdict == views::StepVerdict::Unknown ? QString()
                                : step.verdict == views::StepVerdict::Right ? tr("\nkeeps the numbers")
                                                                            : tr("\nthe numbers are wrong after it");
        QToolTip::showText(help->globalPos(),
                           text_of(step.text + (below(step).empty() ? "" : "\n" + below(step))) + verdict, viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

// --------------------------------------------------------------------------------- mouse and keyboard

void TraceList::mousePressEvent(QMouseEvent* event) {
    setFocus(Qt::MouseFocusReason);
    const int row = row_at(event->pos().y());
    if (row < 0) return;
    choose(row);
}

void TraceList::mouseDoubleClickEvent(QMouseEvent* event) {
    if (const int row = row_at(event->pos().y()); row >= 1) edit(row);
}

void TraceList::contextMenuEvent(QContextMenuEvent* event) {
    if (rows() == 0) return;
    if (event->reason() == QContextMenuEvent::Mouse)
        if (const int row = row_at(event->pos().y()); row >= 0) choose(row);
    QMenu menu(this);
    fill_menu(menu, current_);
    const QPoint at = event->reason() == QContextMenuEvent::Mouse
                          ? event->globalPos()
                          : viewport()->mapToGlobal(row_rect(current_).bottomLeft() + QPoint(kNumber, 0));
    menu.exec(at);
}

void TraceList::keyPressEvent(QKeyEvent* event) {
    const bool control = (event->modifiers() & Qt::ControlModifier) != 0;
    switch (event->key()) {
    case Qt::Key_Down: return control ? move_step(current_, 1) : choose(std::min(current_ + 1, rows() - 1));
    case Qt::Key_Up: return control ? move_step(current_, -1) : choose(std::max(current_ - 1, 0));
    case Qt::Key_Home: return choose(0);
    case Qt::Key_End: return choose(rows() - 1);
    case Qt::Key_Delete:
    case Qt::Key_Backspace: return remove_step(current_);
    case Qt::Key_Insert: return insert_after(current_);
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_F2: return edit(current_);
    case Qt::Key_Space: return show_program(current_);
    default: break;
    }
    QAbstractScrollArea::keyPressEvent(event);
}

bool TraceList::eventFilter(QObject* watched, QEvent* event) {
    if (watched == editor_ && event->type() == QEvent::FocusOut && edited_ >= 0) {
        edited_ = -1;
        editor_->hide();
        return false;
    }
    if (watched != editor_ || event->type() != QEvent::KeyPress)
        return QAbstractScrollArea::eventFilter(watched, event);
    switch (static_cast<QKeyEvent*>(event)->key()) {
    case Qt::Key_Return:
    case Qt::Key_Enter: finish_edit(); return true;
    case Qt::Key_Escape:
        edited_ = -1;
        editor_->hide();
        setFocus(Qt::OtherFocusReason);
        return true;
    default: return QAbstractScrollArea::eventFilter(watched, event);
    }
}

void TraceList::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    viewport()->update();
}

void TraceList::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

} // namespace orrery::qt
