#pragma once
// Colours by role, typefaces, and the style sheet made of them.

#include "views/model/graph_view.hpp"
#include "views/model/table.hpp"
#include "views/model/text_view.hpp"

#include <QColor>
#include <QFont>
#include <QPalette>
#include <QString>

#include <array>

class QApplication;

namespace orrery::qt {

struct ThemeChoice {
    bool dark = true;
    bool colour_blind = false;
    friend bool operator==(const ThemeChoice&, const ThemeChoice&) = default;
};

/// One colour set of `resources/theme.json`. Text roles: text, dim, quiet, and the kinds; `faint` is for marks only.
struct Theme {
    ThemeChoice choice;
    QColor ground, panel, raised, hover, hairline;
    QColor text, dim, quiet, faint;
    QColor accent, on_accent, accent_fill, selection, find;
    QColor error, warning, good;
    QColor blue, teal, violet, green, grey;
    QColor blue_fill, teal_fill, violet_fill, green_fill, grey_fill;
    QColor added, removed, changed, moved, added_fill, removed_fill, changed_fill, moved_fill, word; ///< of comparisons
    std::array<QColor, views::kTintCount> tints;
    std::array<QColor, 5> heat;
    std::array<QColor, 9> code; ///< by views::SpanKind
    QFont ui, ui_small, ui_bold, mono;

    [[nodiscard]] const QColor& kind(views::OperatorKind kind) const;
    [[nodiscard]] const QColor& kind_fill(views::OperatorKind kind) const;
    [[nodiscard]] const QColor& tone(views::Tone tone) const;
    /// Sign and ground of a line or node that differs; none of a line that does not.
    [[nodiscard]] const QColor* change(views::LineChange change) const;
    [[nodiscard]] const QColor* change_fill(views::LineChange change) const;
    [[nodiscard]] const QColor* change(views::NodeMark mark) const;
    [[nodiscard]] const QColor* change_fill(views::NodeMark mark) const;
    /// Of a share in [0, 1].
    [[nodiscard]] QColor heat_at(float share) const;
};

/// "+", "−", "~", "⇄": what differs is told by shape too. Empty for what does not.
[[nodiscard]] QString change_sign(views::LineChange change);
[[nodiscard]] QString change_sign(views::NodeMark mark);

/// Pre: one of the two sets of the theme file; a broken invariant when the file is incomplete.
[[nodiscard]] Theme load_theme(const ThemeChoice& choice);
/// The theme in use; dark until apply_theme. Thread: the window's.
[[nodiscard]] const Theme& theme();
/// Makes it the theme of the whole program: palette, fonts, style sheet, repaint.
void apply_theme(QApplication& application, const ThemeChoice& choice);

/// WCAG 2.1 contrast ratio, 1 to 21. Source: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
[[nodiscard]] double contrast(const QColor& a, const QColor& b);

} // namespace orrery::qt
