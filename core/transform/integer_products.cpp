// Going over main in order, the pass remembers of each product of integers it made what was done to its sums since:
// numbers added to them, a factor, numbers added after it. What follows in the graph is taken in where it is one of
// these, so that a quantized layer ends as sums + offset, times one factor, rounded.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/quantized_values.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Expr;
using graph::Var;

constexpr std::int64_t kUnsigned = 128; ///< an i8 plus that is the u8 of the same order

template <std::size_t N> bool is_one_of(const std::array<const char*, N>& names, std::string_view name) {
    return std::ranges::any_of(names, [&](const char* each) { return name == each; });
}

bool is_product(const CallOp& call) {
    static constexpr std::array kProducts{"conv1d", "conv2d", "conv3d", "matmul"};
    return is_one_of(kProducts, call.op.name) && !call.attrs.flag("transpose_a") && !call.attrs.has("out_dtype");
}

DType dtype_of_value(const Var& var) { return graph::as_tensor(var->type)->dtype; }

/// The i8 values that products read, of integers or where `real` of dequantized values.
std::unordered_set<Var> signed_factors(const graph::Function& function, bool real) {
    std::unordered_map<Var, const CallOp*> calls;
    std::unordered_set<Var> out;
    for (const Binding& binding : function->bindings) {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call) continue;
        calls[binding.var] = call;
        if (!is_product(*call) || (!real && dtype_of_value(binding.var) == DType::F32)) continue;
        Var at = call->args[0];
        for (const char* name : {"subtract", "cast", "dequantize_linear"})
            if (const auto step = calls.find(at); step != calls.end() && step->second->op.name == name)
                at = step->second->args[0];
        if (const graph::TensorType* type = graph::as_tensor(at->type); type && type->dtype == DType::I8)
            out.insert(at);
    }
    return out;
}

class IntegerRewriter final : public graph::Rewriter {
  public:
    /// `real`: whether products of dequantized values become ones of integers.
    IntegerRewriter(pass::Recorder* recorder, const graph::Function& function, bool real)
        : Rewriter(recorder), known_([this](const Var& var) { return value_of(var); }),
          signed_factors_(signed_factors(function, real)), real_(real), uses_(graph::use_counts(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const Var var = rewritten(binding);
        if (var != binding.var) uses_[var] += uses_[binding.var];
        return var;
    }

  private:
    Var rewritten(const Binding& binding) {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call || !graph::as_tensor(binding.var->type)) return keep(binding);
        const std::string& name = call->op.name;
        Var done;
        if (is_product(*call))
            done = product(binding, *call);
        else if (name == "bias_add" || name == "add")
            done = sum(binding, *call);
        else if (name == "cast")
            done = converted(binding, *call);
        else if (name == "multiply")
            done = scaled(binding, *call);
        else if (name == "quantize_linear")
            done = quantized(binding, *call);
        else if (name == "dequantize_linear")
            done = dequantized(binding, *call);
        return done ? done : keep(binding);
    }

    /// What stands for a value: (sums + offsets) * scales + bias, along an axis of the sums.
    struct Product {
        Var sums; ///< i32
        std::size_t axis = 1;
        std::vector<std::int64_t> offsets;
        std::vector<float> scales; ///< none while it is of integers; one, or one an offset
        std::vector<float> bias;   ///< none, or one an offset
    };

    // ------------------------------------------------------------------------------ products

