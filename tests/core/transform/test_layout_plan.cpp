// Layouts chosen over the whole graph, and why.

#include "core/transform/layout_costs.hpp"
#include "core/transform/layout_plan.hpp"
#include "tests/core/transform/graphs.hpp"

#include <map>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// "  NAME: TYPE[SHAPE] = const [...];", small whole numbers.
std::string weights(const std::string& name, const std::string& type, const Shape& shape) {
    std::string extents, values;
    for (const std::int64_t extent : shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    for (std::int64_t i = 0; i < element_count(shape); ++i) values += (i ? ", " : "") + std::to_string((i * 7) % 5 - 2);
    return "  " + name + ": " + type + "[" + extents + "] = const [" + values + "];\n";
}

std::string main_of(const std::string& params, const std::string& body) {
    return "outputs [\"y\"];\nfn main(" + params + ") {\n" + body + "  return y;\n}\n";
}

/// What the pass makes of a module that is too large to be interpreted.
graph::Module laid(const graph::Module& module, pass::Options options, const char* choose = "graph") {
    options["choose"] = choose;
    const auto after = find_pass("AlterOpLayout")->run(module, {options, {}, nullptr});
    if (!after) FAIL(to_string(after.error()));
    INFO(graph::to_string(*after));
    REQUIRE(graph::verify(*after).has_value());
    if (choose == std::string("graph"))
        REQUIRE(find_pass("AlterOpLayout")->run(*after, {options, {}, nullptr})->main == after->main);
    return *after;
}

LayoutReport reasons(const graph::Module& module, const pass::Options& options) {
    const auto report = layout_reasons(module, {options, {}, nullptr});
    if (!report) FAIL(to_string(report.error()));
    CHECK(report->us <= report->own_us);
    CHECK(report->exact);
    return *report;
}

const pass::Options kWide{{"vector_bits", "512"}};

/// A convolution of what no layout is carried through.
graph::Module after_softmax(std::int64_t size, std::int64_t kernel) {
    const std::string pads = std::to_string(kernel / 2), n = std::to_string(size);
    return module_of(main_of("x: f32[1,64," + n + "," + n + "]", weights("w", "f32", {64, 64, kernel, kernel}) +
                                                                     "  s = softmax(x) {axis=1};\n" +
                                                                     "  y = conv2d(s, w) {pads=[" + pads + ", " + pads +
                                                                     ", " + pads + ", " + pads + "]};\n"));
}

} // namespace

TEST_CASE("a change of layout is made where the convolution gains more", "[transform][layout_plan]") {
    // Of single places: what it loses by reading plain channels is less than a pass over the image.
    const graph::Module places = after_softmax(28, 1), windows = after_softmax(28, 3);
    CHECK(count_calls(laid(places, kWide), "layout_transform") == 1);
    CHECK(count_calls(laid(places, kWide, "local"), "layout_transform") == 2);
    // In tiles of Winograd, which plain channels do not go to.
    CHECK(count_calls(laid(windows, kWide), "layout_transform") == 2);
    const LayoutReport report = reasons(places, kWide);
    REQUIRE(report.choices.size() == 1);
    CHECK(report.choices[0].data == "NCHW");
    CHECK(report.choices[0].own_data == "NCHW16c");
    CHECK(report.choices[0].out == "NCHW16c");
    CHECK_FALSE(report.choices[0].measured);
    CHECK(report.transforms == 1);
    CHECK(report.own_transforms == 2);
    CHECK(reasons(windows, kWide).us == reasons(windows, kWide).own_us);
}

TEST_CASE("what is added lies in one layout from the start", "[transform][layout_plan]") {
    // The first convolution has too few channels for tiles, in which the second lies in blocks of 32.
    const graph::Module module = module_of(
        main_of("x: f32[1,3,4,4]", weights("u", "f32", {32, 3, 1, 1}) + weights("v", "bf16", {32, 32, 3, 3}) +
                                       "  a = conv2d(x, u);\n  b = relu(a);\n  n = cast(b) {dtype=bf16};\n"
                                       "  c = conv2d(n, v) {pads=[1, 1, 1, 1], out_dtype=f32};\n  y = add(c, b);\n"));
    const pass::Options tiles{{"vector_bits", "512"}, {"bf16_tiles", "true"}};
    CHECK(count_calls(laid(module, tiles, "local"), "layout_transform") > 1);
    const graph::Module after = laid(module, tiles);
    CHECK(count_calls(after, "layout_transform") == 1); // the result
    CHECK(graph::to_string(after).find("layout=\"NCHW\", out_layout=\"NCHW32c\"") != std::string::npos);
    CHECK(difference(module, after) < 1.0 / 128);
}

