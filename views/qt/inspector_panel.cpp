#include "views/qt/inspector_panel.hpp"

#include "views/qt/theme.hpp"

#include <QEvent>

namespace orrery::qt {
namespace {

QString safe(const std::string& s) { return QString::fromStdString(s).toHtmlEscaped(); }

} // namespace

InspectorPanel::InspectorPanel(QWidget* parent)
    : QTextBrowser(parent), data_(std::make_shared<views::InspectorViewData>()) {
    setAccessibleName(tr("Inspector"));
    setFrameShape(QFrame::NoFrame);
    setOpenLinks(false);
    document()->setDocumentMargin(6);
    render();
}

void InspectorPanel::set_data(std::shared_ptr<const views::InspectorViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    render();
}

void InspectorPanel::render() {
    const Theme& t = theme();
    QString html =
        QStringLiteral("<html><head><style>"
                       "body { color: %1; } .dim { color: %2; } td { padding: 1px 10px 1px 0; vertical-align: top; }"
                       "h3 { font-size: 15px; font-weight: 600; margin: 2px 0 0 0; }"
                       "h4 { color: %2; font-size: 12px; font-weight: 600; margin: 12px 0 3px 0; }"
                       "p { margin: 0 0 4px 0; } .code { font-family: '%3'; font-size: 12px; white-space: pre-wrap; }"
                       "</style></head><body>")
            .arg(t.text.name(), t.dim.name(), t.mono.family());
    if (data_->title.empty()) {
        html += QStringLiteral("<p class='dim'>%1</p>").arg(safe(data_->empty_reason));
    } else {
        html += QStringLiteral("<h3>%1</h3><p class='dim'>%2</p>").arg(safe(data_->title), safe(data_->subtitle));
        for (const views::InspectorSection& section : data_->sections) {
            html += QStringLiteral("<h4>%1</h4>").arg(safe(section.title));
            if (!section.body.empty()) html += QStringLiteral("<p>%1</p>").arg(safe(section.body));
            if (section.fields.empty()) continue;
            html += QStringLiteral("<table cellspacing='0'>");
            for (const views::InspectorField& field : section.fields)
                html += QStringLiteral("<tr><td class='dim'>%1</td><td class='%2'>%3</td></tr>")
                            .arg(safe(field.key), field.code ? QStringLiteral("code") : QString(), safe(field.value));
            html += QStringLiteral("</table>");
        }
    }
    setHtml(html + QStringLiteral("</body></html>"));
}

void InspectorPanel::changeEvent(QEvent* event) {
    QTextBrowser::changeEvent(event);
    if (event->type() == QEvent::StyleChange) render();
}

} // namespace orrery::qt
