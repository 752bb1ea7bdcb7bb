#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// A function of one parameter with a body; its result is `y`.
std::string function(const std::string& param, const std::string& body) {
    return "outputs [\"y\"]; fn main(" + param + ") { " + body + " return y; }";
}
void becomes(const std::string& param, const std::string& before, const std::string& after,
             const pass::Options& options = {}) {
    INFO(before);
    require_becomes("SimplifyExpr", function(param, before), function(param, after), options);
}
void stays(const std::string& param, const std::string& body) {
    INFO(body);
    require_unchanged("SimplifyExpr", function(param, body));
}

} // namespace

TEST_CASE("reshapes and transposes join or go", "[transform][simplify_expr]") {
    becomes("x: f32[2,3]", "a = reshape(x) {shape=[6]}; b = reshape(a) {shape=[3, -1]}; y = relu(b);",
            "b = reshape(x) {shape=[3, 2]}; y = relu(b);");
    becomes("x: f32[2,3]", "a = reshape(x) {shape=[6]}; b = reshape(a) {shape=[2, 3]}; y = relu(b);", "y = relu(x);");
    becomes("x: f32[2,3,4]", "a = transpose(x) {perm=[2, 0, 1]}; y = transpose(a) {perm=[2, 0, 1]};",
            "y = transpose(x) {perm=[1, 2, 0]};");
    becomes("x: f32[2,3]", "a = transpose(x) {perm=[1, 0]}; b = transpose(a) {perm=[1, 0]}; y = exp(b);",
            "y = exp(x);");
    becomes("x: f32[2,1,3]", "y = transpose(x) {perm=[1, 0, 2]};", "y = reshape(x) {shape=[1, 2, 3]};");
    stays("x: f32[2,3]", "a = transpose(x) {perm=[1, 0]}; y = relu(a);");
}

TEST_CASE("transposes around elementwise work meet", "[transform][simplify_expr]") {
    becomes("x: f32[2,3]",
            "a = transpose(x) {perm=[1, 0]}; b = relu(a); c = exp(b); d = transpose(c) {perm=[1, 0]}; y = abs(d);",
            "b = relu(x); c = exp(b); y = abs(c);");
    becomes("x: f32[2,3], z: f32[2,3]",
            "a = transpose(x) {perm=[1, 0]}; b = transpose(z) {perm=[1, 0]}; y = add(a, b);",
            "s = add(x, z); y = transpose(s) {perm=[1, 0]};");
    // trilu looks at places; a value used twice keeps its transpose.
    stays("x: f32[2,3]", "a = transpose(x) {perm=[1, 0]}; b = trilu(a) {upper=true}; y = transpose(b) {perm=[1, 0]};");
    stays("x: f32[3,3]",
          "a = transpose(x) {perm=[1, 0]}; b = exp(a); c = transpose(b) {perm=[1, 0]}; y = matmul(b, c);");
}

TEST_CASE("broadcasts and tiles", "[transform][simplify_expr]") {
    becomes("x: f32[3]", "a = broadcast_to(x) {shape=[1, 3]}; y = broadcast_to(a) {shape=[2, 3]};",
            "y = broadcast_to(x) {shape=[2, 3]};");
    becomes("x: f32[3], z: f32[2,3]", "a = broadcast_to(x) {shape=[2, 3]}; y = multiply(a, z);", "y = multiply(x, z);");
    stays("x: f32[3], z: f32[1,3]", "a = broadcast_to(x) {shape=[2, 3]}; y = multiply(a, z);");
    becomes("x: f32[3]", "a = tile(x) {repeats=[1]}; y = exp(a);", "y = exp(x);");
}

TEST_CASE("slices and concatenations", "[transform][simplify_expr]") {
    becomes("x: f32[4]", "a = slice(x) {begins=[0], sizes=[4]}; y = exp(a);", "y = exp(x);");
    becomes("x: f32[10]",
            "a = slice(x) {begins=[9], sizes=[5], steps=[-2]}; y = slice(a) {begins=[1], sizes=[2], steps=[2]};",
            "y = slice(x) {begins=[7], sizes=[2], steps=[-4]};");
    becomes("x: f32[2], z: f32[3]", "c = concat(x, z) {axis=0}; a = slice(c) {begins=[3], sizes=[2]}; y = exp(a);",
            "a = slice(z) {begins=[1], sizes=[2], steps=[1]}; y = exp(a);");
    becomes("x: f32[2], z: f32[3]", "c = concat(x, z) {axis=0}; a = slice(c) {begins=[0], sizes=[2]}; y = exp(a);",
            "y = exp(x);");
    stays("x: f32[2], z: f32[3]", "c = concat(x, z) {axis=0}; y = slice(c) {begins=[1], sizes=[2]};");
    becomes("x: f32[2], z: f32[2]", "a = concat(x) {axis=0}; b = concat(a, z) {axis=0}; y = concat(b, x) {axis=0};",
            "y = concat(x, z, x) {axis=0};");
    becomes("x: f32[2,6]",
            "a = slice(x) {begins=[0, 1], sizes=[2, 2]}; b = slice(x) {begins=[0, 3], sizes=[2, 1]}; "
            "y = concat(a, b) {axis=1};",
            "y = slice(x) {begins=[0, 1], sizes=[2, 3], steps=[1, 1]};");
    stays("x: f32[2,6]", "a = slice(x) {begins=[0, 1], sizes=[2, 2]}; b = slice(x) {begins=[0, 4], sizes=[2, 1]}; "
                         "y = concat(a, b) {axis=1};");
}

