// Going over main in order, every variable of four axes (NCHW when nothing else is known) has a state: the layout it
// lies in, and the layout and variable of the same value as it was computed.
//   conv2d, layout_conv2d   layouts as chosen, input fetched in the layout wanted; conv_transpose likewise
//   carried along           elementwise work, sums and products, pooling, responses to neighbouring channels,
//                           concatenations over channels, reductions over the image: computed in the native layout of
//                           their first operand that has another one
//   anything else           keeps its operands, which are transformed back

#include "core/transform/layout_converter.hpp"

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/ops/transposed.hpp"
#include "core/transform/channel_shuffle.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <unordered_set>

namespace orrery::transform {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Expr;
using graph::Ints;
using graph::Var;
using ops::Layout;

ConvLayouts packed_layouts(const ConvFacts& facts, std::int64_t in_block, std::int64_t out_block) {
    const auto part = [](std::int64_t block, char name) {
        return block > 1 ? std::to_string(block) + name : std::string();
    };
    const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
    const std::string data = "NCHW" + part(in_block, 'c'), out = "NCHW" + part(out_block, 'c');
    if (facts.shuffle > 1) {
        const std::string own = part(std::gcd(facts.shuffle, facts.channels / facts.groups), 'i');
        return {.data = data, .out = out, .weight = "O" + own + "IHW" + part(out_block, 'o'), .in_turn = true};
    }
    return {data, out, "OIHW" + (depthwise ? std::string() : part(in_block, 'i')) + part(out_block, 'o')};
}

std::int64_t product_rows(std::int64_t rows, RowGroups groups) {
    std::int64_t best = 1;
    double least = 1e30;
    const double many = groups == RowGroups::Many && rows % 14 == 0 ? 0.955 : 0;
    const double threes = groups == RowGroups::Threes ? 0.95 : 0;
    for (const auto& [group, speed] :
         {std::pair(14, many), std::pair(6, 0.95), std::pair(9, threes), std::pair(5, 0.92), std::pair(4, 0.88)})
        if (const double time = static_cast<double>((rows + group - 1) / group * group) / speed; time < least) {
            least = time;
            best = group;
        }
    return best;
}

std::int64_t tile_rows(std::int64_t rows, std::int64_t width) {
    constexpr std::int64_t kLeast = 16,
                           kMost = 32; // our choice: fewer rows leave half of the time to what columns load
    for (std::int64_t group = kMost; group >= kLeast; group -= 2)
        if (rows % group == 0 && (width % group == 0 || group == 2 * width)) return group;
    std::int64_t best = kMost;
    for (std::int64_t group = kMost; group >= kLeast; group -= 2)
        if ((rows + group - 1) / group * group < (rows + best - 1) / best * best) best = group;
    return best;
}

std::int64_t dots_block(std::int64_t columns, std::int64_t lanes) {
    constexpr std::int64_t kMostRegisters = 4, kMostHalves = 5, kNarrowest = 8;
    for (std::int64_t count = kMostRegisters; count > 0; --count)
        if (columns % (count * lanes) == 0) return count * lanes;
    for (std::int64_t count = kMostHalves; count > 0; --count)
        if (columns % (count * kNarrowest) == 0) return count * kNarrowest;
    return 0;
}

namespace {

const std::array kBinary{"add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "prelu"};
const std::array kReductions{"reduce_sum", "reduce_mean", "reduce_max", "reduce_min"};
/// Of images, and the same of tensors in other layouts under a name that starts so.
const std::array kWindows{"max_pool", "avg_pool", "lrn"};
constexpr std::string_view kLaidOut = "layout_";

Layout layout_of(const std::string& text) { return ops::parse_layout(text).value(); }

bool one_of(const auto& names, const std::string& name) {
    return std::ranges::any_of(names, [&](const char* each) { return name == each; });
}

/// How many channels a group has of the grouped convolutions that read a value, elementwise work between.
std::unordered_map<Var, std::int64_t> groups_of_readers(const graph::Function& function) {
    std::unordered_map<Var, std::int64_t> out;
    for (auto binding = function->bindings.rbegin(); binding != function->bindings.rend(); ++binding) {
        const auto* call = graph::as<CallOp>(binding->value);
        const std::optional<Shape> shape = call ? shape_of(binding->var) : std::nullopt;
        if (!shape) continue;
        const std::optional<Shape> data = call->args.empty() || !call->args[0] ? std::nullopt : shape_of(call->args[0]);
        if (data && one_of(std::array{"conv2d", "layout_conv2d"}, call->op.name)) {
            const Layout layout = layout_of(call->op.name == "conv2d" ? "NCHW" : call->attrs.text("layout"));
            const std::int64_t groups = call->attrs.integer("groups", 1), channels = layout.extent('C', *data);
            if (groups > 1 && groups < channels) out[call->args[0]] = channels / groups;
        }
        const bool same = one_of(kBinary, call->op.name) || call->op.fusion == graph::FusionKind::Elementwise;
        const auto wanted = same ? out.find(binding->var) : out.end();
        if (wanted == out.end()) continue;
        const std::int64_t channels = wanted->second;
        for (const Var& arg : call->args)
            if (arg && shape_of(arg) == shape) out[arg] = channels;
    }
    return out;
}

/// Convolutions that read what a depthwise one computed, elementwise work between.
std::unordered_set<Var> after_depthwise(const graph::Function& function) {
    std::unordered_set<Var> values, out;
    for (const Binding& binding : function->bindings) {
        const auto* call = graph::as<CallOp>(binding.value);
        const std::optional<Shape> data =
            !call || call->args.empty() || !call->args[0] ? std::nullopt : shape_of(call->args[0]);
        if (!data) continue;
        const bool read = values.contains(call->args[0]);
        if (one_of(std::array{"conv2d", "layout_conv2d"}, call->op.name)) {
            const Layout layout = layout_of(call->op.name == "conv2d" ? "NCHW" : call->attrs.text("layout"));
            const std::int64_t groups = call->attrs.integer("groups", 1);
            if (groups > 1 && groups == layout.extent('C', *data)) values.insert(binding.var);
            if (read) out.insert(binding.var);
        } else if (read && shape_of(binding.var) == data && call->op.fusion <= graph::FusionKind::Broadcast) {
            values.insert(binding.var);
        }
    }
    return out;
}

class Converter final : public graph::Rewriter {
  public:
    Converter(pass::Recorder* recorder, const LayoutRules& rules, const graph::Function& function)
        : Rewriter(recorder), rules_(rules), reader_groups_(groups_of_readers(function)),
          after_depthwise_(after_depthwise(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        const std::optional<Shape> shape = shape_of(binding.var);
        if (!call || !shape) return keep(binding);
        Var done;
        const std::string& name = call->op.name;
        if (name == "conv2d" || name == "layout_conv2d") {
            done = convolution(binding, *call);
        } else if (name == "conv_transpose") {
            done = transposed(binding, *call);
        } else if (name == "layout_transform") {
            return transformed_again(binding, *call);
        } else if (const std::optional<std::string> layout = wanted_layout(binding, *call)) {
            done = carried(binding, *call, *layout);
        }
        if (done) return done;
        const Var var = keep(binding);
        if (one_of(std::array{"layout_conv2d", "layout_conv_transpose", "winograd_conv2d"}, name))
            states_[var] = {call->attrs.text("out_layout"), "", var};
        if (one_of(std::array{"layout_max_pool", "layout_avg_pool", "layout_lrn"}, name))
            states_[var] = {call->attrs.text("layout"), "", var};
        return var;
    }

  private:
    struct State {
        std::string own;    ///< the layout of the variable itself
        std::string native; ///< of the value as computed; empty for the same
        Var native_var;
    };

    // ------------------------------------------------------------------------------ values in layouts

    std::string own_layout(const Var& var) const {
        const auto it = states_.find(var);
        return it == states_.end() ? "NCHW" : it->second.own;
    }
    /// The layout a value was computed in where that is known to differ from its own.
    std::optional<std::string> native_layout(const Var& var) const {
        const auto it = states_.find(var);
        if (it == states_.end() || it->second.native.empty() || it->second.native == it->second.own)
            return std::nullopt;
        return it->second.native;
    }
    Var native_var(const Var& var) const {
        const auto it = states_.find(var);
        return it == states_.end() || it->second.native.empty() ? var : it->second.native_var;
    }

    /// Made once for all who want it: weights are shared.
    Var transform(const Binding& binding, const Var& var, const std::string& from, const std::string& to) {
        if (from == to) return var;
        Var& made = transformed_[{var, from + " " + to}];
        if (made) return made;
        if (const NDArray* constant = constant_of(var))
            made =
                emit(binding, make_ref<const graph::Constant>(transformed(*constant, layout_of(from), layout_of(to))),
                     var->name);
        else
            made = emit(binding, make_call("layout_transform", {var}, {{"from", from}, {"to", to}}), var->name);
        return made;
    }

    /// A value in a layout; made once for all who want it.
    Var in_layout(const Binding& binding, const Var& var, const std::string& layout) {
        if (own_layout(var) == layout) return var;
        const std::string native = native_layout(var).value_or(own_layout(var));
        if (native == layout) return native_var(var);
        const auto [it, fresh] = made_.try_emplace({var, layout});
        if (fresh) it->second = transform(binding, native_var(var), native, layout);
        return it->second;
    }

    bool divides(const Var& var, const std::string& layout) const {
        const std::optional<Shape> shape = shape_of(var);
        const std::string own = own_layout(var);
        return shape && shape->size() == layout_of(own).axes.size() &&
               transformed_shape(*shape, layout_of(own), layout_of(layout)).has_value();
    }

    /// What stands for the binding: `value`, which was computed in `layout`, brought to the layout users know.
    Var finish(const Binding& binding, const Var& value, const std::string& layout, const char* rule) {
        const std::string own = own_;
        if (rules_.laid) rules_.laid(binding.var, layout);
        states_[value] = {layout, "", value};
        if (layout == own) return alias(binding, value, rule);
        const Var var = replace(binding, make_call("layout_transform", {value}, {{"from", layout}, {"to", own}}), rule);
        states_[var] = {own, layout, value};
        return var;
    }

    /// A transform of a value that was computed in another layout starts from there.
    Var transformed_again(const Binding& binding, const CallOp& call) {
        const std::string &from = call.attrs.text("from"), &to = call.attrs.text("to");
        const Var x = call.args[0];
        states_.try_emplace(x, State{from, "", x});
        if (native_layout(x) && own_layout(x) == from && divides(x, to))
            return alias(binding, in_layout(binding, x, to), "transforms that meet");
        const Var var = keep(binding);
        states_[var] = {to, from, x};
        return var;
    }

    // ------------------------------------------------------------------------------ convolutions

    Var convolution(const Binding& binding, const CallOp& call) {
        const bool plain = call.op.name == "conv2d";
        const std::string data = plain ? "NCHW" : call.attrs.text("layout"),
                          out = plain ? "NCHW" : call.attrs.text("out_layout"),
                          weight = plain ? "OIHW" : call.attrs.text("weight_layout");
        Var x = call.args[0];
        const Var& w = call.args[1];
        if (!shape_of(x) || !shape_of(w) || (plain && own_layout(x) != "NCHW") || call.attrs.has("shuffle"))
            return nullptr;
        ConvFacts facts;
        facts.result = binding.var;
        if (!plain)
            facts.laid =
                ConvLayouts{.data = data, .out = out, .weight = weight, .stretch = call.attrs.integer("stretch", 0)};
        facts.channels = layout_of(data).extent('C', *shape_of(x));
        facts.filters = layout_of(weight).extent('O', *shape_of(w));
        facts.groups = call.attrs.integer("groups", 1);
        facts.dtype = graph::as_tensor(x->type)->dtype;
        facts.sum_dtype = graph::as_tensor(binding.var->type)->dtype;
        if (const auto it = reader_groups_.find(binding.var); it != reader_groups_.end())
            facts.reader_group = it->second;
        facts.after_depthwise = after_depthwise_.contains(binding.var);
        const std::optional<ConvLayouts> chosen = choose(binding, facts, x, data);
        if (!chosen || (chosen->data == data && chosen->out == out && chosen->weight == weight)) return nullptr;
        states_.try_emplace(x, State{data, "", x});
        if (!divides(x, chosen->data)) return nullptr;

        const Var input = in_layout(binding, x, chosen->data), filters = transform(binding, w, weight, chosen->weight);
        Attrs::Map attrs = call.attrs.values();
        for (const char* name : {"layout", "out_layout", "rows", "stretch", "weight_layout"}) attrs.erase(name);
        const bool back = chosen->data == "NCHW" && chosen->out == "NCHW" && chosen->weight == "OIHW";
        if (!back) {
            attrs.insert_or_assign("layout", chosen->data);
            attrs.insert_or_assign("out_layout", chosen->out);
            attrs.insert_or_assign("weight_layout", chosen->weight);
            const Shape result = *shape_of(binding.var);
            const std::int64_t places = layout_of(out).extent('H', result) * layout_of(out).extent('W', result);
            if (chosen->in_rows && places >= kFewPlaces)
                attrs.insert_or_assign("rows", chosen->in_tiles ? tile_rows(places, layout_of(out).extent('W', result))
                                                                : product_rows(places, chosen->groups));
            if (chosen->stretch > 0) attrs.insert_or_assign("stretch", chosen->stretch);
            if (chosen->in_turn) attrs.insert_or_assign("shuffle", facts.shuffle);
        }
        own_ = out;
        const Var value =
            emit(binding, make_call(back ? "conv2d" : "layout_conv2d", {input, filters}, Attrs(std::move(attrs))),
                 binding.var->name);
        return finish(binding, value, chosen->out, "a convolution in another layout");
    }

    /// The layouts of a convolution that reads `x` in `data`. Where it takes a shuffled value as it lay before, `x` is
    /// that and `facts` say so.
    std::optional<ConvLayouts> choose(const Binding& binding, ConvFacts& facts, Var& x, const std::string& data) {
        const bool depthwise = facts.groups == facts.channels;
        if (const auto shuffle = shuffle_read(x, [this](const Var& var) { return value_of(var); });
            shuffle && facts.groups > 1 && !depthwise && own_layout(shuffle->of) == data &&
            native_layout(shuffle->of)) {
            ConvFacts before = facts;
            before.native = *native_layout(shuffle->of);
            before.shuffle = shuffle->parts;
            if (std::optional<ConvLayouts> chosen = rules_.choose(before); chosen && chosen->in_turn) {
                facts = before;
                x = shuffle->of;
                if (shuffle->cast) {
                    x = emit(binding, graph::with_operands(shuffle->cast, std::array{native_var(shuffle->of)}));
                    states_[x] = {before.native, "", x};
                }
                return chosen;
            }
        }
        facts.native = native_layout(x).value_or(data);
        return rules_.choose(facts);
    }

    /// A transposed convolution of constant filters, which are sorted by phase here. Null where it is none of one
    /// group, or its channels get no blocks.
    Var transposed(const Binding& binding, const CallOp& call) {
        const Var &x = call.args[0], &w = call.args[1];
        const NDArray* filters = constant_of(w);
        const std::optional<Shape> in = shape_of(x);
        const std::int64_t groups = call.attrs.integer("groups", 1);
        if (!filters || !in || in->size() != 4 || own_layout(x) != "NCHW" || (groups > 1 && groups == (*in)[1]))
            return nullptr;
        const Shape kernel(filters->shape().begin() + 2, filters->shape().end());
        const std::vector<ops::PhaseAxis> axes = ops::phase_axes(call.attrs, kernel, *shape_of(binding.var));
        for (const ops::PhaseAxis& axis : axes)
            if (axis.dilation != 1 || axis.stride > axis.kernel) return nullptr;
        ConvFacts facts;
        facts.result = binding.var;
        facts.channels = (*in)[1];
        facts.filters = filters->shape()[1] * groups;
        facts.groups = groups;
        facts.dtype = facts.sum_dtype = filters->dtype();
        facts.native = native_layout(x).value_or("NCHW");
        const std::optional<ConvLayouts> chosen = rules_.choose(facts);
        const auto fits = [](const std::string& layout) { return layout_of(layout).names() == "NCHW"; };
        if (!chosen || chosen->out == "NCHW" || !fits(chosen->data) || !fits(chosen->out)) return nullptr;
        states_.try_emplace(x, State{"NCHW", "", x});
        if (!divides(x, chosen->data)) return nullptr;

        const Var input = in_layout(binding, x, chosen->data);
        const NDArray sorted = transformed(ops::phase_filters(*filters, groups, axes), layout_of("POIHW"),
                                           layout_of("P" + chosen->weight));
        const Var weight = emit(binding, make_ref<const graph::Constant>(sorted), w->name);
        Attrs::Map attrs = call.attrs.values();
        attrs.erase("dilations");
        attrs.insert_or_assign("kernel", kernel);
        attrs.insert_or_assign("layout", chosen->data);
        attrs.insert_or_assign("out_layout", chosen->out);
        own_ = "NCHW";
        const Var value = emit(binding, make_call("layout_conv_transpose", {input, weight}, Attrs(std::move(attrs))),
                               binding.var->name);
        return finish(binding, value, chosen->out, "a transposed convolution in another layout");
    }

    static constexpr std::int64_t kFewPlaces = 16; ///< our choice: below, the rest of a kernel counts more

    // ------------------------------------------------------------------------------ what is carried along

    /// The layout as planned, else the native one of the first operand that has another one than its own.
    std::optional<std::string> wanted_layout(const Binding& binding, const CallOp& call) const {
        if (rules_.carry)
            if (std::optional<std::string> planned = rules_.carry(binding.var))
                return *planned == "NCHW" ? std::nullopt : planned; // only functions over plain values are planned
        for (const Var& arg : call.args)
            if (arg)
                if (std::optional<std::string> native = native_layout(arg)) return native;
        return std::nullopt;
    }

    Var carried(const Binding& binding, const CallOp& call, const std::string& layout) {
        const std::string& name = call.op.name;
        const bool unary = call.op.fusion == graph::FusionKind::Elementwise && call.args.size() == 1 && name != "trilu";
        own_ = own_layout(call.args[0]);
        if (unary) return again(binding, call, {in_layout(binding, call.args[0], layout)}, call.attrs, layout);
        if (name == "bias_add") return biased(binding, call, layout);
        if (name == "quantize_linear" || name == "dequantize_linear") return rescaled(binding, call, layout);
        if (one_of(kBinary, name)) return broadcast(binding, call, layout);
        if (name == "concat") {
            if (rules_.carry) return joined(binding, call, layout);
            // The first layout of a part that all parts can lie in.
            for (const Var& arg : call.args)
                if (const std::optional<std::string> native = native_layout(arg))
                    if (const Var done = joined(binding, call, *native)) return done;
            return nullptr;
        }
        if (one_of(kReductions, name)) return reduced(binding, call, layout);
        if (one_of(kWindows, name.starts_with(kLaidOut) ? name.substr(kLaidOut.size()) : name))
            return windowed(binding, call, layout);
        return nullptr;
    }

    /// The same operator over values in a layout.
    Var again(const Binding& binding, const CallOp& call, std::vector<Var> args, const Attrs& attrs,
              const std::string& layout) {
        const Var value = emit(binding, make_ref<const CallOp>(call.op, std::move(args), attrs), binding.var->name);
        return finish(binding, value, layout, "carried along in a layout");
    }

    /// How an operand that broadcasts to values lying in `own` broadcasts to the same values in `layout`.
    struct Broadcast {
        Shape shape; ///< at the rank of `own`; empty for one element
        std::string from, to;
    };
    /// nullopt when it cannot. Axes of one element are not split.
    static std::optional<Broadcast> broadcast_in(const Var& var, const std::string& own, const std::string& layout) {
        Layout from = layout_of(own), to = layout_of(layout);
        Shape shape = *shape_of(var);
        if (shape.size() > from.axes.size()) return std::nullopt;
        if (element_count(shape) == 1) return Broadcast{};
        shape.insert(shape.begin(), from.axes.size() - shape.size(), 1);
        for (std::size_t i = 0; i < shape.size(); ++i)
            if (from.axes[i].factor > 0 && shape[i] == 1) from.axes[i].factor = 1;
        for (Layout::Axis& axis : to.axes)
            if (axis.factor > 0 && from.extent(axis.name, shape) == 1) axis.factor = 1;
        if (!transformed_shape(shape, from, to)) return std::nullopt;
        return Broadcast{shape, to_string(from), to_string(to)};
    }
    Var emit_reshape(const Binding& binding, const Var& var, const Shape& shape) {
        if (*shape_of(var) == shape) return var;
        if (const NDArray* constant = constant_of(var))
            return emit(binding, make_ref<const graph::Constant>(constant->reshaped(shape)), var->name);
        return emit(binding, make_call("reshape", {var}, {{"shape", shape}}), var->name);
    }

    Var broadcast(const Binding& binding, const CallOp& call, const std::string& layout) {
        const Shape full = *shape_of(binding.var);
        for (const Var& arg : call.args)
            if (native_layout(arg)) own_ = own_layout(arg);
        if (full.size() != layout_of(own_).axes.size()) return nullptr;
        std::vector<std::optional<Broadcast>> parts; // nullopt for operands as large as the result
        for (const Var& arg : call.args) {
            if (!shape_of(arg)) return nullptr;
            const bool whole = *shape_of(arg) == full && (own_layout(arg) == own_ || !states_.contains(arg));
            if (whole) states_.try_emplace(arg, State{own_, "", arg});
            parts.push_back(whole ? std::nullopt : broadcast_in(arg, own_, layout));
            if (whole ? !divides(arg, layout) : !parts.back()) return nullptr;
        }
        std::vector<Var> args;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!parts[i]) {
                args.push_back(in_layout(binding, call.args[i], layout));
                continue;
            }
            const Var shaped = emit_reshape(binding, call.args[i], parts[i]->shape);
            args.push_back(parts[i]->shape.empty() ? shaped : transform(binding, shaped, parts[i]->from, parts[i]->to));
        }
        return again(binding, call, args, call.attrs, layout);
    }

    Var biased(const Binding& binding, const CallOp& call, const std::string& layout) {
        const std::int64_t attr = call.attrs.integer("axis", 1);
        const Layout own = layout_of(own_);
        const auto axis = static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(own.axes.size()) : attr);
        if (!native_layout(call.args[0]) || axis != own.outer('C') || own.inner('C')) return nullptr;
        const Var data = in_layout(binding, call.args[0], layout);
        const Layout to = layout_of(layout);
        if (!to.inner('C'))
            return again(binding, call, {data, call.args[1]}, Attrs{{"axis", static_cast<std::int64_t>(to.outer('C'))}},
                         layout);
        Shape shape(to.axes.size(), 1);
        shape[to.outer('C')] = shape_of(call.args[1])->front() / to.block('C');
        shape[*to.inner('C')] = to.block('C');
        // Blocks stand next to their elements in a vector, whatever lies between in the tensor.
        const Var vector = emit_reshape(binding, call.args[1], shape);
        const Var value = emit(binding, make_call("add", {data, vector}), binding.var->name);
        return finish(binding, value, layout, "carried along in a layout");
    }

