#pragma once
// Internal to views/qt/text_view: a line as it is painted, and the glyphs of a frame.

#include "views/qt/text_view.hpp"
#include "views/qt/theme.hpp"

#include <QGlyphRun>
#include <QPainter>
#include <QRawFont>

#include <algorithm>
#include <array>
#include <tuple>

namespace orrery::qt {

/// Left of a line's text: its number, the arrow of a fold. Units: pixels.
inline constexpr int kGutterPad = 10, kFoldWidth = 16, kTextPad = 6, kBarWidth = 3;

struct TextView::Display {
    QString text;
    std::vector<int> column_of_byte; ///< one past the end included; empty when bytes are columns
    [[nodiscard]] int column(std::size_t byte) const {
        if (column_of_byte.empty()) return static_cast<int>(byte);
        return column_of_byte[std::min(byte, column_of_byte.size() - 1)];
    }
};

/// Text is painted as one run of glyphs a colour and frame: no shaping, a few calls instead of hundreds.
struct TextView::Ink {
    struct Run {
        QVector<quint32> glyphs;
        QVector<QPointF> places;
    };
    QRawFont font;
    std::array<quint32, 128> ascii{};
    std::array<Run, 9> runs;
    Run numbers;                                                     ///< of lines
    std::vector<std::tuple<QPointF, QChar, views::SpanKind>> others; ///< characters the typeface lacks

    explicit Ink(const QFont& from) : font(QRawFont::fromFont(from)) {
        for (char c = ' '; c < 127; ++c) {
            const auto glyph = font.glyphIndexesForString(QString(QLatin1Char(c)));
            ascii[static_cast<std::size_t>(c)] = glyph.isEmpty() ? 0 : glyph[0];
        }
    }
    void add(QChar c, QPointF at, views::SpanKind kind) {
        if (c == u' ') return;
        quint32 glyph = c.unicode() < 128 ? ascii[c.unicode()] : 0;
        if (glyph == 0 && font.supportsCharacter(c)) glyph = font.glyphIndexesForString(QString(c)).value(0);
        if (glyph == 0) return others.emplace_back(at, c, kind), void();
        Run& run = runs[static_cast<std::size_t>(kind)];
        run.glyphs.push_back(glyph);
        run.places.push_back(at);
    }
    /// A number whose last digit stands at `at`, the others before it.
    void add_number(int number, QPointF at, double digit_width) {
        for (; number > 0; number /= 10, at.rx() -= digit_width) {
            numbers.glyphs.push_back(ascii[static_cast<std::size_t>('0' + number % 10)]);
            numbers.places.push_back(at);
        }
    }
    void paint_run(QPainter& painter, const Run& from, const QColor& colour) const {
        if (from.glyphs.isEmpty()) return;
        QGlyphRun run;
        run.setRawFont(font);
        run.setGlyphIndexes(from.glyphs);
        run.setPositions(from.places);
        painter.setPen(colour);
        painter.drawGlyphRun(QPointF(0, 0), run);
    }
    void paint_numbers(QPainter& painter) const { paint_run(painter, numbers, theme().quiet); }
    void paint(QPainter& painter) const {
        for (std::size_t k = 0; k < runs.size(); ++k) paint_run(painter, runs[k], theme().code[k]);
        for (const auto& [at, c, kind] : others) {
            painter.setPen(theme().code[static_cast<std::size_t>(kind)]);
            painter.drawText(at, QString(c));
        }
    }
};

} // namespace orrery::qt
