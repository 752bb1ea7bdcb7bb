#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

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
