#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>
#include <map>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

/// An equation with every axis a label: letters stand for themselves, the axes of `...` for numbers from the last,
/// which is 1.
struct Equation {
    std::vector<std::vector<int>> operands;
    std::vector<int> result;
    std::map<int, std::int64_t> extents;

    /// Labels that the result lacks, in order.
    [[nodiscard]] std::vector<int> summed() const {
        std::vector<int> labels;
        for (const auto& [label, extent] : extents)
            if (std::ranges::find(result, label) == result.end()) labels.push_back(label);
        return labels;
    }
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// One operand's labels. `ellipsis` is the number of axes "..." stands for, -1 while unknown.
Result<std::vector<int>> parse_term(const std::string& term, std::int64_t ellipsis) {
    std::vector<int> labels;
    bool dots = false;
    for (std::size_t i = 0; i < term.size(); ++i) {
        if (term.compare(i, 3, "...") == 0 && !dots) {
            for (std::int64_t k = ellipsis; k > 0; --k) labels.push_back(static_cast<int>(k));
            dots = true;
            i += 2;
        } else if (is_letter(term[i])) {
            labels.push_back(term[i] + 0x1000); // apart from the numbers of ellipsis axes
        } else {
            return attr_error("the equation has terms of letters and at most one ..., not " + term);
        }
    }
    return labels;
}

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts(1);
    for (char c : text) {
        if (c == by)
            parts.emplace_back();
        else
            parts.back() += c;
    }
    return parts;
}

/// Without an arrow: the ellipsis, then the letters that occur once, in alphabetical order.
std::vector<int> implicit_result(const std::vector<std::vector<int>>& operands) {
    std::map<int, int> counts;
    std::vector<int> result, letters;
    for (const auto& labels : operands)
        for (int label : labels) ++counts[label];
    for (const auto& [label, count] : counts) {
        if (label < 0x1000)
            result.insert(result.begin(), label);
        else if (count == 1)
            letters.push_back(label);
    }
    result.insert(result.end(), letters.begin(), letters.end());
    return result;
}

Result<Equation> parse(const std::string& text, std::span<const Shape> shapes) {
    std::string compact;
    for (char c : text)
        if (c != ' ') compact += c;
    const std::size_t arrow = compact.find("->");
    const std::vector<std::string> terms = split(compact.substr(0, arrow), ',');
    if (terms.size() != shapes.size())
        return attr_error("the equation has " + std::to_string(terms.size()) + " terms for " +
                          std::to_string(shapes.size()) + " operands");
    Equation equation;
    std::int64_t widest = 0;
    for (std::size_t i = 0; i < terms.size(); ++i) {
        const bool dots = terms[i].find("...") != std::string::npos;
        const auto letters = static_cast<std::int64_t>(std::ranges::count_if(terms[i], is_letter)),
                   rank = static_cast<std::int64_t>(shapes[i].size());
        if (letters > rank || (!dots && letters != rank))
            return shape_error("the term " + terms[i] + " does not name the " + std::to_string(rank) +
                               " dimensions of operand " + std::to_string(i));
        widest = std::max(widest, rank - letters);
        ORRERY_TRY(std::vector<int> labels, parse_term(terms[i], rank - letters));
        for (std::size_t d = 0; d < labels.size(); ++d) {
            const auto [at, added] = equation.extents.emplace(labels[d], shapes[i][d]);
            if (!added && at->second != shapes[i][d] && shapes[i][d] != 1) {
                if (at->second != 1)
                    return shape_error("a label of " + text + " stands for " + std::to_string(at->second) + " and " +
                                       std::to_string(shapes[i][d]));
                at->second = shapes[i][d];
            }
        }
        equation.operands.push_back(std::move(labels));
    }
    if (arrow == std::string::npos) {
        equation.result = implicit_result(equation.operands);
        return equation;
    }
    ORRERY_TRY(equation.result, parse_term(compact.substr(arrow + 2), widest));
    std::vector<int> sorted = equation.result;
    std::ranges::sort(sorted);
    if (std::ranges::adjacent_find(sorted) != sorted.end())
        return attr_error("the result of " + text + " names a label twice");
    for (int label : equation.result)
        if (!equation.extents.contains(label))
            return attr_error("the result of " + text + " names a label no operand has");
    return equation;
}

Result<Type> einsum_type(const TypeRequest& request) {
    std::vector<Shape> shapes;
    ORRERY_TRY(const TensorType first, operand(request, 0, DTypes::Number));
    for (std::size_t i = 0; i < request.types.size(); ++i) {
        ORRERY_TRY(const TensorType type, static_operand(request, i, DTypes::Number));
        ORRERY_CHECK_OK(same_dtype(first, type));
        shapes.push_back(graph::static_shape(type));
    }
    ORRERY_TRY(const Equation equation, parse(request.attrs.text("equation"), shapes));
    Shape shape;
    for (int label : equation.result) shape.push_back(equation.extents.at(label));
    return checked_type(first.dtype, shape);
}

std::vector<Buffer> define_einsum(const DefineRequest& request) {
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < request.inputs.size(); ++i) shapes.push_back(request.shape(i));
    const Equation equation = std::move(parse(request.attrs.text("equation"), shapes)).value();
    const std::vector<int> summed = equation.summed();
    Shape extents;
    for (int label : summed) extents.push_back(equation.extents.at(label));
    const auto product = [&](const Indices& i, const Indices& k) {
        std::map<int, Expr> index;
        for (std::size_t d = 0; d < equation.result.size(); ++d) index[equation.result[d]] = i[d];
        for (std::size_t d = 0; d < summed.size(); ++d) index[summed[d]] = k[d];
        Expr value;
        for (std::size_t operand = 0; operand < shapes.size(); ++operand) {
            Indices at;
            for (std::size_t d = 0; d < shapes[operand].size(); ++d)
                at.push_back(shapes[operand][d] == 1 ? imm(0) : index.at(equation.operands[operand][d]));
            const Expr factor = cast(accumulator(request.out_dtype()), load(request.in(operand), at));
            value = value ? value * factor : factor;
        }
        return value;
    };
    const StageSpec spec{"einsum", request.out_dtype(), request.out_shape()};
    if (summed.empty())
        return {
            compute_stage(request.builder, spec, [&](const Indices& i) { return cast(spec.dtype, product(i, {})); })};
    return {reduce_stage(request.builder, spec, {.combiner = Combiner::Sum, .extents = extents}, product)};
}

} // namespace

Family einsum_family() {
    return {{.name = "einsum",
             .doc = "The sum of products an equation in Einstein's notation names. The result has the dimensions of "
                    "the labels after the arrow. "
                    "Errors: BadAttribute for an equation that is none, BadShape when operands do not fit it.",
             .operands = {{"operands", "numbers of one element type", false, true}},
             .attrs = {{"equation", AttrKind::Text, true,
                        "\"ij,jk->ik\"; `...` stands for further, broadcasting dimensions; without an arrow the "
                        "result has the labels that occur once, sorted"}},
             .fusion = FusionKind::OutFusable,
             .infer = einsum_type,
             .define = define_einsum,
             .onnx_names = {"Einsum"}}};
}

} // namespace orrery::ops
