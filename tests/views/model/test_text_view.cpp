#include "views/model/text_view.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::views;

namespace {

TextViewData text(const std::string& content, TextLanguage language = TextLanguage::Plain) {
    TextViewData data;
    data.language = language;
    set_text(data, content);
    return data;
}

std::string kinds(std::string_view line, TextLanguage language) {
    std::string out;
    for (const TextSpan& span : spans_of(line, language))
        out += std::string(line.substr(span.begin, span.end - span.begin)) + ":" +
               std::to_string(static_cast<int>(span.kind)) + " ";
    return out;
}

std::string kind(SpanKind k) { return ":" + std::to_string(static_cast<int>(k)) + " "; }

} // namespace

TEST_CASE("text is cut into lines, with or without a last line end", "[views][text]") {
    for (const char* content : {"a\nbc\n\nd", "a\nbc\n\nd\n"}) {
        const TextViewData data = text(content);
        REQUIRE(data.line_count() == 4);
        CHECK(data.line(0) == "a");
        CHECK(data.line(1) == "bc");
        CHECK(data.line(2).empty());
        CHECK(data.line(3) == "d");
    }
    CHECK(text("").line_count() == 0);
    CHECK(TextViewData().line_count() == 0);
}

TEST_CASE("folds follow depth and take the closing line along", "[views][text]") {
    const TextViewData data = text("for i {\n  for j {\n    a\n  }\n  b\n}\nc\n");
    const auto folds = folds_by_depth({0, 1, 2, 1, 1, 0, 0}, data);
    CHECK(folds == std::vector<FoldRange>{{0, 5}, {1, 3}});
}

TEST_CASE("folds follow braces in LLVM IR and labels in assembly", "[views][text]") {
    CHECK(folds_of(text("define void @f() {\nentry:\n  ret void\n}\n\ndeclare void @g()\n", TextLanguage::Llvm)) ==
          std::vector<FoldRange>{{0, 3}});
    CHECK(folds_of(text("f:\n\tpush rax\n\tret\ng:\n\tret\n", TextLanguage::Assembly)) ==
          std::vector<FoldRange>{{0, 2}, {3, 4}});
    CHECK(folds_of(text("}\n}\n{\n", TextLanguage::Llvm)).empty()); // unbalanced text folds nothing
}

TEST_CASE("blocks get tints in turn, and code takes those of its lines", "[views][text]") {
    TextViewData tensor = text("for\n block a\n  x\n block b\n  y\nend\n");
    tensor.folds = {{0, 4}, {1, 2}, {3, 4}};
    tensor.links.resize(6);
    tint_blocks(tensor, {false, true, false, true, false, false});
    std::vector<int> tints;
    for (const LineLink& link : tensor.links) tints.push_back(link.tint);
    CHECK(tints == std::vector<int>{-1, 0, 0, 1, 1, -1});
    TextViewData code = text("p\nq\nr\n");
    code.links = {{{}, 3, -1}, {{}, 5, -1}, {{}, 0, 4}};
    tint_like(code, tensor);
    CHECK(code.links[0].tint == 0);
    CHECK(code.links[1].tint == 1);
    CHECK(code.links[2].tint == -1);
}

TEST_CASE("a selection means lines when it names them, origins otherwise", "[views][text]") {
    TextViewData code = text("a\nb\nc\n");
    code.subject = "f";
    code.links = {{OriginSet(1), 4, -1}, {OriginSet(std::vector<SourceId>{1, 2}), 5, -1}, {OriginSet(2), 5, -1}};
    CHECK(linked_lines(code, {OriginSet(1), "", {}}) == std::vector<int>{0, 1});
    CHECK(linked_lines(code, {OriginSet(1), "f", {5}}) == std::vector<int>{1, 2});
    CHECK(linked_lines(code, {OriginSet(1), "g", {5}}).empty());
    CHECK(linked_lines(code, {}).empty());
    const Selection one = select_line(code, 2);
    CHECK(one.origins == OriginSet(2));
    CHECK(one.function == "f");
    CHECK(one.tensor_lines == std::vector<int>{5});
    CHECK(select_line(code, 7).empty());
    code.folds = {{0, 2}};
    const Selection all = select_block(code, 0);
    CHECK(all.tensor_lines == std::vector<int>{4, 5});
    CHECK(all.origins == OriginSet(std::vector<SourceId>{1, 2}));
}

