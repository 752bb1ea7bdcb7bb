#include "views/qt/edit_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QTextBlock>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::qt {
namespace {

/// Larger texts are not edited in a window. Source: UX.md section 3, a plain text field opens 50,000 lines in 0.3 s.
constexpr std::size_t kMostBytes = 6u << 20;

/// What is typed is compiled this long after the last key. Source: our choice; a pause between words is shorter, and a
/// wait one notices longer. Units: milliseconds.
constexpr int kPauseMs = 350;

} // namespace

EditField::EditField(QWidget* parent) : QPlainTextEdit(parent), numbers_(new QWidget(this)) {
    numbers_->installEventFilter(this);
    connect(this, &QPlainTextEdit::blockCountChanged, this, [this] { make_room(); });
    connect(this, &QPlainTextEdit::updateRequest, this, [this] { numbers_->update(); });
    make_room();
}

/// As wide as the greatest number.
void EditField::make_room() {
    const int width = fontMetrics().horizontalAdvance(QLatin1Char('9')) *
                          static_cast<int>(QString::number(std::max(99, blockCount())).size()) +
                      20;
    setViewportMargins(width, 0, 0, 0);
    numbers_->setGeometry(contentsRect().left(), contentsRect().top(), width, contentsRect().height());
}

void EditField::resizeEvent(QResizeEvent* event) {
    QPlainTextEdit::resizeEvent(event);
    make_room();
}

bool EditField::eventFilter(QObject* watched, QEvent* event) {
    if (watched != numbers_ || event->type() != QEvent::Paint) return QPlainTextEdit::eventFilter(watched, event);
    paint_numbers();
    return true;
}

void EditField::paint_numbers() {
    QPainter painter(numbers_);
    painter.setFont(font());
    for (QTextBlock block = firstVisibleBlock(); block.isValid(); block = block.next()) {
        const QRectF line = blockBoundingGeometry(block).translated(contentOffset());
        if (line.top() > numbers_->height()) break;
        const int number = block.blockNumber() + 1;
        painter.setPen(number == line_ ? theme().error : theme().quiet);
        painter.drawText(QRectF(0, line.top(), numbers_->width() - 10, line.height()),
                         Qt::AlignRight | Qt::AlignVCenter, QString::number(number));
    }
}

void EditField::set_note(int line, const QString& text) {
    if (line_ == line && note_ == text) return;
    line_ = line;
    note_ = text;
    viewport()->update();
    numbers_->update();
}

void EditField::paintEvent(QPaintEvent* event) {
    QPlainTextEdit::paintEvent(event);
    const QTextBlock block = document()->findBlockByNumber(line_ - 1);
    if (line_ <= 0 || note_.isEmpty() || !block.isValid() || !block.isVisible()) return;
    constexpr int kGap = 24;
    const QRectF line = blockBoundingGeometry(block).translated(contentOffset());
    QPainter painter(viewport());
    painter.setFont(theme().ui_small);
    painter.setPen(theme().error);
    // Behind the text where there is room, else at the right edge of the line below.
    const double end =
        line.left() + document()->documentMargin() + fontMetrics().horizontalAdvance(block.text()) + kGap;
    const double wanted = painter.fontMetrics().horizontalAdvance(note_), room = viewport()->width() - 8;
    const bool beside = end + wanted <= room;
    const QRectF place = beside ? QRectF(end, line.top(), wanted + 1, line.height())
                                : QRectF(kGap, line.bottom(), room - kGap, line.height());
    if (!beside) painter.fillRect(place, theme().raised);
    painter.drawText(place, Qt::AlignVCenter | (beside ? Qt::AlignLeft : Qt::AlignRight),
                     painter.fontMetrics().elidedText(note_, Qt::ElideRight, static_cast<int>(place.width())));
}

