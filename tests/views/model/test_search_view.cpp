#include "views/model/search_view.hpp"

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/session/snapshot.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::views;

namespace {

graph::Module chain(int length, const graph::Module* before = nullptr) {
    graph::FunctionBuilder builder;
    graph::Var x;
    if (before) {
        builder.param(before->main->params.front());
        for (const graph::Binding& b : before->main->bindings) builder.append(b);
        x = before->main->result;
    } else {
        x = builder.param("picture", graph::tensor_type(DType::F32, Shape{4, 16}));
    }
    for (int i = 0; i < length; ++i)
        x = i % 2 == 0 ? builder.call(ops::op("relu"), {x}, {}, OriginSet(0), "Act_" + std::to_string(i))
                       : builder.call(ops::op("softmax"), {x}, {{"axis", std::int64_t{1}}}, OriginSet(1),
                                      "Soft_" + std::to_string(i));
    auto sources = std::make_shared<std::vector<graph::Source>>();
    *sources = {{"layer/act", "Relu"}, {"layer/soft", "Softmax"}};
    return {builder.finish("main", x), {"y"}, sources};
}

session::Snapshot snapshot(int length) {
    session::Snapshot s;
    const graph::Module imported = chain(length);
    for (const auto& [name, module] : {std::pair("import", imported), {"Widen", chain(2, &imported)}}) {
        auto step = std::make_shared<session::GraphStep>();
        step->name = name, step->module = module, step->changed = true;
        s.steps.push_back(step);
    }
    return s;
}

} // namespace

TEST_CASE("values are found by name, operator, type, attribute, model node and step", "[views][search]") {
    const SearchViewData data = build_search(snapshot(6));
    CHECK(data.rows.size() == 1 + 6 + 2); // a value that goes through both steps stands once
    const auto names = [&](const char* query) {
        std::vector<std::string> out;
        for (const int row : search(data, query, 100)) out.push_back(data.rows[static_cast<std::size_t>(row)].name);
        std::ranges::sort(out);
        return out;
    };
    CHECK(names("act_4") == std::vector<std::string>{"Act_4"});
    CHECK(names("SOFTMAX").size() == 4);
    CHECK(names("axis=1 soft_3") == std::vector<std::string>{"Soft_3"});
    CHECK(names("layer/act").size() == 4);
    CHECK(names("f32[4,16]").size() == data.rows.size());
    CHECK(names("input") == std::vector<std::string>{"picture"});
    CHECK(names("nothing of the kind").empty());
    CHECK(names("").empty());
    CHECK(search(data, "a", 3).size() == 3);
    const auto old = std::ranges::find(data.rows, "Act_4", &SearchRow::name);
    CHECK((old->first_step == 0 && old->last_step == 1));
    CHECK(search(SearchViewData{}, "a", 3).empty());
}

TEST_CASE("names come before other hits", "[views][search]") {
    const SearchViewData data = build_search(snapshot(6));
    const std::vector<int> hits = search(data, "soft", 100);
    REQUIRE(hits.size() > 3);
    CHECK(data.rows[static_cast<std::size_t>(hits[0])].name.starts_with("Soft"));
}