    Var product(const Binding& binding, const CallOp& call) {
        const bool real = dtype_of_value(binding.var) == DType::F32;
        const std::optional<Shape> shape = shape_of(binding.var), filters = shape_of(call.args[1]);
        if ((real && !real_) || (!real && dtype_of_value(binding.var) != DType::I32) || !shape || !filters)
            return nullptr;
        const bool is_matrix = call.op.name == "matmul";
        if (is_matrix && (filters->size() != 2 || shape->size() < 2)) return nullptr;
        const std::size_t axis = !is_matrix ? 0 : call.attrs.flag("transpose_b") ? 0 : 1;
        const std::optional<QuantizedValue> x = real ? known_.dequantized(call.args[0]) : known_.centred(call.args[0]);
        if (!x) return nullptr;
        const std::optional<QuantizedWeights> w = known_.weights(call.args[1], axis);
        if (!w || (real && !fits_i32(*w))) return nullptr;
        const graph::Ints pads = call.attrs.ints("pads", {});
        const bool inside = std::ranges::all_of(pads, [](std::int64_t pad) { return pad == 0; });
        if (!x->zero && (!inside || dtype_of_value(x->value) == DType::I8)) return nullptr;

        const bool is_signed = dtype_of_value(x->value) == DType::I8;
        const std::int64_t zero = x->zero.value_or(0) + (is_signed ? kUnsigned : 0);
        Attrs attrs = call.attrs.with("out_dtype", DType::I32);
        if (zero != 0 && !inside) attrs = attrs.with("border", zero);
        Var data = is_signed ? unsigned_of(binding, x->value) : x->value;
        NDArray values = w->values;
        if (!is_matrix && call.attrs.integer("groups", 1) == 1) by_fours(binding, data, values);
        const Var weights = emit(binding, make_ref<const graph::Constant>(std::move(values)), call.args[1]->name);
        const std::size_t channels = is_matrix ? shape->size() - 1 : 1;
        Product out{
            emit(binding, make_ref<const CallOp>(call.op, std::vector{data, weights}, attrs), binding.var->name),
            channels,
            {},
            {},
            {}};
        for (const std::int64_t all : w->sums) out.offsets.push_back(-zero * all);
        if (!x->zero) return with_late_zero(binding, out, *x, w->sums);
        if (real)
            for (const float scale : w->scales) out.scales.push_back(x->scale * scale);
        return finish(binding, out, "a product of integers", call.args);
    }
    /// Channels of zeros beside few that do not come by fours, where machines take four at a time.
    void by_fours(const Binding& binding, Var& data, NDArray& weights) {
        constexpr std::int64_t kPart = 4, kFew = 16; // our choice: of more, those left over are few
        const Shape from = weights.shape();
        const std::int64_t channels = from[1], whole = (channels + kPart - 1) / kPart * kPart;
        if (!real_ || whole == channels || channels < kPart - 1 || channels > kFew || !shape_of(data)) return;
        graph::Ints before(from.size(), 0), after(from.size(), 0);
        after[1] = whole - channels;
        data = emit(binding, make_call("pad", {data, nullptr}, {{"before", before}, {"after", after}}), data->name);
        Shape to = from;
        to[1] = whole;
        NDArray wide = NDArray::zeros(DType::I8, to);
        const auto in = weights.values<std::int8_t>();
        const auto out = wide.mutable_values<std::int8_t>();
        const auto own = static_cast<std::size_t>(element_count(from) / from[0]),
                   all = static_cast<std::size_t>(element_count(to) / to[0]);
        for (std::size_t filter = 0; own > 0 && filter * own < in.size(); ++filter)
            std::ranges::copy(in.subspan(filter * own, own), out.begin() + static_cast<std::ptrdiff_t>(filter * all));
        weights = std::move(wide);
    }
    static bool fits_i32(const QuantizedWeights& weights) {
        constexpr std::int64_t kMostFactor = 255;
        return std::ranges::all_of(weights.sizes,
                                   [](std::int64_t size) { return 2 * size * kMostFactor <= INT32_MAX; });
    }
    /// sums - zero * sums of weights, of a zero point that is known when the model runs.
    Var with_late_zero(const Binding& binding, const Product& product, const QuantizedValue& x,
                       const std::vector<std::int64_t>& sums) {
        const Var factor = vector(binding, product, sums);
        const Var offset = emit(binding, make_call("multiply", {x.zero_var, factor}));
        return replace(binding, make_call("subtract", {product.sums, offset}), "a product of integers");
    }

