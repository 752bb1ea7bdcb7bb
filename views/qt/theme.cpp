#include "views/qt/theme.hpp"

#include "views/model/resource.hpp"
#include "views/qt/ink.hpp"

#include <QApplication>
#include <QFontDatabase>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStyleFactory>
#include <QStyleHints>

#include <cmath>
#include <utility>

namespace orrery::qt {
namespace {

constexpr int kUiPixels = 13, kSmallPixels = 12, kMonoPixels = 12; // WINDOW.md: Inter 13 px, JetBrains Mono 12 px

QColor colour(const QJsonObject& set, const QJsonObject& over, const char* role) {
    const QJsonValue value =
        over.contains(QLatin1String(role)) ? over.value(QLatin1String(role)) : set.value(QLatin1String(role));
    const QColor parsed(value.toString());
    ORRERY_ASSERT(parsed.isValid(), std::string("theme.json lacks ") + role);
    return parsed;
}

QFont first_of(std::initializer_list<const char*> families, QFontDatabase::SystemFont fallback, int pixels) {
    QFont font = QFontDatabase::systemFont(fallback);
    const QStringList known = QFontDatabase::families();
    for (const char* family : families)
        if (known.contains(QLatin1String(family))) {
            font = QFont(QLatin1String(family));
            break;
        }
    font.setPixelSize(pixels);
    return font;
}

void set_fonts(Theme& t) {
    t.ui = first_of({"Inter", "Noto Sans", "DejaVu Sans"}, QFontDatabase::GeneralFont, kUiPixels);
    t.ui_small = t.ui;
    t.ui_small.setPixelSize(kSmallPixels);
    t.ui_bold = t.ui;
    t.ui_bold.setWeight(QFont::DemiBold);
    t.mono = first_of({"JetBrains Mono", "DejaVu Sans Mono", "Noto Sans Mono"}, QFontDatabase::FixedFont, kMonoPixels);
    t.mono.setStyleHint(QFont::Monospace);
    // Ligatures would make a run of characters narrower to click than it looks.
    t.mono.setStyleStrategy(QFont::PreferAntialias);
    t.mono.setFixedPitch(true);
}

QString fill_in(QString sheet, const Theme& t) {
    const std::pair<const char*, const QColor*> roles[] = {{"@ground", &t.ground},
                                                           {"@panel", &t.panel},
                                                           {"@raised", &t.raised},
                                                           {"@hover", &t.hover},
                                                           {"@hairline", &t.hairline},
                                                           {"@text", &t.text},
                                                           {"@dim", &t.dim},
                                                           {"@quiet", &t.quiet},
                                                           {"@faint", &t.faint},
                                                           {"@accent_fill", &t.accent_fill},
                                                           {"@accent", &t.accent},
                                                           {"@on_accent", &t.on_accent},
                                                           {"@selection", &t.selection},
                                                           {"@error", &t.error}};
    for (const auto& [name, value] : roles) sheet.replace(QLatin1String(name), value->name());
    return sheet;
}

const char* const kSheet = R"(
QWidget { color: @text; }
QMainWindow, QDialog { background: @ground; }
QMainWindow::separator { background: @hairline; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: @accent; }
QToolTip { background: @raised; color: @text; border: 1px solid @hairline; padding: 6px; }
QMenu { background: @raised; border: 1px solid @hairline; padding: 4px; }
QMenu::item { padding: 6px 28px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: @hover; }
QMenu::item:disabled { color: @quiet; }
QMenu::separator { height: 1px; background: @hairline; margin: 4px 8px; }
QPushButton, QToolButton#bar { background: @raised; border: 1px solid @hairline; border-radius: 6px; padding: 5px 12px; color: @text; }
QPushButton:hover, QToolButton#bar:hover { background: @hover; }
QToolButton#bar:checked { background: @accent_fill; border: 1px solid @accent; }
QPushButton:focus, QToolButton#bar:focus { border: 1px solid @accent; }
QPushButton:disabled, QToolButton#bar:disabled { color: @quiet; background: @panel; }
QToolButton#bar::menu-indicator { image: none; }
QPushButton#primary, QToolButton#primary { background: @accent; color: @on_accent; border: 1px solid @accent; border-radius: 6px; padding: 5px 14px; font-weight: 600; }
QPushButton#primary:disabled, QToolButton#primary:disabled { background: @raised; color: @quiet; border: 1px solid @hairline; }
QPushButton#primary:focus, QToolButton#primary:focus { border: 1px solid @text; }
QToolButton#tab { background: transparent; border: 1px solid transparent; border-radius: 5px; padding: 3px 9px; color: @dim; }
QToolButton#tab:hover { color: @text; }
QToolButton#tab:checked { background: @raised; color: @text; }
QToolButton#tab:focus { border: 1px solid @accent; }
QToolButton#flat { background: transparent; border: 1px solid transparent; border-radius: 5px; padding: 3px 7px; color: @dim; }
QToolButton#flat:hover { background: @hover; color: @text; }
QToolButton#flat:checked { background: @raised; color: @accent; }
QToolButton#flat:focus { border: 1px solid @accent; }
QLineEdit { background: @raised; border: 1px solid @hairline; border-radius: 6px; padding: 4px 8px; color: @text; selection-background-color: @selection; selection-color: @text; }
QLineEdit:focus { border: 1px solid @accent; }
QComboBox#bar, QSpinBox#bar { background: @raised; border: 1px solid @hairline; border-radius: 6px; padding: 4px 8px; color: @text; selection-background-color: @selection; selection-color: @text; }
QComboBox#bar:hover { background: @hover; }
QComboBox#bar:focus, QSpinBox#bar:focus { border: 1px solid @accent; }
QComboBox#bar:disabled, QSpinBox#bar:disabled { color: @quiet; background: @panel; }
QComboBox#bar::drop-down { border: none; width: 20px; }
QSpinBox#bar::up-button, QSpinBox#bar::down-button { border: none; background: transparent; width: 18px; }
QComboBox#bar::down-arrow, QSpinBox#bar::up-arrow, QSpinBox#bar::down-arrow { image: none; width: 0; height: 0; }
QComboBox#bar QAbstractItemView { background: @raised; border: 1px solid @hairline; padding: 4px; outline: none; selection-background-color: @hover; selection-color: @text; }
QPlainTextEdit { background: @ground; border: none; padding: 4px 8px; selection-background-color: @selection; selection-color: @text; }
QTextBrowser { background: @ground; border: none; padding: 8px; selection-background-color: @selection; selection-color: @text; }
QTableView, QListView, QTreeView { background: @ground; alternate-background-color: @ground; border: none; outline: none; gridline-color: @hairline; selection-background-color: @accent_fill; selection-color: @text; }
QTableView::item { padding: 2px 8px; border: none; }
QTableView::item:selected, QListView::item:selected { background: @accent_fill; color: @text; }
QHeaderView { background: @panel; }
QHeaderView::section { background: @panel; color: @dim; border: none; border-bottom: 1px solid @hairline; padding: 4px 8px; }
QHeaderView::up-arrow, QHeaderView::down-arrow { subcontrol-position: top center; width: 9px; height: 6px; }
QTableCornerButton::section { background: @panel; border: none; }
QCheckBox::indicator { width: 12px; height: 12px; border: 1px solid @quiet; border-radius: 3px; background: @raised; }
QCheckBox::indicator:hover { border: 1px solid @text; }
QCheckBox::indicator:checked { background: @accent; border: 1px solid @accent; }
QCheckBox::indicator:disabled { border: 1px solid @hairline; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: @hairline; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px; }
QScrollBar::handle:hover { background: @faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QScrollArea { background: transparent; border: none; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QSplitter::handle { background: @hairline; }
QProgressBar { background: @hairline; border: none; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: @accent; border-radius: 2px; }
QFrame#popup { background: @raised; border: 1px solid @hairline; border-radius: 8px; }
QWidget#header, QWidget#statusline, QWidget#toolbar, QWidget#strip { background: @panel; }
QFrame#popup QListView { background: @raised; }
QLabel#title { font-weight: 600; }
QLabel#dim { color: @dim; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
)";

Theme& current() {
    static Theme active = load_theme({});
    return active;
}

} // namespace

Theme load_theme(const ThemeChoice& choice) {
    const std::string_view bytes = resource("theme.json");
    const QJsonObject file = QJsonDocument::fromJson(QByteArray(bytes.data(), static_cast<int>(bytes.size()))).object();
    const QLatin1String name(choice.dark ? "dark" : "light");
    const QJsonObject set = file.value(name).toObject();
    const QJsonObject over = choice.colour_blind
                                 ? file.value(QLatin1String("colour_blind")).toObject().value(name).toObject()
                                 : QJsonObject();
    Theme t;
    t.choice = choice;
    const std::pair<const char*, QColor*> roles[] = {{"ground", &t.ground},
                                                     {"panel", &t.panel},
                                                     {"raised", &t.raised},
                                                     {"hover", &t.hover},
                                                     {"hairline", &t.hairline},
                                                     {"text", &t.text},
                                                     {"dim", &t.dim},
                                                     {"quiet", &t.quiet},
                                                     {"faint", &t.faint},
                                                     {"accent", &t.accent},
                                                     {"on_accent", &t.on_accent},
                                                     {"accent_fill", &t.accent_fill},
                                                     {"selection", &t.selection},
                                                     {"find", &t.find},
                                                     {"error", &t.error},
                                                     {"warning", &t.warning},
                                                     {"good", &t.good},
                                                     {"blue", &t.blue},
                                                     {"teal", &t.teal},
                                                     {"violet", &t.violet},
                                                     {"green", &t.green},
                                                     {"grey", &t.grey},
                                                     {"blue_fill", &t.blue_fill},
                                                     {"teal_fill", &t.teal_fill},
                                                     {"violet_fill", &t.violet_fill},
                                                     {"green_fill", &t.green_fill},
                                                     {"grey_fill", &t.grey_fill},
                                                     {"added", &t.added},
                                                     {"removed", &t.removed},
                                                     {"changed", &t.changed},
                                                     {"moved", &t.moved},
                                                     {"added_fill", &t.added_fill},
                                                     {"removed_fill", &t.removed_fill},
                                                     {"changed_fill", &t.changed_fill},
                                                     {"moved_fill", &t.moved_fill},
                                                     {"word", &t.word}};
    for (const auto& [role, target] : roles) *target = colour(set, over, role);
    const QJsonArray tints = set.value(QLatin1String("tints")).toArray(),
                     heat = set.value(QLatin1String("heat")).toArray();
    ORRERY_ASSERT(tints.size() == views::kTintCount && heat.size() == 5);
    for (int i = 0; i < views::kTintCount; ++i) t.tints[static_cast<std::size_t>(i)] = QColor(tints[i].toString());
    for (int i = 0; i < 5; ++i) t.heat[static_cast<std::size_t>(i)] = QColor(heat[i].toString());
    const QJsonObject code = set.value(QLatin1String("code")).toObject();
    const char* const spans[] = {"plain",   "keyword",  "type",     "number", "string",
                                 "comment", "function", "register", "label"};
    for (std::size_t i = 0; i < t.code.size(); ++i) t.code[i] = colour(code, {}, spans[i]);
    set_fonts(t);
    return t;
}

const Theme& theme() { return current(); }

void apply_theme(QApplication& application, const ThemeChoice& choice) {
    current() = load_theme(choice);
    forget_shaped();
    const Theme& t = current();
    application.setStyle(QStyleFactory::create(QStringLiteral("Fusion")));
    QPalette p;
    p.setColor(QPalette::Window, t.ground);
    p.setColor(QPalette::WindowText, t.text);
    p.setColor(QPalette::Base, t.ground);
    p.setColor(QPalette::AlternateBase, t.panel);
    p.setColor(QPalette::Text, t.text);
    p.setColor(QPalette::PlaceholderText, t.quiet);
    p.setColor(QPalette::Button, t.raised);
    p.setColor(QPalette::ButtonText, t.text);
    p.setColor(QPalette::Highlight, t.selection);
    p.setColor(QPalette::HighlightedText, t.text);
    p.setColor(QPalette::ToolTipBase, t.raised);
    p.setColor(QPalette::ToolTipText, t.text);
    p.setColor(QPalette::Link, t.blue);
    p.setColor(QPalette::Disabled, QPalette::Text, t.quiet);
    p.setColor(QPalette::Disabled, QPalette::ButtonText, t.quiet);
    p.setColor(QPalette::Disabled, QPalette::WindowText, t.quiet);
    application.setPalette(p);
    application.setFont(t.ui);
    application.setStyleSheet(fill_in(QString::fromLatin1(kSheet), t));
}

const QColor& Theme::kind(views::OperatorKind k) const {
    using K = views::OperatorKind;
    switch (k) {
    case K::Convolution:
    case K::MatMul:
    case K::Group: return blue;
    case K::Pool:
    case K::Reduction: return teal;
    case K::Normalization:
    case K::Recurrent: return violet;
    case K::Activation:
    case K::Elementwise: return green;
    case K::Input:
    case K::Output:
    case K::Constant:
    case K::Shape:
    case K::Other: return grey;
    }
    return grey;
}

const QColor& Theme::kind_fill(views::OperatorKind k) const {
    const QColor& bar = kind(k);
    if (&bar == &blue) return blue_fill;
    if (&bar == &teal) return teal_fill;
    if (&bar == &violet) return violet_fill;
    return &bar == &green ? green_fill : grey_fill;
}

const QColor& Theme::tone(views::Tone tone) const {
    switch (tone) {
    case views::Tone::Normal: return text;
    case views::Tone::Dim: return dim;
    case views::Tone::Good: return good;
    case views::Tone::Warning: return warning;
    case views::Tone::Bad: return error;
    }
    return text;
}

namespace {

views::LineChange as_line(views::NodeMark mark) {
    switch (mark) {
    case views::NodeMark::Added: return views::LineChange::Added;
    case views::NodeMark::Removed: return views::LineChange::Removed;
    case views::NodeMark::Changed: return views::LineChange::Changed;
    case views::NodeMark::Moved: return views::LineChange::Moved;
    case views::NodeMark::None:
    case views::NodeMark::Same: break;
    }
    return views::LineChange::None;
}

} // namespace

const QColor* Theme::change(views::LineChange change) const {
    switch (change) {
    case views::LineChange::Added: return &added;
    case views::LineChange::Removed: return &removed;
    case views::LineChange::Changed: return &changed;
    case views::LineChange::Moved: return &moved;
    case views::LineChange::None:
    case views::LineChange::Filler: break;
    }
    return nullptr;
}

const QColor* Theme::change_fill(views::LineChange change) const {
    switch (change) {
    case views::LineChange::Added: return &added_fill;
    case views::LineChange::Removed: return &removed_fill;
    case views::LineChange::Changed: return &changed_fill;
    case views::LineChange::Moved: return &moved_fill;
    case views::LineChange::None:
    case views::LineChange::Filler: break;
    }
    return nullptr;
}

const QColor* Theme::change(views::NodeMark mark) const { return change(as_line(mark)); }
const QColor* Theme::change_fill(views::NodeMark mark) const { return change_fill(as_line(mark)); }

QString change_sign(views::LineChange change) {
    switch (change) {
    case views::LineChange::Added: return QStringLiteral("+");
    case views::LineChange::Removed: return QStringLiteral("−");
    case views::LineChange::Changed: return QStringLiteral("~");
    case views::LineChange::Moved: return QStringLiteral("⇄");
    case views::LineChange::None:
    case views::LineChange::Filler: break;
    }
    return {};
}

QString change_sign(views::NodeMark mark) { return change_sign(as_line(mark)); }

QColor Theme::heat_at(float share) const {
    const float at = std::clamp(share, 0.f, 1.f) * 4;
    const auto low = static_cast<std::size_t>(std::min(3.f, std::floor(at)));
    const float rest = at - static_cast<float>(low);
    const auto mix = [&](int a, int b) { return static_cast<int>(std::lround(a + (b - a) * rest)); };
    const QColor &a = heat[low], &b = heat[low + 1];
    return {mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue())};
}

double contrast(const QColor& a, const QColor& b) {
    const auto luminance = [](const QColor& c) {
        const auto channel = [](double v) { return v <= 0.03928 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
        return 0.2126 * channel(c.redF()) + 0.7152 * channel(c.greenF()) + 0.0722 * channel(c.blueF());
    };
    const double high = std::max(luminance(a), luminance(b)), low = std::min(luminance(a), luminance(b));
    return (high + 0.05) / (low + 0.05);
}

} // namespace orrery::qt