TEST_CASE("padding goes into what follows", "[transform][simplify_expr]") {
    const std::string weight = "w: f32[1,1,2,2] = const [1, 2, 3, 4]; ";
    becomes("x: f32[1,1,3,3]",
            weight + "p = pad(x) {before=[0, 0, 1, 0], after=[0, 0, 0, 2]}; y = conv2d(p, w) {pads=[0, 1, 0, 0]};",
            weight + "y = conv2d(x, w) {pads=[1, 1, 0, 2]};");
    stays("x: f32[1,1,3,3]",
          weight + "p = pad(x) {before=[0, 0, 1, 0], mode=\"edge\"}; y = conv2d(p, w) {pads=[0, 1, 0, 0]};");
    stays("x: f32[1,1,3,3]", "one: f32[] = const 1; " + weight +
                                 "p = pad(x, one) {before=[0, 0, 1, 0]}; y = conv2d(p, w) {pads=[0, 1, 0, 0]};");
    becomes("x: f32[1,1,3,3]", "p = pad(x) {before=[0, 0, 1, 1], after=[0, 0, 1, 1]}; y = avg_pool(p) {kernel=[2, 2]};",
            "y = avg_pool(x) {kernel=[2, 2], pads=[1, 1, 1, 1], count_include_pad=true};");
    becomes("x: f32[3]", "p = pad(x) {before=[0], after=[0]}; y = exp(p);", "y = exp(x);");
}

TEST_CASE("neutral elements", "[transform][simplify_expr]") {
    becomes("x: f32[2]", "o: f32[] = const 1; a = multiply(o, x); b = divide(a, o); c = power(b, o); y = exp(c);",
            "y = exp(x);");
    becomes("x: i32[2]", "o: i32[2] = const [0, 0]; a = add(o, x); b = subtract(a, o); y = abs(b);", "y = abs(x);");
    becomes("x: f32[2]", "o: f32[] = const -0.0; a = add(x, o); y = exp(a);", "y = exp(x);");
    // -0 + 0 is 0.
    stays("x: f32[2]", "o: f32[] = const 0; a = add(x, o); y = exp(a);");
    becomes("x: f32[2]", "o: f32[] = const 0; a = add(x, o); y = exp(a);", "y = exp(x);", {{"reassociate", "true"}});
    // The constant makes the result larger.
    stays("x: f32[2]", "o: f32[3,2] = const [1, 1, 1, 1, 1, 1]; y = multiply(x, o);");
    becomes("x: i32[2]", "o: i32[] = const 0; y = multiply(x, o);",
            "o: i32[] = const 0; y = broadcast_to(o) {shape=[2]};");
    becomes("x: f32[2]", "o: f32[] = const -1; y = multiply(x, o);", "y = negative(x);");
    becomes("x: f32[2]", "o: f32[] = const 8; y = divide(x, o);", "o: f32[] = const 0.125; y = multiply(x, o);");
    stays("x: f32[2]", "o: f32[] = const 3; y = divide(x, o);");
    becomes("x: f32[2]", "o: f32[] = const 2; y = power(x, o);", "y = multiply(x, x);");
}

TEST_CASE("repeated work", "[transform][simplify_expr]") {
    becomes("x: f32[2]", "a = negative(x); b = negative(a); y = exp(b);", "y = exp(x);");
    becomes("x: f32[2]", "a = relu(x); b = relu(a); y = abs(b);", "y = relu(x);");
    becomes("x: f32[2]", "a = clip(x) {min=-1.0, max=6.0}; y = relu(a);", "y = clip(x) {min=0.0, max=6.0};");
    becomes("x: f32[2]", "a = clip(x) {min=0.0, max=6.0}; y = clip(a) {min=-1.0, max=3.0};",
            "y = clip(x) {min=0.0, max=3.0};");
    stays("x: f32[2]", "a = clip(x) {min=0.0, max=1.0}; y = clip(a) {min=2.0, max=3.0};");
    // A NaN would become 6, then 6; directly it would become 0.
    stays("x: f32[2]", "a = clip(x) {max=6.0}; y = clip(a) {min=0.0};");
    becomes("x: f32[2], z: f32[2]", "a = negative(z); b = add(a, x); c = subtract(b, a); y = exp(c);",
            "b = subtract(x, z); c = add(b, z); y = exp(c);");
    becomes("x: f32[2]", "a = maximum(x, x); y = exp(a);", "y = exp(x);");
}

