// The main window's part in scratchpads: opening them, arranging the panes for them.

#include "app/main_window.hpp"
#include "views/qt/words.hpp"

#include <QMenu>

namespace orrery::app {

using qt::text_of;

void MainWindow::connect_scratch_actions() {
    Actions& a = *actions_;
    a.on(ActionId::NewScratchpad, [this] {
        opening_ = true;
        submit(views::OpenSample{screen_->start->new_scratchpad});
    });
    a.on(ActionId::FocusScratch, [this] {
        if (workspace_->arrangement() != Arrangement::Scratch) (*actions_)[ActionId::LayoutScratch]->trigger();
        workspace_->scratch()->field()->setFocus(Qt::ShortcutFocusReason);
    });
    connect(start_, &qt::StartPage::scratchpad_requested, (*actions_)[ActionId::NewScratchpad], &QAction::trigger);
}

/// A scratchpad stands beside its code; a model needs its graph.
void MainWindow::fit_arrangement(const views::Screen& screen) {
    opening_ = false;
    const bool scratch = screen.edit->live;
    if (scratch != (workspace_->arrangement() == Arrangement::Scratch)) {
        workspace_->keep_arrangement();
        workspace_->arrange(scratch ? Arrangement::Scratch : Arrangement::Schedule);
    }
    if (scratch) workspace_->scratch()->field()->setFocus();
}

void MainWindow::fill_gallery_menu(QMenu& menu) {
    menu.setToolTipsVisible(true);
    for (const views::StartSample& item : screen_->start->gallery) {
        QAction* action = menu.addAction(text_of(item.title), this, [this, name = item.name] {
            opening_ = true;
            submit(views::OpenSample{name});
        });
        action->setToolTip(text_of(item.description));
    }
}

} // namespace orrery::app
