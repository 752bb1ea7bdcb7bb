#include "tests/core/transform/graphs.hpp"

#include <map>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

NDArray drawn(Shape shape, unsigned seed) {
    std::mt19937 random(seed);
    NDArray array = NDArray::zeros(DType::F32, std::move(shape));
    for (std::int64_t i = 0; i < array.size(); ++i) array.set(i, static_cast<double>(random() % 2001) / 4000.0 - 0.25);
    return array;
}

struct Network {
    const char* op = "lstm";
    std::int64_t gates = 4;
    std::string direction = "forward";
    std::int64_t batch = 1, hidden = 24;
    bool bias = true, lengths = false, states = false;
    graph::Attrs attrs = {};
};

/// x -> the results of one call with constant weights.
graph::Module recurrent_module(const Network& n) {
    const std::int64_t time = 5, input = 6, directions = n.direction == "bidirectional" ? 2 : 1;
    const OriginSet origin(0);
    graph::FunctionBuilder builder;
    const graph::Var x = builder.param("x", graph::tensor_type(DType::F32, Shape{time, n.batch, input}));
    std::vector<graph::Var> args{x};
    unsigned seed = 0;
    const auto constant = [&](bool wanted, Shape shape) {
        args.push_back(wanted ? builder.constant(drawn(std::move(shape), ++seed), origin, "c") : graph::Var());
    };
    constant(true, {directions, n.gates * n.hidden, input});
    constant(true, {directions, n.gates * n.hidden, n.hidden});
    constant(n.bias, {directions, 2 * n.gates * n.hidden});
    args.push_back(nullptr);
    if (n.lengths) {
        NDArray lengths = NDArray::zeros(DType::I32, {n.batch});
        for (std::int64_t i = 0; i < n.batch; ++i) lengths.set_int(i, i % (time + 1));
        args.back() = builder.constant(lengths, origin, "lengths");
    }
    constant(n.states, {directions, n.batch, n.hidden});
    if (std::string(n.op) == "lstm") {
        constant(n.states, {directions, n.batch, n.hidden});
        constant(n.states, {directions, 3 * n.hidden});
    }
    while (!args.back()) args.pop_back();
    const graph::Var all = builder.call(ops::op(n.op), args, n.attrs.with("direction", n.direction), origin, "all");
    graph::Module module;
    module.main = builder.finish("main", all);
    for (std::size_t i = 0; i < graph::as_tuple(all->type)->fields.size(); ++i)
        module.outputs.push_back("y" + std::to_string(i));
    module.sources = std::make_shared<std::vector<graph::Source>>(1, graph::Source{"network", "Recurrent"});
    return module;
}

} // namespace

TEST_CASE("a recurrent network becomes a product and its steps", "[transform][canonicalize_ops]") {
    const std::map<std::string, std::int64_t> gates{{"rnn", 1}, {"gru", 3}, {"lstm", 4}};
    for (const char* op : {"rnn", "gru", "lstm"})
        for (const char* direction : {"forward", "reverse", "bidirectional"})
            for (const bool more : {false, true}) {
                INFO(op << " " << direction << (more ? ", with lengths and states" : ""));
                Network network{.op = op, .gates = gates.at(op), .direction = direction};
                network.lengths = network.states = more;
                network.batch = more ? 3 : 1;
                network.bias = more || std::string(direction) != "reverse";
                const graph::Module split = apply("CanonicalizeOps", recurrent_module(network));
                CHECK(count_calls(split, op) == 0);
                CHECK(count_calls(split, "matmul") == 1);
                CHECK(count_calls(split, std::string(op) + "_steps") == 1);
                // What is left to do in a run: the product, its bias, the steps.
                const graph::Module folded = apply("FoldConstant", split);
                CHECK(count_calls(folded, "") == (network.bias ? 3 : 2));
            }
}

TEST_CASE("a reset gate after the product keeps its bias apart", "[transform][canonicalize_ops]") {
    for (const bool bias : {false, true}) {
        Network network{.op = "gru", .gates = 3, .direction = "bidirectional", .bias = bias};
        network.attrs = {{"linear_before_reset", true}};
        const graph::Module split = apply("FoldConstant", apply("CanonicalizeOps", recurrent_module(network)));
        CHECK(count_calls(split, "gru_steps") == 1);
    }
}

TEST_CASE("a network whose weights are computed stays whole", "[transform][canonicalize_ops]") {
    require_unchanged("CanonicalizeOps", R"(outputs ["y", "h", "c"];
fn main(x: f32[2,1,3], w: f32[1,8,3], r: f32[1,8,2]) -> (f32[2,1,1,2], f32[1,1,2], f32[1,1,2]) {
  y: (f32[2,1,1,2], f32[1,1,2], f32[1,1,2]) = lstm(x, w, r);
  return y;
}
)");
}
