#include "views/qt/edit_panel.hpp"

#include "views/qt/theme.hpp"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QTextBlock>
#include <QVBoxLayout>

namespace orrery::qt {
namespace {

/// Larger texts are not edited in a window. Source: UX.md section 3, a plain text field opens 50,000 lines in 0.3 s.
constexpr std::size_t kMostBytes = 6u << 20;

QString text_of(const std::string& s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

} // namespace

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
    field_ = new QPlainTextEdit(this);
    field_->setAccessibleName(tr("Text of the graph"));
    field_->setFrameShape(QFrame::NoFrame);
    field_->setLineWrapMode(QPlainTextEdit::NoWrap);
    field_->setTabChangesFocus(true);
    field_->setFont(theme().mono);
    field_->installEventFilter(this);
    connect(field_, &QPlainTextEdit::textChanged, this, [this] {
        if (quiet_) return;
        dirty_ = true;
        field_->setExtraSelections({});
        show_state();
    });
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
    data_ = std::move(data);
    if (applied) dirty_ = false;
    if (dirty_) return show_state();
    show_text();
}

void EditPanel::show_text() {
    const bool large = data_->text.size() > kMostBytes, none = data_->stage < 0;
    quiet_ = true;
    const QString text = none || large ? QString() : text_of(data_->text);
    if (field_->toPlainText() != text) field_->setPlainText(text);
    quiet_ = false;
    field_->setReadOnly(none || large);
    field_->setPlaceholderText(
        none ? text_of(data_->empty_reason)
        : large
            ? tr("This text is too large to edit here. Write it with \"orrery show\", edit the file, and give it as "
                 "--pass HandEdit --pass-option HandEdit.text=@FILE.")
            : QString());
    dirty_ = false;
    show_state();
    mark_error();
}

void EditPanel::show_state() {
    title_->setText(data_->stage < 0 ? QString()
                                     : text_of(data_->title) + (dirty_ ? tr(" · changed, not applied") : QString()));
    const bool wrong = !data_->error.empty() && !dirty_;
    error_->setText(wrong ? text_of(data_->error) : QString());
    error_->setToolTip(error_->text());
    error_->setStyleSheet(QStringLiteral("color: %1").arg(theme().error.name()));
    apply_->setEnabled(dirty_);
    revert_->setEnabled(dirty_);
}

/// The line of a mistake in red, with the cursor on it.
void EditPanel::mark_error() {
    QList<QTextEdit::ExtraSelection> marks;
    if (data_->error_line > 0) {
        const QTextBlock block = field_->document()->findBlockByNumber(data_->error_line - 1);
        QTextEdit::ExtraSelection mark;
        mark.cursor = QTextCursor(block);
        QColor ground = theme().error;
        ground.setAlphaF(0.18f);
        mark.format.setBackground(ground);
        mark.format.setProperty(QTextFormat::FullWidthSelection, true);
        marks << mark;
        QTextCursor cursor(block);
        cursor.movePosition(QTextCursor::Right, QTextCursor::MoveAnchor,
                            std::min(std::max(0, data_->error_column - 1), block.length() - 1));
        field_->setTextCursor(cursor);
        field_->centerCursor();
    }
    field_->setExtraSelections(marks);
}

void EditPanel::apply() {
    if (!dirty_ || data_->stage < 0 || !sink_) return;
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
    if (event->type() == QEvent::StyleChange && field_ != nullptr) show_state(), mark_error();
}

} // namespace orrery::qt
