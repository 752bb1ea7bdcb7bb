#include "views/qt/vta_config_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <QWheelEvent>

namespace orrery::qt {
namespace {

/// The wheel scrolls the panel unless a knob has the focus: knobs are not turned in passing.
class KnobBox : public QSpinBox {
  public:
    explicit KnobBox(QWidget* parent) : QSpinBox(parent) {
        setFocusPolicy(Qt::StrongFocus);
        setKeyboardTracking(false);
        setButtonSymbols(QAbstractSpinBox::PlusMinus);
    }

  protected:
    void wheelEvent(QWheelEvent* event) override { hasFocus() ? QSpinBox::wheelEvent(event) : event->ignore(); }
};

} // namespace

VtaConfigPanel::VtaConfigPanel(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Configuration of the accelerator"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 8, 0, 0);
    column->setSpacing(6);
    headline_ = new QLabel(this);
    headline_->setWordWrap(true);
    headline_->setContentsMargins(12, 0, 12, 0);
    message_ = new QLabel(this);
    message_->setWordWrap(true);
    message_->setContentsMargins(12, 0, 12, 0);
    message_->hide();
    remedy_ = new QPushButton(this);
    remedy_->hide();
    connect(remedy_, &QPushButton::clicked, this, [this] {
        const views::VtaConfigView view = views::build_vta_config(config_);
        if (const views::VtaViolation* v = to_repair(view)) turn(v->key, v->nearest);
    });
    column->addWidget(headline_);
    column->addWidget(message_);
    auto* indented = new QHBoxLayout;
    indented->setContentsMargins(12, 0, 12, 0);
    indented->addWidget(remedy_);
    indented->addStretch(1);
    column->addLayout(indented);
    scroll_ = new QScrollArea(this);
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    column->addWidget(scroll_, 1);
    build(views::build_vta_config(config_));
}

void VtaConfigPanel::build(const views::VtaConfigView& view) {
    auto* page = new QWidget(scroll_);
    page->setObjectName(QStringLiteral("vta_knobs"));
    auto* grid = new QGridLayout(page);
    grid->setContentsMargins(12, 4, 12, 12);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(3);
    grid->setColumnStretch(2, 1);
    int row = 0;
    for (const views::VtaKnobGroup& group : view.groups) {
        auto* title = new QLabel(text_of(group.title).toUpper(), page);
        title->setObjectName(QStringLiteral("dim"));
        QFont font = theme().ui_small;
        font.setPixelSize(11);
        font.setLetterSpacing(QFont::AbsoluteSpacing, 1.2);
        title->setFont(font);
        title->setContentsMargins(0, row == 0 ? 0 : 10, 0, 2);
        grid->addWidget(title, row++, 0, 1, 3);
        for (const views::VtaKnobRow& entry : group.rows) {
            Knob knob;
            knob.label = new QLabel(text_of(entry.label), page);
            knob.box = new KnobBox(page);
            knob.box->setRange(entry.lowest, entry.highest);
            knob.box->setAccessibleName(text_of(entry.key));
            knob.box->setFixedWidth(74);
            knob.amount = new QLabel(page);
            knob.amount->setObjectName(QStringLiteral("dim"));
            knob.amount->setMinimumWidth(0);
            knob.amount->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
            const QString help = text_of(entry.key) + u'\n' + text_of(entry.help);
            for (QWidget* part : std::initializer_list<QWidget*>{knob.label, knob.box, knob.amount})
                part->setToolTip(help);
            knob.label->setBuddy(knob.box);
            grid->addWidget(knob.label, row, 0);
            grid->addWidget(knob.box, row, 1);
            grid->addWidget(knob.amount, row++, 2);
            connect(knob.box, &QSpinBox::valueChanged, this, [this, key = entry.key](int value) {
                if (!filling_) turn(key, value);
            });
            knobs_.emplace(entry.key, knob);
        }
    }
    grid->setRowStretch(row, 1);
    scroll_->setWidget(page);
}

const views::VtaViolation* VtaConfigPanel::to_repair(const views::VtaConfigView& view) const {
    const views::VtaViolation* first = nullptr;
    for (const views::VtaViolation& v : view.violations) {
        if (v.repairs && v.key == turned_) return &v;
        if (v.repairs && first == nullptr) first = &v;
    }
    return first;
}

void VtaConfigPanel::turn(const std::string& key, int value) {
    turned_ = key;
    set_config(views::with_knob(config_, key, value));
    Q_EMIT config_changed(config_);
}

void VtaConfigPanel::set_config(const vta::Config& config) {
    config_ = config;
    const views::VtaConfigView view = views::build_vta_config(config);
    filling_ = true;
    for (const views::VtaKnobGroup& group : view.groups)
        for (const views::VtaKnobRow& row : group.rows) {
            const Knob& knob = knobs_.at(row.key);
            if (knob.box->value() != row.value) knob.box->setValue(row.value);
            knob.amount->setText(text_of(row.amounts));
            knob.label->setStyleSheet(row.broken ? QStringLiteral("color: %1").arg(theme().error.name()) : QString());
        }
    filling_ = false;
    headline_->setText(QStringLiteral("<b>%1</b> &nbsp; %2")
                           .arg(text_of(view.name).toHtmlEscaped(), text_of(view.headline).toHtmlEscaped()));
    QStringList messages;
    for (const views::VtaViolation& v : view.violations) messages << text_of(v.message);
    const views::VtaViolation* repair = to_repair(view);
    remedy_->setVisible(repair != nullptr);
    if (repair != nullptr) remedy_->setText(tr("Set %1 to %2").arg(text_of(repair->key)).arg(repair->nearest));
    message_->setText(messages.join(u'\n'));
    message_->setStyleSheet(QStringLiteral("color: %1").arg(theme().error.name()));
    message_->setVisible(!messages.isEmpty());
}

QSpinBox* VtaConfigPanel::knob(const QString& key) const {
    const auto found = knobs_.find(key.toStdString());
    return found == knobs_.end() ? nullptr : found->second.box;
}

QPushButton* VtaConfigPanel::remedy() const { return remedy_->isHidden() ? nullptr : remedy_; }
QString VtaConfigPanel::message() const { return message_->text(); }

} // namespace orrery::qt