    /// To or from quantized values with one scale for all.
    Var rescaled(const Binding& binding, const CallOp& call, const std::string& layout) {
        const std::optional<Shape> scale = shape_of(call.args[1]);
        if (!native_layout(call.args[0]) || !scale || element_count(*scale) != 1 || call.attrs.integer("block", 0) != 0)
            return nullptr;
        std::vector<Var> args = call.args;
        args[0] = in_layout(binding, args[0], layout);
        return again(binding, call, std::move(args), call.attrs, layout);
    }

    Var joined(const Binding& binding, const CallOp& call, const std::string& layout) {
        const Layout own = layout_of(own_), to = layout_of(layout);
        const std::int64_t attr = call.attrs.integer("axis");
        const auto axis = static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(own.axes.size()) : attr);
        if (own.axes.size() != shape_of(binding.var)->size() || own.axes[axis].factor > 0) return nullptr;
        std::vector<Var> args;
        for (const Var& arg : call.args) {
            if (own_layout(arg) != own_ || !divides(arg, layout)) return nullptr;
            // The parts of a split axis are joined block by block.
            args.push_back(arg);
        }
        for (Var& arg : args) arg = in_layout(binding, arg, layout);
        const auto at = static_cast<std::int64_t>(to.outer(own.axes[axis].name));
        return again(binding, call, args, Attrs{{"axis", at}}, layout);
    }