TEST_CASE("parts of a concatenation lie in blocks that divide all of them", "[transform][layout_plan]") {
    // 40 and 24 channels, which fill registers of 16 best in blocks of 40 and of 24: those of 8 go on as they are.
    const graph::Module module =
        module_of(main_of("x: f32[1,8,6,6]", weights("u", "f32", {40, 8, 1, 1}) + weights("v", "f32", {24, 8, 1, 1}) +
                                                 weights("w", "f32", {16, 64, 1, 1}) +
                                                 "  a = conv2d(x, u);\n  r = relu(a);\n  b = conv2d(x, v);\n"
                                                 "  c = concat(r, b) {axis=1};\n  y = conv2d(c, w);\n"));
    const graph::Module after = apply("AlterOpLayout", module, kWide), local = laid(module, kWide, "local");
    CHECK(count_calls(local, "layout_transform") == 5);
    CHECK(count_calls(after, "layout_transform") == 1);
    CHECK(graph::to_string(after).find("f32[1,8,6,6,8] = concat") != std::string::npos);
}

TEST_CASE("measured times decide, as the recipe has them", "[transform][layout_plan]") {
    const graph::Module module = module_of(main_of(
        "x: f32[1,8,4,4]", weights("u", "f32", {8, 8, 1, 1}) + weights("v", "f32", {8, 8, 3, 3}) +
                               "  a = conv2d(x, u);\n  b = relu(a);\n  y = conv2d(b, v) {pads=[1, 1, 1, 1]};\n"));
    const std::string first = "f32 1x8x4x4 8 1x1 s1x1 d1x1 p0.0.0.0 g1 ",
                      second = "f32 1x8x4x4 8 3x3 s1x1 d1x1 p1.1.1.1 g1 ";
    const auto after = [&](const std::string& costs) {
        return graph::to_string(apply("AlterOpLayout", module, {{"vector_bits", "128"}, {"costs", costs}}));
    };
    CHECK(after("").find("out_layout=\"NCHW8c\"") == std::string::npos);
    const std::string wide = after(first + "NCHW NCHW8c w0 = 100\n" + first + "NCHW NCHW4c w0 = 9000;" + second +
                                   "NCHW8c NCHW8c w0 = 100\n" + second + "NCHW4c NCHW4c w0 = 9000");
    CHECK(wide.find("layout=\"NCHW\", out_layout=\"NCHW8c\"") != std::string::npos);
    CHECK(wide.find("layout=\"NCHW8c\", out_layout=\"NCHW8c\"") != std::string::npos);
    const LayoutReport report = reasons(module, {{"vector_bits", "128"}, {"costs", first + "NCHW NCHW8c w0 = 2500"}});
    CHECK_FALSE(report.choices[0].measured);
    // Each convolution for itself is among what is compared, and stays where nothing else is faster.
    CHECK(after(first + "NCHW NCHW8c w0 = 1000000000") == after(""));
    for (const char* bad : {"x", "x = ", "x = fast", "= 3", "x = -1", "x = 0", "x = 1 2", "x = inf"})
        CHECK(refused_with("AlterOpLayout", {{"costs", bad}}) == Code::BadArgument);
    CHECK(refused_with("AlterOpLayout", {{"choose", "all"}}) == Code::BadArgument);
    CHECK(refused_with("Winograd", {{"costs", "x"}}) == Code::BadArgument);
}

TEST_CASE("measured times decide between the plain sum and tiles", "[transform][layout_plan][winograd]") {
    const graph::Module module = module_of(
        main_of("x: f32[1,2,4,4,4]", weights("w", "f32", {2, 2, 3, 3, 4, 4}) +
                                         "  y = layout_conv2d(x, w) {layout=\"NCHW4c\", out_layout=\"NCHW4c\", "
                                         "weight_layout=\"OIHW4i4o\", pads=[1, 1, 1, 1]};\n"));
    const std::string key = "f32 1x8x4x4 8 3x3 s1x1 d1x1 p1.1.1.1 g1 NCHW4c NCHW4c w";
    const auto tile = [&](const std::string& costs) {
        const auto after = find_pass("Winograd")->run(module, {{{"costs", costs}}, {}, nullptr});
        REQUIRE(after.has_value());
        const std::string text = graph::to_string(*after);
        const std::size_t at = text.find("tile=");
        return at == std::string::npos ? 0 : text[at + 5] - '0';
    };
    CHECK(tile(key + "0 = 100; " + key + "2 = 90; " + key + "4 = 95") == 2);
    CHECK(tile(key + "0 = 100; " + key + "4 = 95") == 4);
    CHECK(tile(key + "0 = 100; " + key + "2 = 110; " + key + "4 = 110") == 0);
    // One time alone compares nothing.
    CHECK(tile(key + "0 = 100") == tile(""));
    const auto times = KernelTimes::parse(key + "0 = 100\n\n ;" + key + "2 = 1.5");
    REQUIRE(times.has_value());
    CHECK(times->text() == key + "0 = 100\n" + key + "2 = 2\n");
}

