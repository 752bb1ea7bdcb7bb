// Starts Qt, then Catch2: widgets need an application before the first test.

#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "views/qt/theme.hpp"

#include <QApplication>
#include <QTemporaryDir>

int main(int argc, char** argv) {
    qputenv("ORRERY_LAYOUT_WORKER", ORRERY_LAYOUT_WORKER);
    qputenv("ORRERY_WORKER", ORRERY_TUNING_WORKER);
    // Measurements of the tests' own.
    const QTemporaryDir records;
    qputenv("ORRERY_RECORDS", records.filePath(QStringLiteral("records.db")).toUtf8());
    QApplication application(argc, argv);
    orrery::qt::apply_theme(application, {});
    return Catch::Session().run(argc, argv);
}
