// Which results lie inside others, and what becomes of the calls that only join.

#include "core/graph/function_attrs.hpp"
#include "tests/core/transform/graphs.hpp"
#include "tests/support/run_calls.hpp"

#include <cstring>

using namespace orrery;
using namespace orrery::transform::test;

namespace {

/// A network of softmaxes, which are kernels of their own, and what joins them. Inputs are f32[1,2,16]: 128 bytes.
graph::Module network(const std::string& body, const std::string& results) {
    std::string outputs, tuple;
    std::istringstream names(results);
    for (std::string name; names >> name;) {
        outputs += (outputs.empty() ? "\"" : ", \"") + name + "\"";
        tuple += (tuple.empty() ? "" : ", ") + name;
    }
    const bool one = tuple.find(',') == std::string::npos;
    // Types are inferred, the result's too.
    return apply("FuseOps",
                 module_of("outputs [" + outputs + "];\nfn main(x: f32[1,2,16], z: f32[1,2,16]) {\n" + body +
                           (one ? "" : "\nt = (" + tuple + ");") + "\nreturn " + (one ? tuple : "t") + ";\n}\n"));
}
std::string soft(const std::string& names) {
    std::istringstream in(names);
    std::string text;
    for (std::string pair; in >> pair;) // "a=x": a is the softmax of x
        text += pair.substr(0, pair.find('=') + 1) + " softmax(" + pair.substr(pair.find('=') + 1) + ") {axis=2};\n";
    return text;
}

/// "a in c+0, b in c+128; c joins": what lies where, then the joins.
std::string nesting_of(const graph::Module& module) {
    const ops::CallTensors tensors = ops::call_tensors(module.main);
    const ops::Nesting nesting = ops::nest_tensors(module.main, tensors);
    std::string text;
    for (std::size_t i = 0; i < tensors.tensors.size(); ++i)
        if (const auto& at = nesting.inside[i])
            text += (text.empty() ? "" : ", ") + tensors.tensors[i].var->name + " in " +
                    tensors.tensors[at->host].var->name + "+" + std::to_string(at->offset);
    for (const ops::Join& join : nesting.joins) {
        text += "; " + tensors.tensors[tensors.calls[join.call].first].var->name;
        switch (join.copies) {
        case ops::Copies::Nothing: text += " joins"; break;
        case ops::Copies::Scattered: text += " is scattered"; break;
        case ops::Copies::Unaligned: text += " is unaligned"; break;
        case ops::Copies::Mostly: text += " is mostly copied"; break;
        }
        for (const ops::Join::Copied& copied : join.copied) text += " with a copy at " + std::to_string(copied.offset);
    }
    return text;
}

lower::LoweredModel model_of(const graph::Module& module) {
    auto model = lower::lower_module(module);
    if (!model) FAIL(to_string(model.error()));
    return *std::move(model);
}

runtime::Plan plan_for(const lower::LoweredModel& model) {
    return lower::plan_memory(model, std::vector<std::size_t>(model.functions.size(), 0));
}

/// Runs a plan's steps over one arena, interpreted: what its places do to the numbers.
std::vector<NDArray> run_plan(const lower::LoweredModel& model, const std::vector<NDArray>& inputs) {
    const runtime::Plan plan = plan_for(model);
    std::vector<std::byte> arena(plan.arena_bytes, std::byte(0x5a));
    std::vector<NDArray> outputs;
    for (const std::uint32_t id : model.outputs)
        outputs.push_back(NDArray::zeros(model.values[id].dtype, model.values[id].shape));
    const auto place = [&](std::uint32_t id) -> const std::byte* {
        const runtime::Value& value = plan.values[id];
        switch (value.storage) {
        case runtime::Storage::Input: return static_cast<const std::byte*>(inputs[value.index].data());
        case runtime::Storage::Constant: return static_cast<const std::byte*>(model.constants[value.index].data());
        case runtime::Storage::Output: return static_cast<const std::byte*>(outputs[value.index].data()) + value.offset;
        case runtime::Storage::Arena: return arena.data() + value.offset;
        }
        return nullptr;
    };
    for (std::size_t s = 0; s < model.calls.size(); ++s) {
        std::vector<NDArray> args;
        for (const std::uint32_t id : plan.steps[s].args)
            args.push_back(
                NDArray::copy_of(model.values[id].dtype, model.values[id].shape, place(id), plan.values[id].bytes));
        REQUIRE(tensor::interpret(model.functions[model.calls[s].function].program, args).has_value());
        for (std::size_t i = model.calls[s].args.size(); i < args.size(); ++i)
            std::memcpy(const_cast<std::byte*>(place(plan.steps[s].args[i])), args[i].data(), args[i].bytes());
    }
    return outputs;
}

struct Row {
    const char *what, *body, *results, *nesting;
    std::size_t calls; ///< of kernels
};

const Row kRows[] = {
    {"one after another", "a=x b=z | c = concat(a, b) {axis=1}; | y=c", "y", "a in c+0, b in c+128; c joins", 3},
    {"a chain with other readers is one place",
     "a=x b=z | c = concat(a, b) {axis=1}; | d=c | e = concat(c, d) {axis=1}; | f=e | g = concat(e, f) {axis=1}; | y=g",
     "y", "a in g+0, b in g+128, c in g+0, d in g+256, e in g+0, f in g+512; c joins; e joins; g joins", 5},
    {"parts of a longer result are a result of their own",
     "a=x b=z p=b | c = concat(a, b) {axis=1}; v = concat(b, p) {axis=1}; d = concat(a, b, p) {axis=1}; | y=c w=d u=v",
     "y w u", "a in d+0, b in d+128, p in d+256, c in d+0, v in d+128; c joins; v joins; d joins", 6},
    {"a value is part of the last result that has it, and copied for others",
     "a=x b=z p=x | c = concat(a, b) {axis=1}; d = concat(p, a) {axis=1}; | y=c w=d", "y w",
     "a in d+128, b in c+128, p in d+0; c joins with a copy at 0; d joins", 6},
    {"twice the same", "a=x b=z | c = concat(a, b, a, b) {axis=1}; | y=c", "y",
     "a in c+0, b in c+128; c joins with a copy at 256 with a copy at 384", 5},
    {"an input is copied", "a=x | c = concat(z, a) {axis=1}; | y=c", "y", "a in c+128; c joins with a copy at 0", 3},
    {"nothing but inputs", "c = concat(x, z) {axis=1}; | y=c", "y", "; c is mostly copied", 2},
    {"mostly inputs", "a=x | c = concat(z, a, x) {axis=1}; | y=c", "y", "; c is mostly copied", 3},
    {"an output takes its parts", "a=x b=z | c = concat(a, b) {axis=1};", "c", "a in c+0, b in c+128; c joins", 2},
    {"an output that is part of another is copied", "a=x b=z | c = concat(a, b) {axis=1}; | y=c", "y a",
     "b in c+128; c joins with a copy at 0", 4},
    {"outputs within outputs", "a=x b=z | c = concat(a, b) {axis=1}; d = concat(c, b) {axis=1};", "c d",
     "a in c+0, b in c+128; c joins; d is mostly copied", 3},
    {"rows of a batch do not follow one another", "a=x b=z | c = concat(a, b) {axis=2}; | y=c", "y", "; c is scattered",
     4},
    {"an extent of 1 before the axis is none", "a=x b=z | c = concat(a, b) {axis=0}; | y=c", "y",
     "a in c+0, b in c+128; c joins", 3},
    {"a part begins inside a line",
     "h = reduce_sum(x) {axes=[0, 1]}; k = reshape(h) {shape=[4, 4]}; g = reduce_sum(k) {axes=[0]}; "
     "m = reshape(g) {shape=[1, 2, 2]}; s = softmax(m) {axis=2}; f = reshape(s) {shape=[1, 1, 4]}; "
     "n = softmax(f) {axis=2}; v = softmax(n) {axis=2}; c = concat(n, v) {axis=1}; y = softmax(c) {axis=1};",
     "y", "k in h+0, m in g+0, f in s+0; k joins; m joins; f joins; c is unaligned", 7},
    {"a slice is read where it lies",
     "a=x b=z | c = concat(a, b) {axis=1}; u = softmax(c) {axis=1}; s = slice(u) {begins=[0, 1, 0], sizes=[1, 2, 16]}; "
     "y = softmax(s) {axis=2};",
     "y", "a in c+0, b in c+128, s in u+64; c joins; s joins", 4},
    {"slices by every second row and by columns",
     "a=x b=z | c = concat(a, b) {axis=1}; u = softmax(c) {axis=1}; "
     "s = slice(u) {begins=[0, 0, 0], sizes=[1, 2, 16], steps=[1, 2, 1]}; "
     "r = slice(u) {begins=[0, 0, 8], sizes=[1, 4, 8]}; v = softmax(s) {axis=2}; w = softmax(r) {axis=2};",
     "v w", "a in c+0, b in c+128; c joins; s is scattered; r is scattered", 7},
    {"a slice that begins inside a line",
     "a=x | s = slice(a) {begins=[0, 1, 4], sizes=[1, 1, 8]}; y = softmax(s) {axis=2};", "y", "; s is unaligned", 3},
    {"a slice of a slice, of another shape",
     "a=x b=z | c = concat(a, b) {axis=1}; u = softmax(c) {axis=1}; r = reshape(u) {shape=[2, 2, 16]}; "
     "v = softmax(r) {axis=2}; s = slice(v) {begins=[1, 0, 0], sizes=[1, 2, 16]}; q = reshape(s) {shape=[2, 16]}; "
     "p = slice(q) {begins=[1, 0], sizes=[1, 16]}; y = softmax(p) {axis=1};",
     "y", "a in c+0, b in c+128, r in u+0, p in v+192; c joins; r joins; p joins", 5},
    {"a slice in the kernel that joins it",
     "a=x b=z | s = slice(a) {begins=[0, 1, 0], sizes=[1, 1, 16]}; c = concat(s, b) {axis=1}; | y=c", "y",
     "; c is scattered", 4},
    {"a slice of an input in the kernel that joins it",
     "a=x b=a | s = slice(z) {begins=[0, 1, 0], sizes=[1, 1, 16]}; c = concat(s, a, b) {axis=1}; | y=c", "y",
     "; c is scattered", 4},
    {"slices of outputs and of inputs",
     "a=x | s = slice(a) {begins=[0, 1, 0], sizes=[1, 1, 16]}; r = slice(z) {begins=[0, 1, 0], sizes=[1, 1, 16]}; "
     "y = softmax(s) {axis=2}; w = softmax(r) {axis=2};",
     "a y w", "s in a+64; s joins; r is mostly copied", 4},
    {"another shape is the same value", "a=x | r = reshape(a) {shape=[2, 16]}; y = softmax(r) {axis=0};", "y",
     "r in a+0; r joins", 2},
    {"another shape of an input is a copy", "r = reshape(x) {shape=[2, 16]}; y = softmax(r) {axis=0};", "y",
     "; r is mostly copied", 2},
    {"reshaped on the way",
     "a=x b=z | r = reshape(a) {shape=[1, 32]}; s = reshape(b) {shape=[1, 32]}; c = concat(r, s) {axis=0}; "
     "y = softmax(c) {axis=1};",
     "y", "a in c+0, b in c+128; c joins", 3},
};

graph::Module module_of_row(const Row& row) {
    // "a=x b=z | text | y=c": softmaxes between the bars, or text.
    std::string body;
    std::istringstream pieces(row.body);
    for (std::string piece; std::getline(pieces, piece, '|');)
        body += piece.find(';') == std::string::npos ? soft(piece) : piece + "\n";
    return network(body, row.results);
}

} // namespace

