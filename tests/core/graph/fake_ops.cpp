#include "tests/core/graph/fake_ops.hpp"

#include "core/graph/builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace orrery::graph::fake {

namespace {

Diagnostic bad(std::string message) { return {Code::BadType, std::move(message), {}, {}}; }

Result<Type> same(const TypeRequest& request) { return request.types[0]; }

Result<Type> equal_types(const TypeRequest& request) {
    if (!equal(request.types[0], request.types[1])) return bad("the operands differ in type");
    return request.types[0];
}

Result<Type> two(const TypeRequest& request) { return tuple_type({request.types[0], request.types[0]}); }

Result<Type> compare_type(const TypeRequest&) { return tensor_type(DType::Bool, Shape{}); }

Result<Type> joined(const TypeRequest& request) {
    std::int64_t total = 0;
    for (const Type& type : request.types) {
        const TensorType* tensor = as_tensor(type);
        if (!tensor || tensor->dims.size() != 1 || !tensor->dims[0].is_static()) return bad("cat joins vectors");
        total += tensor->dims[0].value;
    }
    return tensor_type(DType::F32, Shape{total});
}

OperandSpec operand(std::string name) { return {.name = std::move(name)}; }

Op make(std::string name, std::vector<OperandSpec> operands, TypeRelation infer) {
    Op op;
    op.name = std::move(name);
    op.operands = std::move(operands);
    op.infer = infer;
    return op;
}

OpRegistry make_registry() {
    OpRegistry registry;
    registry.add(make("relu", {operand("x")}, same));
    registry.add(make("add", {operand("a"), operand("b")}, equal_types));
    registry.add(make("pair", {operand("x")}, two));
    registry.add(make("bias", {operand("x"), {.name = "b", .optional = true}, {.name = "c", .optional = true}}, same));
    registry.add(make("cat", {{.name = "x", .variadic = true}}, joined));
    registry.add(make("less", {operand("a"), operand("b")}, compare_type));
    Op odd = make("odd", {operand("x")}, same);
    odd.attrs = {{"flag", AttrKind::Bool, false, ""},      {"int", AttrKind::Int, true, ""},
                 {"number", AttrKind::Float, false, ""},   {"text", AttrKind::Text, false, ""},
                 {"type", AttrKind::DType, false, ""},     {"ints", AttrKind::Ints, false, ""},
                 {"numbers", AttrKind::Floats, false, ""}, {"texts", AttrKind::Texts, false, ""}};
    registry.add(std::move(odd));
    return registry;
}

} // namespace

const OpRegistry& registry() {
    static const OpRegistry made = make_registry();
    return made;
}

OpEvaluator evaluator() {
    return [](const CallOp& call, std::span<const NDArray> args, const Type&,
              const Progress&) -> Result<std::vector<NDArray>> {
        if (call.op.name == "pair") return std::vector<NDArray>{args[0], args[0]};
        if (call.op.name == "less") {
            NDArray out = NDArray::allocate(DType::Bool, {});
            out.set_int(0, args[0].as_double(0) < args[1].as_double(0));
            return std::vector<NDArray>{out};
        }
        if (call.op.name != "relu" && call.op.name != "add") return bad("cannot evaluate " + call.op.name);
        NDArray out = NDArray::allocate(DType::F32, args[0].shape());
        for (std::int64_t i = 0; i < out.size(); ++i)
            out.set(i, call.op.name == "relu" ? std::max(args[0].as_double(i), 0.0)
                                              : args[0].as_double(i) + args[1].as_double(i));
        return std::vector<NDArray>{out};
    };
}

Type f32(Shape shape) { return tensor_type(DType::F32, shape); }

NDArray floats(Shape shape, std::vector<float> values) {
    return NDArray::of(DType::F32, std::move(shape), std::span<const float>(values));
}

Module parsed(const std::string& text, const ConstantPool& pool) {
    Result<Module> module = parse_module(text, registry(), pool);
    if (!module) FAIL(to_string(module.error()) << "\n" << text);
    return *module;
}

// ------------------------------------------------------------------------------ random modules

namespace {

class Generator {
  public:
    explicit Generator(std::mt19937_64& rng) : rng_(rng) {}

