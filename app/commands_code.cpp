// provenance: how much of the generated code leads back to the model.

#include "app/cli.hpp"
#include "core/session/provenance.hpp"
#include "views/model/table.hpp"

#include <cstdio>

namespace orrery::app {

namespace {

views::TableCell share_cell(const session::LinkedLines& lines) {
    char text[64];
    std::snprintf(text, sizeof text, "%.1f %% of %zu", 100 * lines.share(), lines.lines);
    return {text, lines.share(), -1};
}

views::TableRow row_of(const std::string& name, const session::LinkedLines& tensor, const session::LinkedLines& ir,
                       const session::LinkedLines& assembly) {
    return {{{name, 0, -1}, share_cell(tensor), share_cell(ir), share_cell(assembly)}, {}, views::Tone::Normal, {}};
}

Result<std::string> provenance_text(const ProvenanceArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_TRY(const std::shared_ptr<session::Snapshot> snapshot, snapshot_of(recipe, *compiler));
    if (!snapshot->problems.empty()) return snapshot->problems.front();
    ORRERY_TRY(const session::Provenance found, session::provenance(*compiler, recipe, snapshot->functions, {}));
    views::Table table;
    table.columns = {{"Kernel", views::Align::Left, 0},
                     {"Tensor IR", views::Align::Right, 18},
                     {"LLVM IR", views::Align::Right, 18},
                     {"Assembly", views::Align::Right, 18}};
    if (a.kernels)
        for (const session::Provenance::Row& row : found.rows)
            table.rows.push_back(row_of(row.function, row.tensor, row.ir, row.assembly));
    table.rows.push_back(
        row_of(std::to_string(found.rows.size()) + " kernels", found.tensor, found.ir, found.assembly));
    if (found.regions > 0)
        table.rows.push_back({{{std::to_string(found.regions) + " regions of other backends have no text", 0, -1},
                               {"", 0, -1},
                               {"", 0, -1},
                               {"", 0, -1}},
                              {},
                              views::Tone::Dim,
                              {}});
    return a.json ? views::to_json(table) : views::to_text(table);
}

} // namespace

int command_provenance(const ProvenanceArguments& a) {
    const Result<std::string> text = provenance_text(a);
    if (!text) return fail(text.error(), a.json);
    std::fwrite(text->data(), 1, text->size(), stdout);
    return kDone;
}

} // namespace orrery::app