TEST_CASE("what joins takes no kernel where its parts can be written in place", "[lower][nesting]") {
    for (const Row& row : kRows) {
        INFO(row.what);
        const graph::Module module = module_of_row(row);
        INFO(graph::to_string(module));
        CHECK(nesting_of(module) == row.nesting);
        const lower::LoweredModel model = model_of(module);
        CHECK(model.calls.size() == row.calls);
        // The numbers, by arrays and by the plan's places; with PlanMemory's own places too.
        const std::vector<NDArray> inputs = inputs_of(module, 5);
        const auto expected = graph::evaluate(module.main, inputs, ops::interpreter_evaluator(), {});
        REQUIRE(expected.has_value());
        for (const char* reuse : {"", "true", "false"}) {
            const lower::LoweredModel here =
                *reuse ? model_of(apply("PlanMemory", module, {{"reuse", reuse}})) : model_of(module);
            const std::vector<NDArray> by_plan = run_plan(here, inputs),
                                       by_calls = *orrery::test::run_calls(here, inputs);
            for (std::size_t i = 0; i < expected->size(); ++i) {
                CHECK(compare(by_plan[i], (*expected)[i]).max_rel == 0);
                CHECK(compare(by_calls[i], (*expected)[i]).max_rel == 0);
            }
        }
    }
}

