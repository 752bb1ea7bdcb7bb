#include "backends/llvm/llvm_backend.hpp"
#include "core/session/scratch.hpp"
#include "core/session/session.hpp"
#include "views/model/gallery.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/session_views.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace orrery;
using namespace orrery::views;

namespace {

struct Open {
    std::shared_ptr<session::Compiler> compiler =
        std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{});
    session::Session session{compiler};
    explicit Open(const std::string& text) {
        session.open_recipe(session::scratch_recipe(*compiler, text));
        session.wait_idle();
    }
    [[nodiscard]] EditViewData edit() { return build_edit(*session.snapshot(), {}); }
};

} // namespace

TEST_CASE("the gallery has a title and a sentence for each text", "[views][scratch]") {
    CHECK(gallery().size() >= 12);
    for (const GalleryItem& item : gallery()) {
        INFO(item.name);
        CHECK_FALSE(item.title.empty());
        CHECK(item.description.size() > 20);
        CHECK(find_in_gallery(item.name) == &item);
        CHECK(scratch_text("gallery:" + item.name) == std::string(item.text));
        CHECK(gallery_text().find(item.name) != std::string::npos);
    }
    CHECK(find_in_gallery("nothing") == nullptr);
    CHECK_FALSE(scratch_text("gallery:nothing").has_value());
    CHECK_FALSE(scratch_text("mlp").has_value());
    CHECK(scratch_text("scratch:y[] = 1.0") == "y[] = 1.0");
    CHECK(nlohmann::json::parse(gallery_json())["items"].size() == gallery().size());
    const StartViewData start = build_start();
    CHECK(start.gallery.size() == gallery().size());
    CHECK(start.new_scratchpad.starts_with("scratch:"));
}

TEST_CASE("a scratchpad's text is edited as it is, with its mistake and its links", "[views][scratch]") {
    const std::string text = "kernel k\ninput x: f32[8]\na[i: 8] = x[i] + 1\ny[i: 8] = a[i] * 2\n";
    Open open(text);
    EditViewData data = open.edit();
    CHECK(data.live);
    CHECK(data.text == text);
    CHECK(data.error_line == 0);
    REQUIRE(data.links.size() == 2);
    CHECK(data.links[0].line == 3);
    CHECK(data.links[1].line == 4);
    CHECK(data.links[1].origins == OriginSet(SourceId{1}));
    CHECK(to_text(data).find(text) != std::string::npos);
    CHECK(nlohmann::json::parse(to_json(data))["live"] == true);
    open.session.edit("edit the text", [&](session::Recipe& recipe) { recipe.scratch = text + "z[i: 8] = q[i]\n"; });
    open.session.wait_idle();
    data = open.edit();
    CHECK(data.error_line == 5);
    CHECK(data.error_column == 11);
    CHECK(data.error.find("`q`") != std::string::npos);
    CHECK(data.opened == text);
    CHECK(data.links.size() == 2); // of the last text that was whole
}

TEST_CASE("the views of a scratchpad show its program, loops and code", "[views][scratch]") {
    Open open(std::string(find_in_gallery("softmax")->text));
    const session::SnapshotPtr snapshot = open.session.snapshot();
    REQUIRE(snapshot->functions.size() == 1);
    ViewOptions options;
    const TextViewData tensor = build_tensor(*snapshot, options);
    CHECK(tensor.text->find("fn softmax(x: f32[256,512]) -> (y: f32[256,512])") == 0);
    const LoopViewData loops = build_loops(*snapshot, options);
    CHECK(loops.rows.size() > 6);
    CHECK_FALSE(loops.trace.empty());
    CHECK(build_script(*snapshot).command.starts_with("orrery run 'scratch:"));
}
