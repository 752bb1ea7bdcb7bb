// Starts Qt before the first test: widgets need an application. Catch2's own main is the packaged one, which is
// compiled already.

#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <catch2/catch.hpp>

#include "views/qt/theme.hpp"

#include <QApplication>
#include <QTemporaryDir>

#include <optional>

namespace {

class Application : public Catch::TestEventListenerBase {
  public:
    using TestEventListenerBase::TestEventListenerBase;

    void testRunStarting(const Catch::TestRunInfo&) override {
        qputenv("ORRERY_LAYOUT_WORKER", ORRERY_LAYOUT_WORKER);
        qputenv("ORRERY_WORKER", ORRERY_TUNING_WORKER);
        // Measurements of the tests' own.
        records_.emplace();
        qputenv("ORRERY_RECORDS", records_->filePath(QStringLiteral("records.db")).toUtf8());
        application_.emplace(argc_, argv_);
        orrery::qt::apply_theme(*application_, {});
    }
    void testRunEnded(const Catch::TestRunStats&) override {
        application_.reset();
        records_.reset();
    }

  private:
    char name_[9] = "test_gui";
    char* argv_[2] = {name_, nullptr};
    int argc_ = 1;
    std::optional<QTemporaryDir> records_;
    std::optional<QApplication> application_;
};

CATCH_REGISTER_LISTENER(Application)

} // namespace