    /// Parameters are of `params` types, the result is `x: f32[4]`-like or the last value.
    Function function(int bindings, int depth) {
        FunctionBuilder builder;
        std::vector<Var> vars;
        for (int i = 0; i < 3; ++i) vars.push_back(builder.param(hint(), f32({4})));
        vars.push_back(builder.param(hint(), tensor_type(DType::F32, {Dim(2), Dim::named(symbol())})));
        vars.push_back(builder.param(hint(), tensor_type(DType::Bool, Shape{})));
        for (int i = 0; i < bindings; ++i) {
            const Var var = builder.emit(value(vars, depth), hint(), OriginSet(static_cast<SourceId>(i)));
            vars.push_back(var);
        }
        return builder.finish(hint(), pick_vector(vars), Attrs{{"primitive", below(2) == 0}});
    }

  private:
    int below(int n) { return static_cast<int>(rng_() % static_cast<std::uint64_t>(n)); }

    std::string hint() {
        static const std::vector<std::string> kHints{"x",    "conv1", "/layer1/0/conv1/Conv",
                                                     "1",    "a b",   "const",
                                                     "_",    "",      "return",
                                                     "f32",  "é",     "x_1",
                                                     "x",    "true",  "nan",
                                                     "a.b:0"};
        return kHints[static_cast<std::size_t>(below(static_cast<int>(kHints.size())))];
    }
    std::string symbol() {
        static const std::vector<std::string> kSymbols{"n", "?", "batch size", "floor(n/2)", "inf", "\"", "N/2"};
        return kSymbols[static_cast<std::size_t>(below(static_cast<int>(kSymbols.size())))];
    }

    Var pick(const std::vector<Var>& vars, auto&& accepts) {
        for (int tries = 0; tries < 200; ++tries)
            if (const Var& var = vars[rng_() % vars.size()]; accepts(var->type)) return var;
        return *std::ranges::find_if(vars, [&](const Var& v) { return accepts(v->type); });
    }
    Var pick_vector(const std::vector<Var>& vars) {
        return pick(vars, [](const Type& type) { return equal(type, f32({4})); });
    }
    Var any_tensor(const std::vector<Var>& vars) {
        return pick(vars, [](const Type& type) { return as_tensor(type) != nullptr; });
    }

    NDArray constant() {
        const auto dtype = static_cast<DType>(below(kDTypeCount));
        static const std::vector<Shape> kShapes{{}, {0}, {1}, {3}, {2, 2}, {16}, {17}, {2, 3, 4}};
        NDArray value =
            NDArray::allocate(dtype, kShapes[static_cast<std::size_t>(below(static_cast<int>(kShapes.size())))]);
        auto* bytes = static_cast<std::uint8_t*>(value.mutable_data());
        for (std::size_t i = 0; i < value.bytes(); ++i)
            bytes[i] = static_cast<std::uint8_t>(dtype == DType::Bool ? rng_() % 2 : rng_());
        for (std::int64_t i = 0; i < value.size(); ++i) {
            if (!is_arithmetic(dtype)) value.set_int(i, static_cast<std::int64_t>(rng_()));
            static const std::vector<double> kOdd{0.0, -0.0, 1.0, 0.1, INFINITY, -INFINITY, NAN, 1e-40, 65504.0, 1e30};
            if (is_float(dtype) && below(2))
                value.set(i, kOdd[static_cast<std::size_t>(below(static_cast<int>(kOdd.size())))]);
        }
        return value;
    }

    Attrs attrs() {
        static const std::vector<double> kNumbers{0.0,      -0.0,      1.0, 0.1,  1e300,      -1e-300,
                                                  INFINITY, -INFINITY, NAN, 1e22, 123456789.0};
        static const std::vector<std::string> kTexts{
            "", "SAME_UPPER", "a \"quoted\" \\ text", "tab\tnewline\n", "\x01\x7f\xff", "[1, 2]"};
        const auto number = [&] {
            return kNumbers[static_cast<std::size_t>(below(static_cast<int>(kNumbers.size())))];
        };
        const auto text = [&] { return kTexts[static_cast<std::size_t>(below(static_cast<int>(kTexts.size())))]; };
        Attrs::Map map{{"int", std::numeric_limits<std::int64_t>::min() + below(2)}};
        if (below(2)) map["flag"] = below(2) == 0;
        if (below(2)) map["number"] = number();
        if (below(2)) map["text"] = text();
        if (below(2)) map["type"] = static_cast<DType>(below(kDTypeCount));
        if (below(2)) map["ints"] = Ints(static_cast<std::size_t>(below(3)), -7);
        if (below(2)) map["numbers"] = Floats(static_cast<std::size_t>(below(3)), number());
        if (below(2)) map["texts"] = Strings(static_cast<std::size_t>(below(3)), text());
        return Attrs(std::move(map));
    }