    Var reduced(const Binding& binding, const CallOp& call, const std::string& layout) {
        const Layout own = layout_of(own_), to = layout_of(layout);
        Ints axes;
        for (std::int64_t axis : call.attrs.ints("axes")) {
            const auto at =
                static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(own.axes.size()) : axis);
            if (own.axes[at].factor > 0 || own.inner(own.axes[at].name) || to.inner(own.axes[at].name)) return nullptr;
            axes.push_back(static_cast<std::int64_t>(to.outer(own.axes[at].name)));
        }
        if (!call.attrs.flag("keepdims", true)) return nullptr;
        std::ranges::sort(axes);
        return again(binding, call, {in_layout(binding, call.args[0], layout)}, call.attrs.with("axes", axes), layout);
    }

    /// A pooling, or a response to neighbouring channels.
    Var windowed(const Binding& binding, const CallOp& call, const std::string& layout) {
        const bool laid_out = call.op.name.starts_with(kLaidOut);
        // A plain one of a packed value is one over the packed axes too.
        if (own_ != (laid_out ? call.attrs.text("layout") : "NCHW")) return nullptr;
        if (layout_of(layout).outer('W') != layout_of(layout).outer('H') + 1 ||
            layout_of(own_).axes.size() != shape_of(call.args[0])->size())
            return nullptr;
        Attrs::Map attrs = call.attrs.values();
        attrs.erase("layout");
        const std::string plain = laid_out ? call.op.name.substr(kLaidOut.size()) : call.op.name;
        if (layout != "NCHW") attrs.insert_or_assign("layout", layout);
        const Var value =
            emit(binding,
                 make_ref<const CallOp>(ops::op(layout == "NCHW" ? plain : std::string(kLaidOut) + plain),
                                        std::vector{in_layout(binding, call.args[0], layout)}, Attrs(std::move(attrs))),
                 binding.var->name);
        return finish(binding, value, layout, "carried along in a layout");
    }

    const LayoutRules& rules_;
    const std::unordered_map<Var, std::int64_t> reader_groups_; ///< by variables of the function as it was
    const std::unordered_set<Var> after_depthwise_;             ///< the same
    std::unordered_map<Var, State> states_;
    std::map<std::pair<Var, std::string>, Var> made_;        ///< by the layout wanted
    std::map<std::pair<Var, std::string>, Var> transformed_; ///< by "FROM TO"
    std::string own_ = "NCHW";                               ///< the layout users of the binding at hand know it in
};

} // namespace