TEST_CASE("a chain of joins lives in one place, and what is not written yet is others' room", "[lower][nesting]") {
    const lower::LoweredModel model = model_of(module_of_row(kRows[1]));
    const runtime::Plan plan = plan_for(model);
    const auto value = [&](const std::string& name) -> const runtime::Value& {
        for (const runtime::Value& v : plan.values)
            if (v.name == name) return v;
        FAIL(name);
        return plan.values.front();
    };
    const std::size_t start = value("g").offset;
    CHECK(value("a").offset == start);
    CHECK(value("d").offset == start + 256);
    CHECK(value("f").offset == start + 512);
    // a, b, d, f, y are the steps; c is there after b, e after d, g after f, which y reads.
    CHECK((value("a").first_step == 0 && value("a").last_step == 3));
    CHECK((value("c").first_step == 2 && value("c").last_step == 3));
    CHECK((value("g").first_step == 4 && value("g").last_step == 4));
    CHECK(plan.arena_bytes == 1024);
    CHECK(plan.live_bytes_bound == 1024);

    // b and p are written late: the room that c has for them is others' until then.
    const lower::LoweredModel late = model_of(
        network(soft("a=x") +
                    "r = broadcast_to(x) {shape=[8, 2, 16]}; w = softmax(r) {axis=2}; s = reduce_sum(w) {axes=[0]}; "
                    "k = reshape(s) {shape=[1, 2, 16]};\n" +
                    soft("b=k") + "c = concat(a, b) {axis=1};\n" + soft("y=c"),
                "y"));
    const runtime::Plan room = plan_for(late);
    CHECK(room.arena_bytes == room.live_bytes_bound);
}