    Expr call(const char* name, std::vector<Var> args, Attrs given = {}) {
        return make_ref<const CallOp>(*registry().find(name), std::move(args), std::move(given));
    }

    /// A function that may be applied to `args_for`, new or met before.
    Function inner(int depth) {
        if (!made_.empty() && below(2)) return made_[rng_() % made_.size()];
        made_.push_back(function(below(4), depth - 1));
        return made_.back();
    }
    std::vector<Var> args_for(const Function& function, const std::vector<Var>& vars, FunctionBuilder* = nullptr) {
        std::vector<Var> args;
        for (const Var& param : function->params) {
            const auto fits = [&](const Var& v) { return equal(v->type, param->type); };
            if (std::ranges::none_of(vars, fits)) return {};
            args.push_back(pick(vars, [&](const Type& type) { return equal(type, param->type); }));
        }
        return args;
    }

    Expr value(const std::vector<Var>& vars, int depth) {
        switch (below(depth > 0 ? 12 : 8)) {
        case 0: return make_ref<const Constant>(constant());
        case 1: return call("odd", {any_tensor(vars)}, attrs());
        case 2: return call("bias", {pick_vector(vars), nullptr, pick_vector(vars)});
        case 3: return call("cat", {pick_vector(vars), pick_vector(vars), pick_vector(vars)});
        case 4: {
            std::vector<Var> fields(static_cast<std::size_t>(below(4)));
            for (Var& field : fields) field = vars[rng_() % vars.size()];
            return make_ref<const Tuple>(std::move(fields));
        }
        case 5: {
            const auto has_parts = [](const Var& v) { return as_tuple(v->type) && !as_tuple(v->type)->fields.empty(); };
            if (std::ranges::none_of(vars, has_parts)) return call("pair", {any_tensor(vars)});
            const Var tuple = *std::ranges::find_if(vars, has_parts);
            return make_ref<const Project>(tuple, rng_() % as_tuple(tuple->type)->fields.size());
        }
        case 6: return call("pair", {any_tensor(vars)});
        case 7: return call("add", {pick_vector(vars), pick_vector(vars)});
        case 8: return make_ref<const FunctionLiteral>(inner(depth));
        case 9: {
            const Function f = inner(depth);
            std::vector<Var> args = args_for(f, vars);
            return args.empty() ? call("relu", {any_tensor(vars)})
                                : Expr(make_ref<const CallFunction>(f, std::move(args)));
        }
        case 10: {
            const Function f = inner(depth);
            std::vector<Var> args = args_for(f, vars);
            const Var condition = pick(vars, [](const Type& t) { return equal(t, tensor_type(DType::Bool, Shape{})); });
            return args.empty() ? call("relu", {any_tensor(vars)})
                                : Expr(make_ref<const If>(condition, f, f, std::move(args)));
        }
        default: return loop(vars);
        }
    }

    Expr loop(const std::vector<Var>& vars) {
        FunctionBuilder body;
        body.param("i", tensor_type(DType::I64, Shape{}));
        const Var condition = body.param("c", tensor_type(DType::Bool, Shape{}));
        const Var carried = body.param("x", f32({4})), captured = body.param("y", f32({4}));
        const Var sum = body.emit(call("add", {carried, captured}), "sum", {});
        const Var all = body.emit(make_ref<const Tuple>(std::vector<Var>{condition, sum, carried}), "", {});
        return make_ref<const Loop>(Loop::Fields{
            nullptr,
            below(2) ? Var() : pick(vars, [](const Type& t) { return equal(t, tensor_type(DType::Bool, Shape{})); }),
            {pick_vector(vars)},
            {pick_vector(vars)},
            body.finish("body", all)});
    }

    std::mt19937_64& rng_;
    std::vector<Function> made_;
};

} // namespace

Module random_module(std::mt19937_64& rng, int bindings, int depth) {
    return {Generator(rng).function(bindings, depth), {"out \"1\""}, std::make_shared<const std::vector<Source>>()};
}

} // namespace orrery::graph::fake
