#include "tests/core/ops/calls.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "tests/support/paths.hpp"

#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <set>
#include <thread>

using namespace orrery;
using namespace orrery::ops::test;

TEST_CASE("every operator says what it is", "[ops][registry]") {
    const std::vector<const graph::Op*> all = ops::registry().all();
    REQUIRE(all.size() > 120);
    for (const graph::Op* op : all) {
        INFO(op->name);
        REQUIRE(op->doc.size() > 6);
        REQUIRE(op->doc.find('.') != std::string::npos);
        REQUIRE(op->infer != nullptr);
        REQUIRE(op->rule != nullptr);
        REQUIRE(op->rule->define != nullptr);
        // What somebody typed is no node of a model.
        REQUIRE(op->onnx_names.empty() == (op->name == "tensor_program"));
        REQUIRE_FALSE(op->operands.empty());
        for (const graph::OperandSpec& operand : op->operands) REQUIRE_FALSE(operand.doc.empty());
        std::set<std::string> names;
        for (const graph::AttrSpec& attr : op->attrs) {
            REQUIRE_FALSE(attr.doc.empty());
            REQUIRE(names.insert(attr.name).second);
        }
        REQUIRE(&ops::op(op->name) == op);
    }
    REQUIRE_THROWS_AS(ops::op("no_such_operator"), InternalError);
    REQUIRE(ops::registry().find("no_such_operator") == nullptr);
}

TEST_CASE("the list of operators is whole", "[ops][registry]") {
    std::ifstream file(tests::source_dir() / "docs/operators.md");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::size_t rows = 0;
    for (std::size_t at = text.find("\n| `"); at != std::string::npos; at = text.find("\n| `", at + 1)) ++rows;
    for (const graph::Op* op : ops::registry().all()) {
        INFO(op->name);
        REQUIRE(text.find("\n| `" + op->name + "` |") != std::string::npos);
    }
    REQUIRE(rows == ops::registry().all().size());
}

namespace {

/// Draws calls: operands of small random types, attributes random, now and then absurd.
class Draw {
  public:
    explicit Draw(unsigned seed) : engine_(seed) {}

    std::int64_t number(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
    }
    bool chance(int percent) { return number(0, 99) < percent; }

    std::int64_t integer() {
        static constexpr std::int64_t kAbsurd[] = {std::numeric_limits<std::int64_t>::min(),
                                                   std::numeric_limits<std::int64_t>::max(),
                                                   -1,
                                                   0,
                                                   1,
                                                   std::int64_t{1} << 31,
                                                   std::int64_t{1} << 40,
                                                   -(std::int64_t{1} << 33)};
        return chance(15) ? kAbsurd[static_cast<std::size_t>(number(0, 7))] : number(-2, 4);
    }
    double real() {
        static constexpr double kAbsurd[] = {
            0, -1, 1e300, -1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()};
        return chance(20) ? kAbsurd[static_cast<std::size_t>(number(0, 5))] : static_cast<double>(number(-20, 40)) / 10;
    }
    DType dtype() { return chance(60) ? DType::F32 : static_cast<DType>(number(0, kDTypeCount - 1)); }

    graph::AttrValue attribute(const graph::AttrSpec& spec) {
        const auto count = static_cast<std::size_t>(number(0, 4));
        switch (spec.kind) {
        case graph::AttrKind::Bool: return chance(50);
        case graph::AttrKind::Int: return integer();
        case graph::AttrKind::Float: return real();
        case graph::AttrKind::Text: return text(spec.doc);
        case graph::AttrKind::DType: return dtype();
        case graph::AttrKind::Ints: {
            Ints values(count);
            for (std::int64_t& value : values) value = integer();
            return values;
        }
        case graph::AttrKind::Floats: {
            Floats values(count);
            for (double& value : values) value = real();
            return values;
        }
        case graph::AttrKind::Texts: return Strings(count, "tanh");
        }
        return false;
    }
    /// A word of the attribute's own documentation: sooner or later one that is allowed.
    std::string text(const std::string& doc) {
        std::vector<std::string> words(1);
        for (char c : doc) {
            if (std::isalpha(static_cast<unsigned char>(c)) || c == '_')
                words.back() += c;
            else if (!words.back().empty())
                words.emplace_back();
        }
        return words[static_cast<std::size_t>(number(0, static_cast<std::int64_t>(words.size()) - 1))];
    }
    NDArray operand(DType type) {
        Shape shape(static_cast<std::size_t>(number(0, 4)));
        for (std::int64_t& extent : shape) extent = chance(5) ? 0 : number(1, 4);
        NDArray array = NDArray::allocate(type, shape);
        for (std::int64_t i = 0; i < array.size(); ++i) array.set(i, static_cast<double>(number(0, 5)));
        return array;
    }

  private:
    std::mt19937 engine_;
};

struct Drawn {
    Arrays args;
    graph::Attrs attrs;
};

Drawn draw_call(const graph::Op& op, Draw& draw) {
    Drawn out;
    const DType common = draw.dtype();
    for (const graph::OperandSpec& spec : op.operands) {
        const std::int64_t count = spec.variadic ? draw.number(1, 3) : 1;
        for (std::int64_t i = 0; i < count; ++i) {
            if (spec.optional && draw.chance(50)) {
                out.args.emplace_back();
                continue;
            }
            const bool again = !out.args.empty() && out.args[0].defined() && draw.chance(40);
            out.args.push_back(again ? out.args[0]
                                     : draw.operand(draw.chance(80)   ? common
                                                    : draw.chance(50) ? DType::I64
                                                                      : draw.dtype()));
        }
    }
    graph::Attrs::Map attrs;
    for (const graph::AttrSpec& spec : op.attrs)
        if (spec.required || draw.chance(50)) attrs[spec.name] = draw.attribute(spec);
    out.attrs = graph::Attrs(std::move(attrs));
    return out;
}

constexpr std::int64_t kRunBytes = 1 << 20; // results larger than this are not computed

bool small(const graph::Type& type) {
    if (const graph::TensorType* tensor = graph::as_tensor(type)) {
        Shape shape = graph::static_shape(*tensor);
        for (std::int64_t& extent : shape) extent = std::max<std::int64_t>(extent, 1); // loops around nothing count too
        return checked_elements(shape, tensor->dtype, kRunBytes).has_value();
    }
    for (const graph::Type& field : graph::as_tuple(type)->fields)
        if (!small(field)) return false;
    return true;
}

std::int64_t allocated(const tensor::Program& program) { return tensor::cost_of(program).alloc_bytes; }

} // namespace

