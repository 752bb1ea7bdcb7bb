// What bounds the loops of a kernel's machine code, as tables, and what hovering a line of assembly says.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/session.hpp"
#include "views/model/machine_view.hpp"
#include "views/model/session_views.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::views;

namespace {

/// An MLP for a processor that LLVM has a model of, or for one it has none of.
session::SnapshotPtr snapshot_for(const std::string& triple, const std::string& cpu) {
    session::Session session(std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{}));
    session.open_builtin("mlp");
    session.wait_idle();
    session.edit("target", [&](session::Recipe& recipe) {
        recipe.target.triple = triple;
        recipe.target.cpu = cpu;
        recipe.target.features.clear();
    });
    session.wait_idle();
    session.want_code(shown_function(*session.snapshot(), "")->lowered.name);
    session.wait_idle();
    return session.snapshot();
}

} // namespace

TEST_CASE("loops of machine code, what bounds them, and the ports of the hot one", "[views][asm]") {
    const auto snapshot = snapshot_for("x86_64-unknown-linux-gnu", "znver4");
    const MachineViewData data = build_machine(*snapshot, {});
    REQUIRE(data.empty_reason.empty());
    CHECK(data.subject == shown_function(*snapshot, "")->lowered.name);
    CHECK(data.summary.starts_with("znver4 · "));
    CHECK(data.summary.find("hot loop: lines ") != std::string::npos);
    REQUIRE(!data.loops.rows.empty());
    CHECK(std::ranges::count(data.loops.rows, Tone::Good, &TableRow::tone) == 1);
    double shares = 0;
    for (const TableRow& row : data.loops.rows) {
        REQUIRE(row.cells.size() == data.loops.columns.size());
        CHECK_FALSE(row.origins.empty());
        CHECK_FALSE(row.details.empty());
        shares += row.cells[2].sort_key;
    }
    CHECK(shares == Approx(1));
    CHECK_FALSE(data.ports.rows.empty());
    CHECK(to_text(data).find("Bound") != std::string::npos);
    CHECK(to_json(data).find("\"view\": \"machine\"") != std::string::npos);
}

TEST_CASE("lines of assembly: details, heat, two syntaxes", "[views][asm]") {
    const auto snapshot = snapshot_for("x86_64-unknown-linux-gnu", "znver4");
    ViewOptions options;
    const TextViewData tensor = build_tensor(*snapshot, options);
    const TextViewData intel = build_code(*snapshot, options, CodeView::Assembly, tensor);
    options.att_syntax = true;
    const TextViewData att = build_code(*snapshot, options, CodeView::Assembly, tensor);
    REQUIRE(intel.line_count() == att.line_count());
    CHECK(*intel.text != *att.text);
    CHECK(att.text->find("%xmm") != std::string::npos);
    REQUIRE(static_cast<int>(intel.details.size()) == intel.line_count());
    CHECK(std::ranges::any_of(intel.details, [](const std::string& text) {
        return text.starts_with("vfmadd") && text.find("latency") != std::string::npos &&
               text.find("multiplies operands") != std::string::npos;
    }));
    REQUIRE(static_cast<int>(intel.heat.size()) == intel.line_count());
    CHECK(*std::ranges::max_element(intel.heat) > 0.3F);
}

TEST_CASE("a processor without a model is said", "[views][asm]") {
    const auto snapshot = snapshot_for("riscv64-unknown-linux-gnu", "");
    CHECK(build_machine(*snapshot, {}).empty_reason.find("no model of the pipeline") != std::string::npos);
    CHECK_FALSE(build_machine(session::Snapshot{}, {}).empty_reason.empty());
}
