#include "views/qt/start_page.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QFileInfo>
#include <QGridLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kCardWidth = 264, kCardHeight = 78, kGap = 12, kPageMargin = 40;

QLabel* heading(const QString& text, QWidget* parent) {
    auto* label = new QLabel(text.toUpper(), parent);
    label->setObjectName(QStringLiteral("dim"));
    QFont font = theme().ui_small;
    font.setPixelSize(11);
    font.setLetterSpacing(QFont::AbsoluteSpacing, 1.2);
    label->setFont(font);
    return label;
}

} // namespace

StartCard::StartCard(const QString& title, const QString& text, const QString& figures, QWidget* parent)
    : QAbstractButton(parent), title_(title), text_(text), figures_(figures) {
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::PointingHandCursor);
    setAttribute(Qt::WA_Hover);
    setAccessibleName(title);
    setAccessibleDescription(text);
    setToolTip(text);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

QSize StartCard::sizeHint() const { return {kCardWidth, text_.isEmpty() ? 40 : kCardHeight}; }

void StartCard::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(hasFocus() ? t.accent : t.hairline, hasFocus() ? 1.4 : 1));
    painter.setBrush(underMouse() ? t.hover : t.raised);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8);
    const QRect inside = rect().adjusted(14, 10, -12, -8);
    painter.setFont(t.ui_bold);
    painter.setPen(isEnabled() ? t.text : t.quiet);
    painter.drawText(inside, Qt::AlignLeft | Qt::AlignTop,
                     painter.fontMetrics().elidedText(title_, Qt::ElideMiddle, inside.width()));
    painter.setFont(t.ui_small);
    painter.setPen(t.quiet);
    painter.drawText(inside, Qt::AlignRight | Qt::AlignTop, figures_);
    painter.setPen(t.dim);
    painter.drawText(inside.adjusted(0, 22, 0, 0), Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, text_);
}

StartPage::StartPage(QWidget* parent) : QScrollArea(parent), data_(std::make_shared<views::StartViewData>()) {
    setAccessibleName(tr("Start"));
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
}

void StartPage::set_data(std::shared_ptr<const views::StartViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    rebuild();
}

void StartPage::set_problems(std::shared_ptr<const views::ProblemsViewData> problems) {
    if (problems == problems_) return;
    problems_ = std::move(problems);
    rebuild();
}

void StartPage::resizeEvent(QResizeEvent* event) {
    QScrollArea::resizeEvent(event);
    const int columns = std::clamp((viewport()->width() - 2 * kPageMargin + kGap) / (kCardWidth + kGap), 1, 4);
    if (columns != columns_) rebuild();
}

void StartPage::add_open_row(QVBoxLayout* column, QWidget* body) {
    auto* row = new QHBoxLayout;
    auto* open = new QPushButton(tr("Open a model…"), body);
    open->setObjectName(QStringLiteral("primary"));
    open->setAccessibleName(tr("Open a model"));
    connect(open, &QPushButton::clicked, this, &StartPage::open_requested);
    row->addWidget(open);
    auto* scratch = new QPushButton(tr("New scratchpad"), body);
    scratch->setAccessibleName(tr("New scratchpad"));
    scratch->setToolTip(tr("Type a tensor program and see its loops and its code, without a model (Ctrl+N)"));
    connect(scratch, &QPushButton::clicked, this, &StartPage::scratchpad_requested);
    row->addSpacing(8);
    row->addWidget(scratch);
    auto* hint = new QLabel(tr("Ctrl+O, or drop a file anywhere in this window"), body);
    hint->setObjectName(QStringLiteral("dim"));
    row->addSpacing(8);
    row->addWidget(hint);
    row->addStretch(1);
    column->addLayout(row);
}

void StartPage::add_problems(QVBoxLayout* column, QWidget* body) {
    if (problems_ == nullptr) return;
    for (const views::TableRow& row : problems_->table.rows) {
        auto* problem = new QLabel(text_of(row.details), body);
        problem->setWordWrap(true);
        problem->setTextFormat(Qt::PlainText);
        problem->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
        problem->setAccessibleName(tr("Problem"));
        problem->setStyleSheet(QStringLiteral("background: %1; color: %2; border: 1px solid %3; border-left: 3px "
                                              "solid %3; border-radius: 4px; padding: 8px;")
                                   .arg(theme().raised.name(), theme().text.name(), theme().tone(row.tone).name()));
        column->addSpacing(4);
        column->addWidget(problem);
    }
}