TEST_CASE("no operator believes its attributes", "[ops][registry][property]") {
    constexpr int kDraws = 300;
    const unsigned seed = 20240817;
    int accepted = 0;
    for (const graph::Op* op : ops::registry().all()) {
        Draw draw(seed);
        for (int i = 0; i < kDraws; ++i) {
            const Drawn drawn = draw_call(*op, draw);
            std::vector<graph::Type> types;
            std::vector<graph::Var> vars;
            for (const NDArray& arg : drawn.args) {
                types.push_back(arg.defined() ? graph::tensor_type(arg.dtype(), arg.shape()) : graph::Type());
                vars.push_back(arg.defined() ? graph::make_var("x", types.back()) : graph::Var());
            }
            INFO(op->name << ", draw " << i);
            const Result<graph::Type> type = graph::infer_call(*op, types, drawn.attrs);
            if (!type) {
                const Code code = type.error().code;
                const bool expected = code == Code::BadShape || code == Code::BadType || code == Code::BadAttribute ||
                                      code == Code::LimitExceeded;
                if (!expected) FAIL(code_name(code));
                continue;
            }
            if (!graph::fully_static(*type)) continue; // its extents are data
            if (!small(*type)) continue;
            const graph::CallOp call(*op, vars, drawn.attrs);
            const Result<tensor::Program> program = ops::program_of(call, *type);
            REQUIRE(program.has_value());
            const Result<void> verified = tensor::verify(*program);
            if (!verified) FAIL(to_string(verified.error()) << "\n" << tensor::to_string(*program));
            const tensor::Cost cost = tensor::cost_of(*program);
            if (allocated(*program) > 64 * kRunBytes || cost.flops > 1e6) continue;
            const Result<Arrays> results = ops::interpreter_evaluator()(call, drawn.args, *type, {});
            REQUIRE(results.has_value());
            ++accepted;
        }
    }
    // Most draws make no sense; enough of them do.
    REQUIRE(accepted > 2000);
}

TEST_CASE("the registry and the evaluator serve several threads", "[ops][registry]") {
    const NDArray x = drawn({4, 8}, 1);
    const NDArray expected = call("softmax", {x});
    const graph::Type type = graph::tensor_type(DType::F32, x.shape());
    std::vector<int> wrong(4, 0);
    {
        std::vector<std::jthread> threads;
        for (int& count : wrong)
            threads.emplace_back([&] {
                const graph::CallOp call(ops::op("softmax"), {graph::make_var("x", type)}, {});
                for (int i = 0; i < 50; ++i) {
                    const Result<Arrays> y = ops::interpreter_evaluator()(call, std::vector<NDArray>{x}, type, {});
                    if (!y || compare(y->front(), expected).max_abs != 0) ++count;
                }
            });
    }
    REQUIRE(wrong == std::vector<int>(4, 0));
}

TEST_CASE("types that are not static are carried where that is easy and refused where not", "[ops][registry]") {
    using graph::Dim;
    const graph::Type x = graph::tensor_type(DType::F32, std::vector<Dim>{Dim::named("n"), Dim(3), Dim(8), Dim(8)});
    const graph::Type w = graph::tensor_type(DType::F32, Shape{4, 3, 3, 3});
    const auto infer = [](const char* name, std::vector<graph::Type> types, const Attrs& attrs = {}) {
        return graph::infer_call(ops::op(name), types, attrs);
    };
    REQUIRE(graph::to_string(*infer("relu", {x})) == "f32[n,3,8,8]");
    REQUIRE(graph::to_string(*infer("conv2d", {x, w})) == "f32[n,4,6,6]");
    REQUIRE(graph::to_string(*infer("reduce_mean", {x}, {{"axes", Ints{2, 3}}})) == "f32[n,3,1,1]");
    // What a relation does not say itself is found on values for the symbols.
    REQUIRE(graph::to_string(*infer("reshape", {x}, {{"shape", Ints{1, -1}}})) == "f32[1,\"192*n\"]");
    REQUIRE(infer("reshape", {x}, {{"shape", Ints{5, 7}}}).error().code == Code::BadShape);
    // Nothing at all, but a loop over 2^40 of it.
    const graph::Type empty = graph::tensor_type(DType::F32, Shape{std::int64_t{1} << 40, 0});
    REQUIRE(infer("relu", {empty}).error().code == Code::LimitExceeded);
    REQUIRE(infer("tile", {graph::tensor_type(DType::F32, Shape{1, 0})}, {{"repeats", Ints{std::int64_t{1} << 40, 1}}})
                .error()
                .code == Code::LimitExceeded);
    const graph::CallOp call(ops::op("relu"), {graph::make_var("x", x)}, {});
    REQUIRE(ops::program_of(call, x).error().code == Code::UnsupportedFeature);
}
