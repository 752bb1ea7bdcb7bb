#include "views/qt/ink.hpp"

#include "views/qt/theme.hpp"

#include <QFontMetrics>
#include <QHash>
#include <QPainter>
#include <QTextLayout>

#include <array>
#include <cmath>
#include <optional>

namespace orrery::qt {
namespace {

constexpr int kKept = 4096; ///< texts. Source: our choice, about 2 MB, a hundred times what a window shows at once
constexpr int kFaces = 5;

struct Key {
    QString text;
    int room; ///< -1 when nothing is cut
    Face face;
    Qt::TextElideMode elide;
    friend bool operator==(const Key&, const Key&) = default;
};
std::size_t qHash(const Key& key, std::size_t seed) {
    return qHashMulti(seed, key.text, key.room, static_cast<int>(key.face), static_cast<int>(key.elide));
}

/// A typeface with its measures.
struct Typeface {
    QFont font;
    QFontMetrics metrics;
    explicit Typeface(const QFont& f) : font(f), metrics(f) {}
};

struct Kept {
    QHash<Key, ShapedText> texts;
    std::array<std::optional<Typeface>, kFaces> faces;
};
Kept& kept() {
    static Kept all;
    return all;
}

QFont font_of(Face face) {
    const Theme& t = theme();
    switch (face) {
    case Face::Ui: return t.ui;
    case Face::UiSmall: return t.ui_small;
    case Face::UiBold: return t.ui_bold;
    case Face::Mono: return t.mono;
    case Face::MonoBold: {
        QFont bold = t.mono;
        bold.setBold(true);
        return bold;
    }
    }
    return t.ui;
}

const Typeface& typeface(Face face) {
    std::optional<Typeface>& found = kept().faces[static_cast<std::size_t>(face)];
    if (!found) found.emplace(font_of(face));
    return *found;
}

ShapedText shape(Face face, const QString& text) {
    QTextLayout layout(text, typeface(face).font);
    layout.setCacheEnabled(true);
    layout.beginLayout();
    QTextLine line = layout.createLine();
    layout.endLayout();
    if (!line.isValid()) return {};
    return {layout.glyphRuns(), static_cast<int>(std::ceil(line.horizontalAdvance())), line.ascent()};
}

} // namespace

void forget_shaped() {
    kept().texts.clear();
    kept().faces = {};
}

const ShapedText& shaped(Face face, const QString& text, int room, Qt::TextElideMode elide) {
    QHash<Key, ShapedText>& texts = kept().texts;
    const auto look_up = [&](const Key& key, const auto& cut) -> const ShapedText& {
        if (const auto found = texts.constFind(key); found != texts.constEnd()) return *found;
        if (texts.size() >= kKept) texts.clear();
        return *texts.insert(key, shape(face, cut()));
    };
    const ShapedText& whole = look_up({text, -1, face, Qt::ElideNone}, [&] { return text; });
    if (whole.width <= room) return whole;
    return look_up({text, room, face, elide},
                   [&] { return room <= 0 ? QString() : typeface(face).metrics.elidedText(text, elide, room); });
}

int shaped_width(Face face, const QString& text) { return shaped(face, text).width; }

int draw_text(QPainter& painter, Face face, const TextBox& box, const QString& text) {
    if (text.isEmpty()) return 0;
    const ShapedText& line = shaped(face, text, box.rect.width(), box.elide);
    const QFontMetrics& metrics = typeface(face).metrics;
    const int ground = box.rect.top() + (box.rect.height() + metrics.ascent() - metrics.descent()) / 2;
    const int rest = box.rect.width() - line.width;
    const int left = (box.align & Qt::AlignRight) != 0 ? rest : (box.align & Qt::AlignHCenter) != 0 ? rest / 2 : 0;
    for (const QGlyphRun& run : line.runs)
        painter.drawGlyphRun(QPointF(box.rect.left() + left, ground - line.ascent), run);
    return line.width;
}

} // namespace orrery::qt
