// Operators that sum up: reductions, products, normalizations.

#include "tests/differential/recipes.hpp"

#include <algorithm>
#include <map>

namespace orrery::differential {

namespace {

template <DTypes Set, bool Positive = false> DrawnCall reduce(Draw& d) {
    const Var x = d.operand({.dtypes = Set, .strict = Positive && d.chance(70), .low = Positive ? 0.0625 : -2});
    Ints axes;
    for (std::size_t axis : d.some_axes(Draw::rank_of(x)))
        axes.push_back(static_cast<std::int64_t>(axis) -
                       (d.chance(25) ? static_cast<std::int64_t>(Draw::rank_of(x)) : 0));
    DrawnCall call{{x}, {{"axes", axes}}};
    if (d.chance(60)) call.attrs["keepdims"] = d.chance(50);
    return call;
}

DrawnCall matmul(Draw& d) {
    const Var a = d.operand({.least_rank = 1});
    const Shape left = Draw::shape_of(a);
    const bool transpose_a = left.size() > 1 && d.chance(25), transpose_b = d.chance(40);
    const std::int64_t depth = left.size() == 1 ? left[0] : left[left.size() - (transpose_a ? 2 : 1)];
    Shape right;
    if (d.chance(80)) {
        if (left.size() > 2 && d.chance(50)) right.assign(left.begin(), left.end() - 2);
        const std::int64_t columns = d.extent();
        right.push_back(transpose_b ? columns : depth);
        right.push_back(transpose_b ? depth : columns);
    } else {
        right = {depth};
    }
    DrawnCall call{{a}, {}};
    draw_sum_dtype(d, call);
    call.args.push_back(d.tensor(factor_dtype(d, call), right));
    if (transpose_a || d.chance(20)) call.attrs["transpose_a"] = transpose_a;
    if (transpose_b || d.chance(20)) call.attrs["transpose_b"] = transpose_b;
    return call;
}

DrawnCall layout_matmul(Draw& d) {
    const Var a = d.operand({.least_rank = 2});
    const Shape left = Draw::shape_of(a);
    const std::int64_t depth = left.back();
    DrawnCall call{{a}, {}};
    draw_sum_dtype(d, call);
    draw_stretch(d, call);
    if (d.chance(50)) {
        const std::int64_t panel = d.number(2, 5), part = depth % 2 == 0 && depth > 0 && d.chance(50) ? 2 : 1;
        Shape right;
        if (left.size() > 2 && d.chance(40)) right.assign(left.begin(), left.end() - 2);
        right.insert(right.end(), {d.number(1, 3), depth / part, panel});
        if (part > 1) right.push_back(part);
        call.args.push_back(d.tensor(factor_dtype(d, call), right));
        call.attrs["panel"] = panel;
        if (part > 1) call.attrs["part"] = part;
    } else {
        Shape right;
        if (left.size() > 2 && d.chance(50)) right.assign(left.begin(), left.end() - 2);
        right.insert(right.end(), {depth, d.extent()});
        call.args.push_back(d.tensor(factor_dtype(d, call), right));
        if (d.chance(40)) call.attrs["columns"] = d.number(1, 20);
    }
    if (d.chance(70)) call.attrs["rows"] = d.number(1, 7);
    return call;
}

DrawnCall einsum(Draw& d) {
    struct Form {
        const char* equation;
        std::vector<std::string> terms;
    };
    static const std::vector<Form> kForms{{"ij,jk->ik", {"ij", "jk"}},
                                          {"bij,bjk->bik", {"bij", "bjk"}},
                                          {"ij->ji", {"ij"}},
                                          {"ii->i", {"ii"}},
                                          {"ii->", {"ii"}},
                                          {"i,j->ij", {"i", "j"}},
                                          {"ij,ij->", {"ij", "ij"}},
                                          {"ij,j", {"ij", "j"}},
                                          {"...ij,...jk->...ik", {"bij", "bjk"}},
                                          {"bhid,bhjd->bhij", {"bhid", "bhjd"}},
                                          {"ij,jk,kl->il", {"ij", "jk", "kl"}},
                                          {"ijk->j", {"ijk"}},
                                          {"...i->...", {"bi"}}};
    const Form& form = kForms[static_cast<std::size_t>(d.number(0, static_cast<std::int64_t>(kForms.size()) - 1))];
    std::map<char, std::int64_t> extents;
    const DType dtype = d.dtype(DTypes::Number);
    DrawnCall call{{}, {{"equation", std::string(form.equation)}}};
    for (const std::string& term : form.terms) {
        Shape shape;
        for (char label : term) shape.push_back(extents.emplace(label, d.number(1, 5)).first->second);
        call.args.push_back(d.tensor(dtype, shape));
    }
    return call;
}

DrawnCall along_axis(Draw& d) {
    const Var x = d.operand({.dtypes = DTypes::Float, .least_rank = 1});
    DrawnCall call{{x}, {}};
    if (d.chance(60)) call.attrs["axis"] = d.axis(Draw::rank_of(x));
    return call;
}
DrawnCall lp_normalize(Draw& d) {
    DrawnCall call = along_axis(d);
    if (d.chance(60)) call.attrs["p"] = d.number(1, 2);
    return call;
}
void maybe_epsilon(Draw& d, DrawnCall& call) {
    if (d.chance(50)) call.attrs["epsilon"] = d.one_of({1e-3, 0.0625});
}

Var vector(Draw& d, const Var& x, const Want& want = {}) {
    return d.tensor(Draw::dtype_of(x), {Draw::shape_of(x)[1]}, want);
}

DrawnCall batch_norm(Draw& d) {
    const Var x = d.operand({.dtypes = DTypes::Float, .least_rank = 2});
    // Statistics are finite: with others, folding them into a scale and a shift gives NaN where the definition does
    // not.
    const Want number{.strict = true, .finite = true}, variance{.strict = true, .finite = true, .low = 0.25, .high = 2};
    DrawnCall call{{x, vector(d, x, number), vector(d, x, number), vector(d, x, number), vector(d, x, variance)}, {}};
    maybe_epsilon(d, call);
    return call;
}
Var with_channels(Draw& d, std::size_t least_rank) {
    for (;;) {
        const Var x = d.operand({.dtypes = DTypes::Float, .least_rank = least_rank});
        if (Draw::shape_of(x)[1] > 0) return x;
    }
}
DrawnCall instance_norm(Draw& d) {
    const Var x = with_channels(d, 3);
    DrawnCall call{{x, vector(d, x), vector(d, x)}, {}};
    maybe_epsilon(d, call);
    return call;
}
DrawnCall group_norm(Draw& d) {
    const Var x = with_channels(d, 2);
    const std::int64_t channels = Draw::shape_of(x)[1];
    std::int64_t groups = d.number(1, channels);
    while (channels % groups != 0) --groups;
    DrawnCall call{{x, vector(d, x), vector(d, x)}, {{"groups", groups}}};
    maybe_epsilon(d, call);
    return call;
}
DrawnCall layer_norm(Draw& d) {
    DrawnCall call = along_axis(d);
    const Var x = call.args[0];
    for (int i = 0; i < 2; ++i)
        call.args.push_back(d.chance(60) ? d.tensor(Draw::dtype_of(x), d.broadcastable(Draw::shape_of(x))) : Var());
    maybe_epsilon(d, call);
    return call;
}
DrawnCall rms_norm(Draw& d) {
    DrawnCall call = along_axis(d);
    const Var x = call.args[0];
    call.args.push_back(d.chance(60) ? d.tensor(Draw::dtype_of(x), d.broadcastable(Draw::shape_of(x))) : Var());
    maybe_epsilon(d, call);
    return call;
}
DrawnCall lrn(Draw& d) {
    DrawnCall call{{d.operand({.dtypes = DTypes::Float, .least_rank = 2})}, {{"size", d.number(1, 6)}}};
    if (d.chance(50)) call.attrs["alpha"] = d.real(0.0625, 1);
    if (d.chance(50)) call.attrs["beta"] = d.one_of({0.75, 0.5, 1.0});
    if (d.chance(50)) call.attrs["bias"] = d.real(1, 2);
    return call;
}
DrawnCall det(Draw& d) {
    Shape shape;
    for (std::int64_t batch = d.number(0, 2); batch > 0; --batch) shape.push_back(d.number(1, 3));
    const std::int64_t n = d.number(1, 4);
    shape.insert(shape.end(), {n, n});
    return {{d.tensor(d.dtype(DTypes::WideFloat), shape)}, {}};
}
DrawnCall dft(Draw& d) {
    Shape shape;
    for (std::int64_t rank = d.number(1, 3); rank > 0; --rank) shape.push_back(d.number(1, 6));
    shape.push_back(d.number(1, 2));
    const Var x = d.tensor(d.dtype(DTypes::Float), shape);
    DrawnCall call{{x}, {{"axis", d.axis(shape.size() - 1)}}};
    if (d.chance(30)) call.attrs["length"] = d.number(1, 8);
    const bool inverse = d.chance(40);
    if (inverse || d.chance(30)) call.attrs["inverse"] = inverse;
    if (!inverse && d.chance(40)) call.attrs["onesided"] = d.chance(60);
    return call;
}

} // namespace

Recipes reduce_recipes() {
    return {
        {"batch_norm", Effect::Sums, batch_norm},
        {"det", Effect::Sums, det},
        {"dft", Effect::Sums, dft},
        {"einsum", Effect::Sums, einsum},
        {"group_norm", Effect::Sums, group_norm},
        {"instance_norm", Effect::Sums, instance_norm},
        {"layer_norm", Effect::Sums, layer_norm},
        {"layout_matmul", Effect::Sums, layout_matmul},
        {"log_softmax", Effect::Sums, along_axis},
        {"lp_normalize", Effect::Sums, lp_normalize},
        {"lrn", Effect::Sums, lrn},
        {"matmul", Effect::Sums, matmul},
        {"reduce_all", Effect::Moves, reduce<DTypes::Bool>},
        {"reduce_any", Effect::Moves, reduce<DTypes::Bool>},
        {"reduce_l1", Effect::Sums, reduce<DTypes::Number>},
        {"reduce_l2", Effect::Sums, reduce<DTypes::Number>},
        {"reduce_log_sum", Effect::Sums, reduce<DTypes::Number, true>},
        {"reduce_log_sum_exp", Effect::Sums, reduce<DTypes::Float>},
        {"reduce_max", Effect::Moves, reduce<DTypes::Number>},
        {"reduce_mean", Effect::Sums, reduce<DTypes::Number>},
        {"reduce_min", Effect::Moves, reduce<DTypes::Number>},
        {"reduce_prod", Effect::Sums, reduce<DTypes::Number>},
        {"reduce_sum", Effect::Sums, reduce<DTypes::Number>},
        {"reduce_sum_square", Effect::Sums, reduce<DTypes::Number>},
        {"rms_norm", Effect::Sums, rms_norm},
        {"softmax", Effect::Sums, along_axis},
    };
}

} // namespace orrery::differential