namespace {

/// Convolutions of several kinds with sums, concatenations and pooling between, of channels that divide in many ways.
class DrawnNetwork {
  public:
    explicit DrawnNetwork(unsigned seed) : random_(seed) {
        add(8);
        for (int step = 0; step < 9; ++step) grow();
        text_ += "  y = " + values_.back().first + "_out;\n";
    }
    graph::Module module() {
        const std::string last = values_.back().first;
        std::string body = text_;
        body.replace(body.rfind("  y = "), std::string::npos, "  y = relu(" + last + ");\n");
        return module_of(main_of("x: f32[1,8,4,4]", body));
    }
    std::size_t drawn(std::size_t most) { return random_() % most; }

  private:
    using Value = std::pair<std::string, std::int64_t>; ///< name and channels; all are 4 by 4
    Value any() { return values_[drawn(values_.size())]; }
    void add(std::int64_t channels) {
        values_.emplace_back(values_.empty() ? "x" : "v" + std::to_string(count_), channels);
    }
    void give(const std::string& value, std::int64_t channels) {
        ++count_;
        add(channels);
        text_ += "  " + values_.back().first + " = " + value + ";\n";
    }
    std::string filters(const Shape& shape) {
        const std::string name = "w" + std::to_string(count_);
        text_ += weights(name, "f32", shape);
        return name;
    }
    void grow() {
        const Value from = drawn(2) ? values_.back() : any();
        const auto& [name, channels] = from;
        switch (drawn(7)) {
        case 0:
        case 1: {
            const std::int64_t to = std::array<std::int64_t, 6>{4, 6, 8, 12, 16, 24}[drawn(6)];
            return give("conv2d(" + name + ", " + filters({to, channels, 1, 1}) + ")", to);
        }
        case 2: return give("conv2d(" + name + ", " + filters({8, channels, 3, 3}) + ") {pads=[1, 1, 1, 1]}", 8);
        case 3:
            return give("conv2d(" + name + ", " + filters({channels, 1, 3, 3}) +
                            ") {pads=[1, 1, 1, 1], groups=" + std::to_string(channels) + "}",
                        channels);
        case 4: {
            const Value other = any();
            if (channels + other.second > 32) return give("relu(" + name + ")", channels);
            return give("concat(" + name + ", " + other.first + ") {axis=1}", channels + other.second);
        }
        case 5:
            for (const Value& other : values_)
                if (other.second == channels && other.first != name)
                    return give("add(" + name + ", " + other.first + ")", channels);
            return give("softmax(" + name + ") {axis=1}", channels);
        default: return give("max_pool(" + name + ") {kernel=[3, 3], pads=[1, 1, 1, 1]}", channels);
        }
    }

    std::mt19937 random_;
    int count_ = 0;
    std::vector<Value> values_;
    std::string text_;
};

/// Times drawn for every pair of blocks of every convolution.
std::string drawn_costs(const graph::Module& module, DrawnNetwork& draw) {
    KernelTimes times;
    for (const graph::Binding& binding : module.main->bindings)
        if (const auto work = conv_work(binding))
            for (const char* in : {"NCHW", "NCHW2c", "NCHW4c", "NCHW6c", "NCHW8c", "NCHW12c", "NCHW16c"})
                for (const char* out : {"NCHW2c", "NCHW4c", "NCHW6c", "NCHW8c", "NCHW12c", "NCHW16c"})
                    if (draw.drawn(4) > 0)
                        times.set(kernel_key(*work, {in, out, 0}), 100 + static_cast<double>(draw.drawn(100000)));
    return times.text();
}

} // namespace

TEST_CASE("whatever is measured, layouts that are chosen mean the same", "[transform][layout_plan]") {
    std::map<bool, int> followed;
    for (unsigned seed = 1; seed <= 60; ++seed) {
        DrawnNetwork network(seed);
        const graph::Module module = network.module();
        for (const char* bits : {"64", "128", "256"}) {
            INFO("seed " << seed << ", bits " << bits);
            const pass::Options options{{"vector_bits", bits}, {"costs", drawn_costs(module, network)}};
            const auto report = layout_reasons(module, {options, {}, nullptr});
            REQUIRE(report.has_value());
            CHECK(report->us <= report->own_us);
            ++followed[report->us < report->own_us];
            graph::Module after;
            CHECK(difference_after("AlterOpLayout", module, after, options) < 1e-4);
            // What is said to be changed is changed.
            CHECK(count_calls(after, "layout_transform") >= report->transforms);
        }
    }
    CHECK(followed[true] > 60);
    CHECK(followed[false] > 10);
}
