#pragma once
// What stands behind the window: takes commands, gives screens.

#include "views/model/command.hpp"
#include "views/model/screen.hpp"

#include <QObject>
#include <QString>

#include <memory>

namespace orrery::app {

/// Thread: the window's. `submit` returns at once; what comes of it arrives as a screen.
class Workbench : public QObject {
    Q_OBJECT
  public:
    using QObject::QObject;
    virtual void submit(const views::Command& command) = 0;
    [[nodiscard]] virtual std::shared_ptr<const views::Screen> screen() const = 0;
    /// True when no work is under way and nothing is about to change by itself.
    [[nodiscard]] virtual bool idle() const = 0;
    /// True while a part that belongs with the screen's is about to come: they are shown together.
    [[nodiscard]] virtual bool more_soon() const { return false; }

  signals:
    void changed();
    /// The screen's loops and programs are others: what is looked at after an edit, and shown before all else.
    void programs_changed();
    /// Something the user asked for is done, and no pane shows it: a file was written.
    void told(const QString& what);
};

} // namespace orrery::app
