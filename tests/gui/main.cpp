// Starts Qt, then Catch2: widgets need an application before the first test.

#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "views/qt/theme.hpp"

#include <QApplication>

int main(int argc, char** argv) {
    qputenv("ORRERY_LAYOUT_WORKER", ORRERY_LAYOUT_WORKER);
    QApplication application(argc, argv);
    orrery::qt::apply_theme(application, {});
    return Catch::Session().run(argc, argv);
}