EditPanel::EditPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::EditViewData>()) {
    setAccessibleName(tr("Text of the graph"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QWidget(this);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 6, 8, 6);
    row->setSpacing(12);
    title_ = new QLabel(line);
    title_->setObjectName(QStringLiteral("dim"));
    error_ = new QLabel(line);
    error_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    error_->setMinimumWidth(0);
    error_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(title_);
    row->addWidget(error_, 1);
    const auto button = [&](const QString& text, const QString& tip, auto slot) {
        auto* made = new QPushButton(text, line);
        made->setToolTip(tip);
        made->setAccessibleName(tip);
        connect(made, &QPushButton::clicked, this, slot);
        row->addWidget(made);
        return made;
    };
    revert_ = button(tr("Revert"), tr("The step's own text again"), &EditPanel::revert);
    apply_ =
        button(tr("Go on from this text"), tr("Make the text a step of the recipe (Ctrl+Return)"), &EditPanel::apply);
    field_ = new EditField(this);
    field_->setAccessibleName(tr("Text of the graph"));
    field_->setFrameShape(QFrame::NoFrame);
    field_->setLineWrapMode(QPlainTextEdit::NoWrap);
    field_->setTabChangesFocus(true);
    field_->setFont(theme().mono);
    field_->installEventFilter(this);
    connect(field_, &QPlainTextEdit::textChanged, this, [this] {
        if (quiet_) return;
        dirty_ = true;
        if (data_->live)
            pause_.start();
        else
            field_->setExtraSelections({});
        show_state();
    });
    connect(field_, &QPlainTextEdit::cursorPositionChanged, this, &EditPanel::select_line);
    pause_.setSingleShot(true);
    pause_.setInterval(kPauseMs);
    connect(&pause_, &QTimer::timeout, this, &EditPanel::apply);
    column->addWidget(line);
    column->addWidget(field_, 1);
    show_text();
}

void EditPanel::set_font_pixels(int pixels) {
    QFont font = theme().mono;
    font.setPixelSize(pixels);
    field_->setFont(font);
}

void EditPanel::set_data(std::shared_ptr<const views::EditViewData> data) {
    if (!data || data == data_) return;
    const bool applied = dirty_ && text_of(data->text) == field_->toPlainText();
    const bool other = data->live != data_->live || data->opened != data_->opened;
    data_ = std::move(data);
    if (applied || (other && data_->live)) dirty_ = false, pause_.stop();
    if (dirty_) return show_state();
    show_text();
}

/// Keeps the cursor and the view where they are, as far as the new text has such a place.
void EditPanel::replace_text(const QString& text) {
    if (field_->toPlainText() == text) return;
    const QTextCursor before = field_->textCursor();
    const int line = before.blockNumber(), column = before.positionInBlock();
    quiet_ = true;
    field_->setPlainText(text);
    if (const QTextBlock block = field_->document()->findBlockByNumber(line); data_->live && block.isValid()) {
        QTextCursor cursor(block);
        cursor.movePosition(QTextCursor::Right, QTextCursor::MoveAnchor, std::min(column, block.length() - 1));
        field_->setTextCursor(cursor);
    }
    quiet_ = false;
}

void EditPanel::show_text() {
    const bool large = data_->text.size() > kMostBytes, none = data_->stage < 0;
    replace_text(none || large ? QString() : text_of(data_->text));
    field_->setReadOnly(none || large);
    field_->setPlaceholderText(
        none ? text_of(data_->empty_reason)
        : large
            ? tr("This text is too large to edit here. Write it with \"orrery show\", edit the file, and give it as "
                 "--pass HandEdit --pass-option HandEdit.text=@FILE.")
            : QString());
    dirty_ = false;
    show_state();
    mark_lines();
    if (!data_->live) go_to_error();
}

void EditPanel::show_state() {
    const QString changed = data_->live ? tr(" · typing") : tr(" · changed, not applied");
    title_->setText(data_->stage < 0 ? QString() : text_of(data_->title) + (dirty_ ? changed : QString()));
    const bool wrong = !data_->error.empty() && !dirty_;
    error_->setText(wrong ? text_of(data_->error) : QString());
    error_->setToolTip(error_->text());
    const QString style = QStringLiteral("color: %1").arg(theme().error.name());
    if (error_->styleSheet() != style) error_->setStyleSheet(style); // it costs milliseconds
    apply_->setEnabled(dirty_);
    revert_->setEnabled(dirty_);
    apply_->setVisible(!data_->live);
    revert_->setVisible(!data_->live);
}

/// The line of a mistake in red; those that define what is selected in the selection's colour.
void EditPanel::mark_lines() {
    QList<QTextEdit::ExtraSelection> marks;
    const auto mark = [&](int line, const QColor& ground) {
        const QTextBlock block = field_->document()->findBlockByNumber(line - 1);
        if (line <= 0 || !block.isValid()) return;
        QTextEdit::ExtraSelection made;
        made.cursor = QTextCursor(block);
        made.format.setBackground(ground);
        made.format.setProperty(QTextFormat::FullWidthSelection, true);
        marks << made;
    };
    for (const views::EditLink& link : data_->links)
        if (link.origins.intersects(selection_.origins))
            mark(link.line, theme().selection);
        else if (link.tint >= 0)
            mark(link.line, theme().tints[static_cast<std::size_t>(link.tint)]);
    QColor ground = theme().error;
    ground.setAlphaF(0.18f);
    mark(data_->error_line, ground);
    field_->setExtraSelections(marks);
    field_->set_note(data_->live ? data_->error_line : 0, text_of(data_->error));
}

void EditPanel::go_to_error() {
    const QTextBlock block = field_->document()->findBlockByNumber(data_->error_line - 1);
    if (data_->error_line <= 0 || !block.isValid()) return;
    QTextCursor cursor(block);
    cursor.movePosition(QTextCursor::Right, QTextCursor::MoveAnchor,
                        std::min(std::max(0, data_->error_column - 1), block.length() - 1));
    field_->setTextCursor(cursor);
    field_->centerCursor();
}

void EditPanel::set_selection(const views::Selection& selection) {
    if (selection_ == selection) return;
    selection_ = selection;
    if (data_->live) mark_lines();
}

/// What the cursor's line defines is selected everywhere else.
void EditPanel::select_line() {
    if (quiet_ || dirty_ || !data_->live || !field_->hasFocus()) return;
    const int line = field_->textCursor().blockNumber() + 1;
    const views::EditLink* found = nullptr;
    for (const views::EditLink& link : data_->links)
        if (link.line <= line && (found == nullptr || link.line > found->line)) found = &link;
    if (found == nullptr || found->origins == selection_.origins) return;
    selection_ = {found->origins, {}, {}};
    mark_lines();
    Q_EMIT selection_requested(selection_);
}

void EditPanel::apply() {
    pause_.stop();
    if (!dirty_ || data_->stage < 0 || !sink_) return;
    if (data_->live && field_->toPlainText() == text_of(data_->text)) return show_text(); // typed and taken back
    sink_(views::ApplyText{data_->stage, field_->toPlainText().toStdString()});
}

void EditPanel::revert() {
    dirty_ = false;
    show_text();
}

bool EditPanel::eventFilter(QObject* watched, QEvent* event) {
    if (watched == field_ && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if ((key->modifiers() & Qt::ControlModifier) != 0 &&
            (key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter)) {
            apply();
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

void EditPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange && field_ != nullptr) show_state(), mark_lines();
}

} // namespace orrery::qt
