#include "views/qt/bar_boxes.hpp"
#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QImage>
#include <QPainter>

using namespace orrery;

TEST_CASE("text has a contrast of 4.5 on everything it stands on", "[gui][theme]") {
    for (const bool dark : {true, false})
        for (const bool colour_blind : {false, true}) {
            const qt::Theme t = qt::load_theme({dark, colour_blind});
            std::vector<std::pair<std::string, QColor>> grounds{
                {"ground", t.ground}, {"panel", t.panel}, {"raised", t.raised}};
            for (const auto& [name, ground] : grounds)
                for (const auto& [role, colour] : {std::pair("text", t.text),
                                                   {"dim", t.dim},
                                                   {"quiet", t.quiet},
                                                   {"error", t.error},
                                                   {"good", t.good},
                                                   {"warning", t.warning},
                                                   {"accent", t.accent}}) {
                    INFO(role << " on " << name << ", dark " << dark << ", colour-blind " << colour_blind);
                    CHECK(qt::contrast(colour, ground) >= 4.5);
                }
            std::vector<QColor> lines{t.ground, t.accent_fill, t.find, t.selection};
            for (const QColor& tint : t.tints) lines.push_back(tint);
            for (std::size_t k = 0; k < t.code.size(); ++k)
                for (std::size_t l = 0; l < lines.size(); ++l) {
                    INFO("code colour " << k << " on line colour " << l << ", dark " << dark);
                    CHECK(qt::contrast(t.code[k], lines[l]) >= (l == 2 || l == 3 ? 3.0 : 4.5));
                }
            for (const QColor& fill :
                 {t.blue_fill, t.teal_fill, t.violet_fill, t.green_fill, t.grey_fill, t.accent_fill})
                for (const QColor& text : {t.text, t.dim}) {
                    INFO("on fill " << fill.name().toStdString() << ", dark " << dark);
                    CHECK(qt::contrast(text, fill) >= 4.5);
                }
            for (const QColor& hot : t.heat) CHECK(qt::contrast(t.text, hot) >= 4.5);
            CHECK(qt::contrast(t.on_accent, t.accent) >= 4.5);
        }
}

TEST_CASE("boxes of a bar have the colours of its buttons", "[gui][theme]") {
    for (const bool dark : {true, false}) {
        qt::apply_theme(*qApp, {dark, false});
        QWidget bar;
        auto* row = new QHBoxLayout(&bar);
        auto* choice = new qt::BarCombo(&bar);
        choice->addItem(QStringLiteral("genetic"));
        auto* number = new qt::BarSpin(&bar);
        number->setSuffix(QStringLiteral(" trials"));
        for (QWidget* box : std::initializer_list<QWidget*>{choice, number}) row->addWidget(box);
        bar.show();
        QApplication::processEvents();
        for (QWidget* box : std::initializer_list<QWidget*>{choice, number}) {
            const QImage image = box->grab().toImage();
            const int middle = image.height() / 2;
            INFO(box->metaObject()->className() << ", dark " << dark);
            for (const int y : {3, middle, image.height() - 4}) CHECK(image.pixelColor(4, y) == qt::theme().raised);
            CHECK(image.pixelColor(image.width() - 3, middle) == qt::theme().raised);
            bool arrow = false, text = false;
            for (int y = 0; y < image.height(); ++y) {
                for (int x = image.width() - 18; x < image.width() - 4; ++x)
                    arrow = arrow || image.pixelColor(x, y) == qt::theme().dim;
                for (int x = 6; x < image.width() / 2; ++x)
                    text = text || std::abs(image.pixelColor(x, y).lightness() - qt::theme().text.lightness()) < 24;
            }
            CHECK(arrow);
            CHECK(text);
        }
    }
    qt::apply_theme(*qApp, {});
}

TEST_CASE("texts that are kept as glyphs stand where Qt would paint them, and are cut as it would cut them",
          "[gui][theme]") {
    const QFontMetrics metrics(qt::theme().mono);
    const QString text = QStringLiteral("split(conv2d.ic, [-1, 2])");
    CHECK(std::abs(qt::shaped_width(qt::Face::Mono, text) - metrics.horizontalAdvance(text)) <= 1);
    CHECK(qt::shaped_width(qt::Face::Mono, {}) == 0);
    const int room = qt::shaped_width(qt::Face::Mono, text) / 2;
    CHECK(qt::shaped(qt::Face::Mono, text, room).width <= room);
    CHECK(qt::shaped(qt::Face::Mono, text, room).width > room / 2);
    CHECK(qt::shaped(qt::Face::Mono, text, 0).width <= 0);
    const auto painted = [&](bool ours, Qt::Alignment align) {
        QImage image(300, 22, QImage::Format_RGB32);
        image.fill(Qt::black);
        QPainter painter(&image);
        painter.setPen(Qt::white);
        painter.setFont(qt::theme().mono);
        if (ours)
            CHECK(qt::draw_text(painter, qt::Face::Mono, {image.rect(), align}, text) > 100);
        else
            painter.drawText(image.rect(), align | Qt::AlignVCenter, text);
        QRect ink;
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x)
                if (qGray(image.pixel(x, y)) > 64) ink |= QRect(x, y, 1, 1);
        return ink;
    };
    for (const Qt::Alignment align : {Qt::Alignment(Qt::AlignLeft), Qt::Alignment(Qt::AlignRight)}) {
        const QRect ours = painted(true, align), theirs = painted(false, align);
        INFO(ours.x() << " " << ours.y() << " " << theirs.x() << " " << theirs.y());
        CHECK((ours.topLeft() - theirs.topLeft()).manhattanLength() <= 1);
        CHECK((ours.bottomRight() - theirs.bottomRight()).manhattanLength() <= 2);
    }
    // The same text is the same object; another theme forgets it and gives the same again.
    const int width = qt::shaped(qt::Face::UiSmall, text).width;
    CHECK(&qt::shaped(qt::Face::UiSmall, text) == &qt::shaped(qt::Face::UiSmall, text));
    qt::forget_shaped();
    CHECK(qt::shaped(qt::Face::UiSmall, text).width == width);
}