std::optional<CarriedAlong> carried_along(const Binding& binding) {
    const auto* call = graph::as<CallOp>(binding.value);
    const std::optional<Shape> shape = call ? shape_of(binding.var) : std::nullopt;
    if (!shape || shape->size() != 4 || call->args.empty() || !call->args[0]) return std::nullopt;
    const std::string& name = call->op.name;
    const auto axis_of = [&](std::int64_t axis) { return axis < 0 ? axis + 4 : axis; };
    CarriedAlong out{{call->args[0]}, true};
    if (one_of(kBinary, name)) {
        out.operands.clear();
        for (const Var& arg : call->args) {
            const std::optional<Shape> part = arg ? shape_of(arg) : std::nullopt;
            if (!part) return std::nullopt;
            if (part == shape) out.operands.push_back(arg);
            // One number for all channels, or one for each.
            const std::int64_t channels = part->size() >= 3 ? (*part)[part->size() - 3] : 1;
            if (part != shape && channels != 1 && channels != (*shape)[1]) out.split = false;
        }
        return out.operands.empty() ? std::nullopt : std::optional(out);
    }
    if (name == "concat") {
        out.operands = call->args;
        const bool known = std::ranges::all_of(call->args, [](const Var& arg) { return shape_of(arg).has_value(); });
        return known ? std::optional(out) : std::nullopt;
    }
    const std::optional<Shape> data = shape_of(call->args[0]);
    if (!data || data->size() != 4) return std::nullopt;
    if (name == "bias_add") return axis_of(call->attrs.integer("axis", 1)) == 1 ? std::optional(out) : std::nullopt;
    if (name == "quantize_linear" || name == "dequantize_linear") {
        const std::optional<Shape> scale = shape_of(call->args[1]);
        const bool one = scale && element_count(*scale) == 1 && call->attrs.integer("block", 0) == 0;
        return one ? std::optional(out) : std::nullopt;
    }
    if (one_of(kReductions, name)) {
        const Ints axes = call->attrs.ints("axes");
        const bool image = std::ranges::none_of(axes, [&](std::int64_t axis) { return axis_of(axis) == 1; });
        return image && call->attrs.flag("keepdims", true) ? std::optional(out) : std::nullopt;
    }
    const bool unary = call->op.fusion == graph::FusionKind::Elementwise && call->args.size() == 1 && name != "trilu";
    return unary || one_of(kWindows, name) ? std::optional(out) : std::nullopt;
}

graph::Module convert_layouts(const graph::Module& module, const pass::Context& context, const LayoutRules& rules) {
    graph::Module out = module;
    out.main = Converter(context.recorder, rules, module.main).run(module.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context)).value();
}

} // namespace orrery::transform