void StartPage::rebuild() {
    columns_ = std::clamp((viewport()->width() - 2 * kPageMargin + kGap) / (kCardWidth + kGap), 1, 4);
    samples_.clear();
    recents_.clear();
    gallery_.clear();
    auto* page = new QWidget;
    auto* outer = new QHBoxLayout(page);
    outer->setContentsMargins(kPageMargin, 32, kPageMargin, 32);
    auto* body = new QWidget(page);
    body->setMaximumWidth(4 * kCardWidth + 3 * kGap + 120);
    outer->addWidget(body, 100);
    auto* column = new QVBoxLayout(body);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    auto* title = new QLabel(tr("See a network become machine code"), body);
    QFont large = theme().ui_bold;
    large.setPixelSize(24);
    title->setFont(large);
    column->addWidget(title);
    auto* text = new QLabel(tr("Open an ONNX model, take a built-in network, or type a tensor program. Every step from "
                               "the graph to the instructions stands on "
                               "screen, linked to its neighbours."),
                            body);
    text->setObjectName(QStringLiteral("dim"));
    text->setWordWrap(true);
    column->addWidget(text);
    add_open_row(column, body);
    add_problems(column, body);
    column->addSpacing(14);
    auto* cells = new QGridLayout;
    cells->setSpacing(kGap);
    column->addLayout(cells);
    add_cards(cells, body);
    column->addStretch(1);
    setWidget(page);
}

/// All cards in one grid, so that they stand in columns; each family begins a row under its heading.
void StartPage::add_cards(QGridLayout* cells, QWidget* body) {
    for (int c = 0; c < columns_; ++c) cells->setColumnStretch(c, 1);
    int row = 0, column = 0;
    const auto begin = [&](const QString& name) {
        if (column > 0) ++row;
        if (row > 0) cells->setRowMinimumHeight(row++, 4);
        cells->addWidget(heading(name, body), row++, 0, 1, columns_);
        column = 0;
    };
    const auto place = [&](StartCard* card) {
        cells->addWidget(card, row, column);
        if (++column == columns_) ++row, column = 0;
    };
    if (!data_->recents.empty()) begin(tr("Recent"));
    for (const views::StartRecent& recent : data_->recents) {
        auto* card = new StartCard(text_of(recent.title), {}, text_of(recent.when), body);
        card->setToolTip(recent.exists ? text_of(recent.path) : tr("%1 is no longer there").arg(text_of(recent.path)));
        card->setEnabled(recent.exists);
        connect(card, &StartCard::clicked, this, [this, path = recent.path] {
            if (sink_) sink_(views::OpenFile{path});
        });
        place(card);
        recents_.push_back(card);
    }
    const auto add_samples = [&](const std::vector<views::StartSample>& from, std::vector<StartCard*>& cards) {
        std::string family;
        for (const views::StartSample& sample : from) {
            if (sample.family != family) begin(tr("Built in · %1").arg(text_of(sample.family)));
            family = sample.family;
            auto* card =
                new StartCard(text_of(sample.title), text_of(sample.description), text_of(sample.figures), body);
            connect(card, &StartCard::clicked, this, [this, name = sample.name] {
                if (sink_) sink_(views::OpenSample{name});
            });
            place(card);
            cards.push_back(card);
        }
    };
    add_samples(data_->samples, samples_);
    add_samples(data_->gallery, gallery_);
}

void StartPage::set_drop_hint(bool on) {
    if (drop_ == on) return;
    drop_ = on;
    viewport()->update();
}

void StartPage::paintEvent(QPaintEvent*) {
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), theme().ground);
    if (!drop_) return;
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme().accent, 2, Qt::DashLine));
    painter.drawRoundedRect(QRectF(viewport()->rect()).adjusted(10, 10, -10, -10), 10, 10);
}

} // namespace orrery::qt