TEST_CASE("finding folds case unless told not to, and never crosses lines", "[views][text]") {
    const auto data = std::make_shared<TextViewData>(text("Alpha beta\nALPHA\nalp\nha alpha alpha\n"));
    const auto find = [&](const char* needle, bool match_case) {
        TextSearch search(data, needle, match_case);
        while (search.advance(5)) {}
        return search.hits();
    };
    CHECK(find("alpha", false) == std::vector<TextHit>{{0, 0, 5}, {1, 0, 5}, {3, 3, 8}, {3, 9, 14}});
    CHECK(find("alpha", true) == std::vector<TextHit>{{3, 3, 8}, {3, 9, 14}});
    CHECK(find("ha", false).size() == 5);
    CHECK(find("", false).empty());
    CHECK(find("not there at all, and longer than the whole text that is searched here", false).empty());
    TextSearch bounded(std::make_shared<TextViewData>(text(std::string(300'000, 'a'))), "a", true);
    while (bounded.advance(1 << 20)) {}
    CHECK(bounded.hits().size() == TextSearch::kMaxHits);
}

TEST_CASE("lines are coloured by language", "[views][text]") {
    CHECK(kinds("for i in 16 { x[i] = max(f32, -1.5e-3) }  # note", TextLanguage::Tensor) ==
          "for" + kind(SpanKind::Keyword) + "in" + kind(SpanKind::Keyword) + "16" + kind(SpanKind::Number) + "max" +
              kind(SpanKind::Keyword) + "f32" + kind(SpanKind::Type) + "1.5e-3" + kind(SpanKind::Number) + "# note" +
              kind(SpanKind::Comment));
    // In a tensor program "//" divides.
    CHECK(kinds("i // 4 in 3", TextLanguage::Tensor) ==
          "4" + kind(SpanKind::Number) + "in" + kind(SpanKind::Keyword) + "3" + kind(SpanKind::Number));
    CHECK(kinds("  %v = load i32, ptr @g ; why", TextLanguage::Llvm) ==
          "%v" + kind(SpanKind::Register) + "load" + kind(SpanKind::Keyword) + "i32" + kind(SpanKind::Type) + "ptr" +
              kind(SpanKind::Type) + "@g" + kind(SpanKind::Function) + "; why" + kind(SpanKind::Comment));
    CHECK(kinds("\tvaddps\tzmm1, zmm2, [rdi + 64]", TextLanguage::Assembly) ==
          "vaddps" + kind(SpanKind::Keyword) + "zmm1" + kind(SpanKind::Register) + "zmm2" + kind(SpanKind::Register) +
              "rdi" + kind(SpanKind::Register) + "64" + kind(SpanKind::Number));
    CHECK(kinds(".LBB0_1:", TextLanguage::Assembly) == ".LBB0_1" + kind(SpanKind::Label));
    CHECK(kinds("a \"b\\\"c\" d", TextLanguage::Graph) == "\"b\\\"c\"" + kind(SpanKind::String));
    CHECK(kinds("\"open", TextLanguage::Graph) == "\"open" + kind(SpanKind::String));
    CHECK(spans_of("anything 1", TextLanguage::Plain).empty());
}

TEST_CASE("the JSON form names lines, links and folds", "[views][text]") {
    TextViewData data = text("a\n\"b\"\n");
    data.title = "Assembly";
    data.links = {{OriginSet(3), 2, 1}, {}};
    data.folds = {{0, 1}};
    const std::string json = to_json(data);
    CHECK(json.find("\"tensor_line\": 2") != std::string::npos);
    CHECK(json.find("\\\"b\\\"") != std::string::npos);
    CHECK(to_text(data) == "a\n\"b\"\n");
    data.empty_reason = "Nothing yet.";
    set_text(data, "");
    CHECK(to_text(data) == "Nothing yet.\n");
}