TEST_CASE("places of a graph's own plan that part what is joined are not believed", "[lower][nesting]") {
    const graph::Module fused = module_of_row(kRows[0]), own = apply("PlanMemory", fused);
    const graph::Ints places = own.main->attrs.ints(graph::kMemoryAttr);
    REQUIRE(places.size() == 4);
    CHECK(places[1] == places[0] + 128);
    CHECK(places[2] == places[0]);
    const auto offsets = [](const graph::Module& module) {
        std::vector<std::size_t> out;
        for (const runtime::Value& value : plan_for(model_of(module)).values) out.push_back(value.offset);
        return out;
    };
    const auto moved = [&](std::size_t tensor, std::int64_t by) {
        graph::Module out = own;
        graph::Ints wrong = places;
        wrong[tensor] += by;
        const graph::Function& main = own.main;
        out.main = graph::make_function(main->name, main->params, main->bindings, main->result,
                                        main->attrs.with(graph::kMemoryAttr, wrong));
        return out;
    };
    CHECK(offsets(own) == offsets(fused));
    for (std::size_t tensor = 0; tensor < 3; ++tensor)
        for (const std::int64_t by : {std::int64_t{64}, std::int64_t{128}, std::int64_t{1}, INT64_MAX / 64 * 64 - 128})
            CHECK(offsets(moved(tensor, by)) == offsets(fused));
}
