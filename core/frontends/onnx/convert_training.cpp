// Optimizer steps: inputs are the rate R, the step count T, then groups of tensors, each group one after another.

#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>

namespace orrery::onnx {

namespace {

/// Arithmetic on variables of one element type, remembering the first error.
class Sum {
  public:
    Sum(NodeReader& node, DType dtype) : node_(node), dtype_(dtype) {}

    Var number(double value) { return scalar(node_, dtype_, value); }
    Var call(const char* op, Vars args, graph::Attrs attrs = {}) {
        if (error_ || std::ranges::find(args, nullptr) != args.end()) return nullptr;
        Result<Var> value = node_.call(op, std::move(args), std::move(attrs));
        if (value) return *std::move(value);
        error_ = std::move(value.error());
        return nullptr;
    }
    Var add(const Var& a, const Var& b) { return call("add", {a, b}); }
    Var sub(const Var& a, const Var& b) { return call("subtract", {a, b}); }
    Var mul(const Var& a, const Var& b) { return call("multiply", {a, b}); }
    Var div(const Var& a, const Var& b) { return call("divide", {a, b}); }
    Var scaled(double factor, const Var& x) { return factor == 1 ? x : mul(number(factor), x); }
    /// `attribute` of the node times x, plus g: a gradient with L2 regularization.
    Var regularized(const Var& x, const Var& g) {
        const double norm = node_.number("norm_coefficient", 0);
        return norm == 0 ? g : add(scaled(norm, x), g);
    }
    Converted finish(Vars vars) {
        if (error_) return *std::move(error_);
        return results(node_, std::move(vars));
    }

  private:
    NodeReader& node_;
    DType dtype_;
    std::optional<Diagnostic> error_;
};

/// Number of tensors a group has. Errors: BadShape.
Result<std::size_t> group_size(NodeReader& node, std::size_t groups) {
    ORRERY_CHECK_OK(require_inputs(node, node.input_count()));
    if (node.input_count() <= 2 || (node.input_count() - 2) % groups != 0)
        return bad_shape(std::string(node.op_type()) + " takes R, T and groups of tensors");
    for (std::size_t i = 0; i < node.input_count(); ++i) {
        ORRERY_TRY([[maybe_unused]] const Shape shape, input_shape(node, i));
    }
    return (node.input_count() - 2) / groups;
}

/// T in the tensors' type, and whether it is past the first step.
struct Step {
    Var count, later;
};
Step step_of(NodeReader& node, Sum& sum, DType dtype) {
    const Var count = sum.call("cast", {node.input(1)}, {{"dtype", dtype}});
    return {count, sum.call("greater", {count, sum.number(0)})};
}

Converted momentum(NodeReader& node) {
    ORRERY_TRY(const std::size_t n, group_size(node, 3));
    ORRERY_TRY(const DType dtype, input_dtype(node, 2));
    Sum sum(node, dtype);
    const Var rate = node.input(0);
    const Step step = step_of(node, sum, dtype);
    const Var beta = sum.call("where", {step.later, sum.number(node.number("beta", 0)), sum.number(1)});
    const double alpha = node.number("alpha", 0);
    const bool nesterov = node.text("mode", "standard") == "nesterov";
    Vars xs, vs;
    for (std::size_t i = 0; i < n; ++i) {
        const Var x = node.input(2 + i), g = sum.regularized(x, node.input(2 + n + i));
        const Var v = sum.add(sum.scaled(alpha, node.input(2 + 2 * n + i)), sum.mul(beta, g));
        xs.push_back(sum.sub(x, sum.mul(rate, nesterov ? sum.add(g, sum.scaled(alpha, v)) : v)));
        vs.push_back(v);
    }
    xs.insert(xs.end(), vs.begin(), vs.end());
    return sum.finish(std::move(xs));
}

Converted adagrad(NodeReader& node) {
    ORRERY_TRY(const std::size_t n, group_size(node, 3));
    ORRERY_TRY(const DType dtype, input_dtype(node, 2));
    Sum sum(node, dtype);
    const Step step = step_of(node, sum, dtype);
    const Var rate =
        sum.div(node.input(0), sum.add(sum.number(1), sum.scaled(node.number("decay_factor", 0), step.count)));
    Vars xs, hs;
    for (std::size_t i = 0; i < n; ++i) {
        const Var x = node.input(2 + i), g = sum.regularized(x, node.input(2 + n + i));
        const Var h = sum.add(node.input(2 + 2 * n + i), sum.mul(g, g));
        const Var divisor = sum.add(sum.call("sqrt", {h}), sum.number(node.number("epsilon", 0)));
        xs.push_back(sum.sub(x, sum.div(sum.mul(rate, g), divisor)));
        hs.push_back(h);
    }
    xs.insert(xs.end(), hs.begin(), hs.end());
    return sum.finish(std::move(xs));
}

Converted adam(NodeReader& node) {
    ORRERY_TRY(const std::size_t n, group_size(node, 4));
    ORRERY_TRY(const DType dtype, input_dtype(node, 2));
    Sum sum(node, dtype);
    const Step step = step_of(node, sum, dtype);
    const double alpha = node.number("alpha", 0.9), beta = node.number("beta", 0.999);
    const auto one_less_power = [&](double base) {
        return sum.sub(sum.number(1), sum.call("power", {sum.number(base), step.count}));
    };
    const Var adjusted =
        sum.div(sum.mul(node.input(0), sum.call("sqrt", {one_less_power(beta)})), one_less_power(alpha));
    const Var rate = sum.call("where", {step.later, adjusted, node.input(0)});
    Vars xs, vs, hs;
    for (std::size_t i = 0; i < n; ++i) {
        const Var x = node.input(2 + i), g = sum.regularized(x, node.input(2 + n + i));
        const Var v = sum.add(sum.scaled(alpha, node.input(2 + 2 * n + i)), sum.scaled(1 - alpha, g));
        const Var h = sum.add(sum.scaled(beta, node.input(2 + 3 * n + i)), sum.scaled(1 - beta, sum.mul(g, g)));
        const Var divisor = sum.add(sum.call("sqrt", {h}), sum.number(node.number("epsilon", 1e-6)));
        const Var moved = sum.sub(x, sum.div(sum.mul(rate, v), divisor));
        xs.push_back(sum.scaled(1 - node.number("norm_coefficient_post", 0), moved));
        vs.push_back(v);
        hs.push_back(h);
    }
    xs.insert(xs.end(), vs.begin(), vs.end());
    xs.insert(xs.end(), hs.begin(), hs.end());
    return sum.finish(std::move(xs));
}

constexpr ConverterRow kTrainingRows[] = {
    {"Adagrad", 1, adagrad},
    {"Adam", 1, adam},
    {"Momentum", 1, momentum},
};

} // namespace

Rows training_rows() { return kTrainingRows; }

} // namespace orrery::onnx