    /// The u8 of the same order as an i8.
    Var unsigned_of(const Binding& binding, const Var& value) {
        Var& twin = twins_[value];
        if (twin) return twin;
        const Var wide = emit(binding, make_call("cast", {value}, {{"dtype", DType::I32}}));
        const Var moved = emit(binding, make_call("add", {wide, number(binding, DType::I32, kUnsigned)}));
        return twin = emit(binding, make_call("cast", {moved}, {{"dtype", DType::U8}}), value->name);
    }

    // ------------------------------------------------------------------------------ values made of sums

    Var constant(const Binding& binding, NDArray value) {
        return emit(binding, make_ref<const graph::Constant>(std::move(value)));
    }
    Var number(const Binding& binding, DType dtype, double value) {
        NDArray array = NDArray::allocate(dtype, {});
        array.set(0, value);
        return constant(binding, std::move(array));
    }
    /// One number, or one an element of the product's axis, to broadcast.
    template <class T> Var vector(const Binding& binding, const Product& product, const std::vector<T>& values) {
        Shape shape;
        if (values.size() > 1) {
            shape.assign(shape_of(product.sums)->size() - product.axis, 1);
            shape[0] = static_cast<std::int64_t>(values.size());
        }
        NDArray array = NDArray::allocate(std::is_same_v<T, float> ? DType::F32 : DType::I32, shape);
        for (std::size_t i = 0; i < values.size(); ++i) {
            if constexpr (std::is_same_v<T, float>)
                array.mutable_values<float>()[i] = values[i];
            else
                array.mutable_values<std::int32_t>()[i] = static_cast<std::int32_t>(values[i]); // modulo 2^32, as sums
        }
        return constant(binding, std::move(array));
    }
    template <class T> Expr biased(const Binding& binding, const Product& product, const Var& x, std::vector<T> bias) {
        const auto count = static_cast<std::size_t>((*shape_of(product.sums))[product.axis]);
        if (bias.size() == 1) bias.resize(count, bias[0]);
        const Var placed = vector(binding, product, bias), flat = flattened(binding, placed, count);
        return make_call("bias_add", {x, flat}, {{"axis", static_cast<std::int64_t>(product.axis)}});
    }
    Var flattened(const Binding& binding, const Var& placed, std::size_t count) {
        const Shape flat{static_cast<std::int64_t>(count)};
        return *shape_of(placed) == flat ? placed : constant(binding, constant_of(placed)->reshaped(flat));
    }

    /// The steps from sums to the product's value: each is bound before the next is made. The last one, or null where
    /// the sums are the value; `at` is what it is made of.
    Expr steps(const Binding& binding, const Product& product, Var& at) {
        Expr last;
        at = product.sums;
        const auto then = [&](const auto& make) {
            if (last) at = emit(binding, last, binding.var->name);
            last = make(at);
        };
        if (std::ranges::any_of(product.offsets, [](std::int64_t offset) { return offset != 0; }))
            then([&](const Var& x) { return biased(binding, product, x, product.offsets); });
        if (product.scales.empty()) return last;
        then([](const Var& x) { return make_call("cast", {x}, {{"dtype", DType::F32}}); });
        if (std::ranges::any_of(product.scales, [](float scale) { return scale != 1; }))
            then([&](const Var& x) { return make_call("multiply", {x, vector(binding, product, product.scales)}); });
        if (!product.bias.empty()) then([&](const Var& x) { return biased(binding, product, x, product.bias); });
        return last;
    }
    Var value_of_product(const Binding& binding, const Product& product) {
        Var at;
        const Expr last = steps(binding, product, at);
        return last ? emit(binding, last, binding.var->name) : at;
    }
    /// What stands for the binding: the product's value.
    Var finish(const Binding& binding, const Product& product, const char* rule, std::span<const Var> consumed) {
        Var at;
        const Expr last = steps(binding, product, at);
        const Var var = last ? replace(binding, last, rule, consumed) : alias(binding, at, rule);
        products_[var] = product;
        return var;
    }
    const Product* product_at(const Var& var) const {
        const auto found = products_.find(var);
        return found == products_.end() ? nullptr : &found->second;
    }

    // ------------------------------------------------------------------------------ what follows products