TEST_CASE("casts", "[transform][simplify_expr]") {
    becomes("x: f32[2]", "a = cast(x) {dtype=f64}; b = cast(a) {dtype=f32}; y = exp(b);", "y = exp(x);");
    becomes("x: i8[2]", "a = cast(x) {dtype=i32}; y = cast(a) {dtype=f32};", "y = cast(x) {dtype=f32};");
    stays("x: f32[2]", "a = cast(x) {dtype=f16}; y = cast(a) {dtype=f32};");
    stays("x: f32[2]", "a = cast(x) {dtype=i32}; y = cast(a) {dtype=f32};");
    // 300 as f32 saturates to 255; as i16 it wraps to 44.
    stays("x: i16[2]", "a = cast(x) {dtype=f32}; y = cast(a) {dtype=u8};");
}

TEST_CASE("constants in chains", "[transform][simplify_expr]") {
    const std::string sums = "a: f32[] = const 0.1; b: f32[] = const 0.2; s = add(x, a); y = add(b, s);";
    stays("x: f32[2]", sums);
    becomes("x: f32[2]", sums, "a: f32[] = const 0.1; b: f32[] = const 0.2; c = add(a, b); y = add(x, c);",
            {{"reassociate", "true"}});
    becomes("x: i32[2]", "a: i32[] = const 3; b: i32[] = const 4; s = add(x, a); y = add(b, s);",
            "a: i32[] = const 3; b: i32[] = const 4; c = add(a, b); y = add(x, c);");
    becomes("x: f32[2]", "a: f32[] = const 2; b: f32[] = const 4; s = multiply(x, a); y = multiply(b, s);",
            "a: f32[] = const 2; b: f32[] = const 4; c = multiply(a, b); y = multiply(x, c);");
    stays("x: f32[2]", "a: f32[] = const 0.5; b: f32[] = const 4; s = multiply(x, a); y = multiply(b, s);");
    REQUIRE(refused_with("SimplifyExpr", {{"reassociate", "maybe"}}) == Code::BadArgument);
}

TEST_CASE("what a rule consumed is where its result comes from", "[transform][simplify_expr]") {
    const graph::Module module = module_of(
        function("x: f32[2,3]", "a = transpose(x) {perm=[1, 0]}; b = exp(a); y = transpose(b) {perm=[1, 0]};"));
    pass::Recorder recorder;
    const pass::Options none;
    const auto after = simplify_expr(module, {none, {}, &recorder});
    REQUIRE(after.has_value());
    REQUIRE(after->main->bindings.size() == 1);
    REQUIRE(after->main->bindings[0].origin.contains(2));
    REQUIRE(recorder.rewrites().size() == 1);
    REQUIRE(std::string(recorder.rewrites()[0].file).find("layout_rules") != std::string::npos);
}

TEST_CASE("random chains keep their numbers", "[transform][simplify_expr]") {
    // Steps drawn over a square tensor; every one keeps its element count or says how it changes.
    for (unsigned seed = 0; seed < 150; ++seed) {
        std::mt19937 random(seed);
        std::string body = "k: f32[] = const 2; n: f32[] = const -1; o: f32[] = const 1;\n";
        const char* const steps[] = {"transpose(V) {perm=[1, 0]}",
                                     "reshape(V) {shape=[4, 4]}",
                                     "slice(V) {begins=[3, 0], sizes=[4, 4], steps=[-1, 1]}",
                                     "relu(V)",
                                     "negative(V)",
                                     "multiply(V, k)",
                                     "multiply(n, V)",
                                     "divide(V, k)",
                                     "add(V, W)",
                                     "subtract(V, W)",
                                     "clip(V) {min=-0.5, max=3.0}",
                                     "power(V, o)",
                                     "abs(V)",
                                     "maximum(V, W)"};
        std::vector<std::string> values{"x"};
        for (int i = 0; i < 14; ++i) {
            std::string step = steps[random() % std::size(steps)];
            const auto put = [&](char place, const std::string& name) {
                for (std::size_t at = step.find(place); at != std::string::npos; at = step.find(place, at + 1))
                    step.replace(at, 1, name);
            };
            put('V', values[values.size() - 1 - random() % std::min<std::size_t>(values.size(), 2)]);
            put('W', values[random() % values.size()]);
            values.push_back("v" + std::to_string(i));
            body += values.back() + " = " + step + ";\n";
        }
        body += "y = add(" + values.back() + ", " + values[values.size() - 2] + ");";
        INFO(body);
        apply("SimplifyExpr", module_of(function("x: f32[4,4]", body)), {}, false);
    }
}