    /// One element an element of the product's axis, or one for all.
    template <class T> std::optional<std::vector<T>> added(const CallOp& call, const Product& product, const Var& var) {
        const Shape shape = *shape_of(product.sums);
        const NDArray* array = known_.find(var);
        if (!array) return std::nullopt;
        std::size_t axis = product.axis;
        Shape placed = array->shape();
        if (call.op.name == "bias_add") {
            const std::int64_t given = call.attrs.integer("axis", 1);
            axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(shape.size()) : given);
            placed.resize(shape.size() - axis, 1);
        }
        if (axis != product.axis || placed.size() > shape.size()) return std::nullopt;
        const std::size_t ahead = shape.size() - placed.size();
        for (std::size_t d = 0; d < placed.size(); ++d)
            if (placed[d] != 1 && d + ahead != axis) return std::nullopt;
        std::vector<T> out;
        for (std::int64_t i = 0; i < array->size(); ++i) out.push_back(static_cast<T>(array->as_double(i)));
        return out;
    }
    template <class T> static void add_to(std::vector<T>& to, const std::vector<T>& more) {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] += more[more.size() > 1 ? i : 0];
    }

    Var sum(const Binding& binding, const CallOp& call) {
        for (const std::size_t side : {0, 1}) {
            const Product* found = product_at(call.args[side]);
            if (!found || (side == 1 && call.op.name == "bias_add")) continue;
            Product out = *found;
            const Var& other = call.args[1 - side];
            if (out.scales.empty()) {
                const auto more = added<std::int64_t>(call, out, other);
                if (!more) continue;
                add_to(out.offsets, *more);
                return finish(binding, out, "added to sums of integers", call.args);
            }
            if (const auto whole = in_steps_of(call, out, other)) {
                add_to(out.offsets, *whole);
                return finish(binding, out, "added to sums of integers", call.args);
            }
            const auto more = added<float>(call, out, other);
            if (!more || !out.bias.empty()) continue;
            out.bias.assign(out.offsets.size(), 0);
            add_to(out.bias, *more);
            return finish(binding, out, "added to a product of integers", call.args);
        }
        return nullptr;
    }
    /// The integers that a bias was dequantized from, where its steps are those of the sums.
    std::optional<std::vector<std::int64_t>> in_steps_of(const CallOp& call, const Product& product, const Var& bias) {
        constexpr float kSame = 1e-5F; // our choice: products of scales are rounded
        const CallOp* from = known_.call_of(bias, "dequantize_linear");
        if (!from || dtype_of_value(from->args[0]) != DType::I32 || !product.bias.empty()) return std::nullopt;
        if (from->args.size() > 2 && from->args[2]) {
            const NDArray* zero = known_.find(from->args[2]);
            if (!zero || !all_equal(*zero, 0)) return std::nullopt;
        }
        const NDArray* scale = known_.find(from->args[1]);
        if (!scale) return std::nullopt;
        const std::size_t count = std::max<std::size_t>(static_cast<std::size_t>(scale->size()), product.scales.size());
        for (std::size_t i = 0; i < count; ++i) {
            const float own = product.scales[product.scales.size() > 1 ? i : 0];
            const auto other =
                static_cast<float>(scale->as_double(scale->size() > 1 ? static_cast<std::int64_t>(i) : 0));
            if (std::abs(own - other) > kSame * std::abs(own)) return std::nullopt;
        }
        return added<std::int64_t>(call, product, from->args[0]);
    }

    Var converted(const Binding& binding, const CallOp& call) {
        const Product* found = product_at(call.args[0]);
        if (!found || !found->scales.empty() || dtype_of_value(binding.var) != DType::F32) return nullptr;
        Product out = *found;
        out.scales = {1};
        return finish(binding, out, "sums of integers as real numbers", call.args);
    }

    Var scaled(const Binding& binding, const CallOp& call) {
        for (const std::size_t side : {0, 1}) {
            const Product* found = product_at(call.args[side]);
            if (!found || found->scales.empty() || !found->bias.empty()) continue;
            const auto factors = added<float>(call, *found, call.args[1 - side]);
            if (!factors) continue;
            Product out = *found;
            if (out.scales.size() == 1) out.scales.resize(factors->size(), out.scales[0]);
            for (std::size_t i = 0; i < out.scales.size(); ++i)
                out.scales[i] *= (*factors)[factors->size() > 1 ? i : 0];
            return finish(binding, out, "one factor for sums of integers", call.args);
        }
        return nullptr;
    }

    // ------------------------------------------------------------------------------ quantized values

    /// A scale and a zero point of all of a tensor.
    struct Steps {
        float scale = 1;
        std::int64_t zero = 0;
        friend bool operator==(const Steps&, const Steps&) = default;
    };
    std::optional<Steps> steps_of(const CallOp& call) {
        const bool has_zero = call.args.size() > 2 && call.args[2];
        const std::optional<double> scale = known_.number(call.args[1]),
                                    zero = has_zero ? known_.number(call.args[2]) : 0;
        if (!scale || !zero || dtype_of_value(call.args[1]) != DType::F32) return std::nullopt;
        return Steps{static_cast<float>(*scale), static_cast<std::int64_t>(*zero)};
    }

    Var quantized(const Binding& binding, const CallOp& call) {
        const DType dtype = dtype_of_value(binding.var);
        const std::optional<Steps> to = steps_of(call);
        if (!is_byte(dtype) || !to) return nullptr;
        if (const Var moved = moved_only(binding, call, *to)) return moved;
        Var value = call.args[0];
        Steps left = *to;
        if (const Var steps = counted(binding, value, *to, dtype)) {
            value = steps;
            left.scale = 1;
        }
        const bool is_factor = dtype == DType::I8 && signed_factors_.contains(binding.var);
        if (!is_factor && value == call.args[0]) return nullptr;
        const DType stored = is_factor ? DType::U8 : dtype;
        const std::int64_t zero = to->zero + (is_factor ? kUnsigned : 0);
        const Expr stored_value = make_call(
            "quantize_linear",
            {value, number(binding, DType::F32, left.scale), number(binding, stored, static_cast<double>(zero))},
            Attrs{{"dtype", stored}});
        if (!is_factor) return replace(binding, stored_value, "requantized in one step", call.args);
        return signed_from(binding, emit(binding, stored_value, binding.var->name));
    }
    /// What products and dequantized values, or sums of them used nowhere else, are in units of a scale: that is taken
    /// into theirs. Null for other values.
    Var in_steps(const Binding& binding, const Var& value, float scale) {
        if (const Product* found = product_at(value); found && !found->scales.empty()) {
            Product out = *found;
            for (float& factor : out.scales) factor /= scale;
            for (float& bias : out.bias) bias /= scale;
            return value_of_product(binding, out);
        }
        if (!real_) return nullptr;
        if (const CallOp* call = known_.call_of(value, "dequantize_linear")) {
            const std::optional<QuantizedValue> from = known_.dequantized(value);
            if (!from) return nullptr;
            std::vector<Var> args = call->args;
            args[1] = number(binding, DType::F32, from->scale / scale);
            return emit(binding, make_ref<const CallOp>(call->op, std::move(args), call->attrs), value->name);
        }
        const CallOp* call = known_.call_of(value, "add");
        if (!call || uses_[value] > 1) return nullptr;
        const std::size_t before = builder().bindings().size();
        const Var a = in_steps(binding, call->args[0], scale), b = a ? in_steps(binding, call->args[1], scale) : Var();
        if (!b) return builder().roll_back(before), nullptr;
        return emit(binding, make_call("add", {a, b}), value->name);
    }
    /// Such a value, held where relu or clip held it unless the bytes do.
    Var counted(const Binding& binding, const Var& value, const Steps& to, DType bytes) {
        const CallOp* relu = known_.call_of(value, "relu");
        const CallOp* clip = known_.call_of(value, "clip");
        const Var held = relu ? relu->args[0] : clip ? clip->args[0] : value;
        if (to.scale == 1 || (held != value && uses_[value] > 1)) return nullptr;
        const Var steps = in_steps(binding, held, to.scale);
        if (!steps) return nullptr;
        constexpr double kNone = std::numeric_limits<double>::infinity();
        const double low = relu   ? 0
                           : clip ? clip->attrs.number("min", -kNone)
                                  : -kNone,
                     high = clip ? clip->attrs.number("max", kNone) : kNone;
        const double least = bytes == DType::I8 ? INT8_MIN : 0, greatest = bytes == DType::I8 ? INT8_MAX : UINT8_MAX,
                     zero = static_cast<double>(to.zero);
        if (std::nearbyint(low / to.scale) + zero <= least && std::nearbyint(high / to.scale) + zero >= greatest)
            return steps;
        if (relu) return emit(binding, make_call("relu", {steps}));
        graph::Attrs::Map limits;
        if (low != -kNone) limits.insert({"min", low / to.scale});
        if (high != kNone) limits.insert({"max", high / to.scale});
        return emit(binding, make_call("clip", {steps}, graph::Attrs(std::move(limits))));
    }
    /// The i8 of the same order as a u8, which stands for it where products read it.
    Var signed_from(const Binding& binding, const Var& twin) {
        const Var wide = emit(binding, make_call("cast", {twin}, {{"dtype", DType::I32}}));
        const Var moved = emit(binding, make_call("subtract", {wide, number(binding, DType::I32, kUnsigned)}));
        const Var var = replace(binding, make_call("cast", {moved}, {{"dtype", DType::I8}}), "kept as unsigned bytes");
        twins_[var] = twin;
        return var;
    }
    /// Dequantized, moved and quantized again in the same steps: what moves elements moves the bytes.
    Var moved_only(const Binding& binding, const CallOp& call, const Steps& to) {
        static constexpr std::array kMoving{"max_pool", "reshape", "transpose", "slice"};
        const Expr value = value_of(call.args[0]);
        const auto* mover = value ? graph::as<CallOp>(value) : nullptr;
        if (!mover || !is_one_of(kMoving, mover->op.name)) return nullptr;
        const CallOp* from = known_.call_of(mover->args[0], "dequantize_linear");
        if (!from || dtype_of_value(mover->args[0]) != DType::F32) return nullptr;
        std::vector<Var> args = mover->args;
        args[0] = from->args[0];
        const DType bytes = dtype_of_value(args[0]), wanted = dtype_of_value(binding.var);
        const bool from_twin = bytes == DType::U8 && wanted == DType::I8;
        if ((bytes != wanted && !from_twin) ||
            steps_of(*from) != Steps{to.scale, to.zero + (from_twin ? kUnsigned : 0)})
            return nullptr;
        const Expr moved = make_ref<const CallOp>(mover->op, std::move(args), mover->attrs);
        if (from_twin) return signed_from(binding, emit(binding, moved, binding.var->name));
        return replace(binding, moved, "bytes moved as they are", std::vector{call.args[0], mover->args[0]});
    }
    /// From the unsigned bytes that are kept.
    Var dequantized(const Binding& binding, const CallOp& call) {
        const auto twin = twins_.find(call.args[0]);
        const std::optional<Steps> steps = twin == twins_.end() ? std::nullopt : steps_of(call);
        if (!steps) return nullptr;
        const Var zero = number(binding, DType::U8, static_cast<double>(steps->zero + kUnsigned));
        return replace(binding, make_call("dequantize_linear", {twin->second, call.args[1], zero}),
                       "read from unsigned bytes");
    }

    KnownValues known_;
    const std::unordered_set<Var> signed_factors_; ///< of the function as it was
    bool real_;
    std::unordered_map<Var, int> uses_;
    std::unordered_map<Var, Product> products_;
    std::unordered_map<Var, Var> twins_; ///< i8 values to the u8 of the same order
};

} // namespace

Result<graph::Module> integer_products(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const ByteProducts units, byte_products_option(context));
    graph::Module out = module;
    out.main = IntegerRewriter(context.recorder, module.main, units != ByteProducts::None).run(module.main);
    return out.main == module.main ? Result<graph::Module>(module) : dead_code(out, quiet(context));
}

} // namespace orrery::transform
