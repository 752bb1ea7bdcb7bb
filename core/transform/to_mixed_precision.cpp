// Every f32 variable may have a twin of the narrow type. Operators of the allow list are computed from twins, made by
// casts where there are none; those of the follow list where an operand has one already; all others from f32. The f32
// variable of a value computed narrow is a cast of its twin, dropped at the end where nobody needs it.

#include "core/base/narrow.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/mixed_precision.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::CallOp;
using graph::Var;

class Narrower final : public graph::Rewriter {
  public:
    enum class Products : std::uint8_t { All, Weights, Tiles };
    Narrower(const pass::Context& context, DType narrow, Products products)
        : Rewriter(context.recorder), narrow_(narrow), products_(products),
          allowed_(set_of(context, "allow", kNarrowAllowed)),
          following_(set_of(context, "follow", products == Products::All ? kNarrowFollowing : kNarrowMovers)) {
        for (const std::string& name : words_option(context, "deny", "")) {
            allowed_.erase(name);
            following_.erase(name);
        }
    }

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call || !is_f32(binding.var)) return keep(binding);
        if (const Var twin = cast_from_twin(*call)) {
            const Var var = keep(binding);
            twins_.emplace(var, twin);
            return var;
        }
        const bool allowed = allowed_.contains(call->op.name) && is_wanted(*call);
        if (!allowed && !(following_.contains(call->op.name) && any_twin(*call))) return wide(binding, *call);
        if (allowed && products_ != Products::All) return wide_product(binding, *call);
        const std::optional<graph::Type> type = narrow_type(*call);
        if (!type) return wide(binding, *call);
        std::vector<Var> args;
        for (const Var& arg : call->args) args.push_back(arg && is_f32(arg) ? twin_of(binding, arg) : arg);
        const Var value = emit(binding, make_ref<const CallOp>(call->op, args, call->attrs), binding.var->name);
        const Var var = replace(binding, make_call("cast", {value}, {{"dtype", DType::F32}}),
                                allowed ? "computed in a narrow type" : "follows a narrow operand");
        twins_.emplace(var, value);
        return var;
    }

  private:
    using Names = std::unordered_set<std::string>;
    static Names set_of(const pass::Context& context, const char* option, const char* fallback) {
        const std::vector<std::string> words = words_option(context, option, fallback);
        return {words.begin(), words.end()};
    }
    static bool is_f32(const Var& var) {
        const graph::TensorType* type = graph::as_tensor(var->type);
        return type && type->dtype == DType::F32;
    }

    /// Narrow factors, sums as they are made.
    Var wide_product(const Binding& binding, const CallOp& call) {
        std::vector<Var> args;
        for (const Var& arg : call.args) args.push_back(arg && is_f32(arg) ? twin_of(binding, arg) : arg);
        if (args == call.args) return keep(binding);
        return replace(binding,
                       make_ref<const CallOp>(call.op, std::move(args), call.attrs.with("out_dtype", DType::F32)),
                       "computed from narrow factors");
    }

    /// Computed in f32, from what is kept narrow where a product before needed it so: one of both is stored.
    Var wide(const Binding& binding, const CallOp& call) {
        std::vector<Var> args = call.args;
        for (Var& arg : args)
            if (const auto kept = kept_narrow_.find(arg); kept != kept_narrow_.end()) arg = kept->second;
        read_wide_.insert(args.begin(), args.end());
        if (args == call.args) return keep(binding);
        return replace(binding, make_ref<const CallOp>(call.op, std::move(args), call.attrs),
                       "reads what is kept in a narrow type");
    }

    /// The operand of a cast from the narrow type to f32: what an earlier run of this pass left.
    Var cast_from_twin(const CallOp& call) const {
        if (call.op.name != "cast") return nullptr;
        const graph::TensorType* type = graph::as_tensor(call.args[0]->type);
        return type && type->dtype == narrow_ ? call.args[0] : Var();
    }
    bool any_twin(const CallOp& call) const {
        return std::ranges::any_of(call.args, [&](const Var& arg) { return arg && twins_.contains(arg); });
    }

    Var twin_of(const Binding& binding, const Var& var) {
        const auto [it, fresh] = twins_.try_emplace(var);
        if (!fresh) return it->second;
        Var twin;
        if (const NDArray* constant = constant_of(var)) {
            NDArray rounded = NDArray::allocate(narrow_, constant->shape());
            round_to_narrow(narrow_, constant->values<float>(), rounded.mutable_values<std::uint16_t>());
            twin = emit(binding, make_ref<const graph::Constant>(std::move(rounded)), var->name);
        } else {
            twin = emit(binding, narrowed(binding, var), var->name);
            if (products_ != Products::All) {
                // Here, before the kernel that will want it: then it is fused with that.
                const Var back = emit(binding, make_call("cast", {twin}, {{"dtype", DType::F32}}), var->name);
                kept_narrow_.emplace(var, back);
                twins_.emplace(back, twin);
            }
        }
        return twins_[var] = twin;
    }

    /// A cast. What a concatenation joins is rounded part by part, each in the kernel that makes it, unless the f32
    /// result has been read: one of both is stored.
    graph::Expr narrowed(const Binding& binding, const Var& var) {
        const auto* join = graph::as<CallOp>(value_of(var));
        const bool parts = join && join->op.name == "concat" && products_ != Products::All && !read_wide_.contains(var);
        if (!parts) return make_call("cast", {var}, {{"dtype", narrow_}});
        std::vector<Var> args = join->args;
        for (Var& arg : args)
            if (arg) arg = twin_of(binding, arg);
        return make_ref<const CallOp>(join->op, std::move(args), join->attrs);
    }

    bool is_wanted(const CallOp& call) const {
        if (products_ == Products::All) return true;
        if (products_ == Products::Tiles) return fills_tiles(call);
        return (call.op.name == "conv2d" || call.op.name == "matmul") && constant_of(call.args[1]);
    }

    /// Whether sums and columns of a product fill tiles.
    bool fills_tiles(const CallOp& call) const {
        constexpr std::int64_t kTile = 32, kLeastRows = 16,
                               kLeastRowsPacked = 64; // our choice of rows: fewer are bound by memory
        if (call.args.size() != 2) return false;
        const std::optional<Shape> left = shape_of(call.args[0]), right = shape_of(call.args[1]);
        if (!left || !right) return false;
        const bool weights = constant_of(call.args[1]) != nullptr;
        if (call.op.name == "conv2d")
            return weights && call.attrs.integer("groups", 1) == 1 && (*right)[0] % kTile == 0 &&
                   (*right)[1] % kTile == 0;
        if (call.op.name != "matmul" || left->size() < 2 || right->size() < 2 || call.attrs.flag("transpose_a") ||
            call.attrs.flag("transpose_b"))
            return false;
        // Matrices of a batch, which are packed when the product runs, are used by the rows of one matrix only.
        const auto first = right->size() == 2 ? left->begin() : left->end() - 2;
        const std::int64_t rows = std::accumulate(first, left->end() - 1, std::int64_t{1}, std::multiplies<>());
        return *(right->end() - 2) % kTile == 0 && right->back() % kTile == 0 &&
               rows >= (weights ? kLeastRows : kLeastRowsPacked);
    }

    /// The type of the call over twins; nullopt when the operator does not take them, or gives another type.
    std::optional<graph::Type> narrow_type(const CallOp& call) const {
        std::vector<graph::Type> types;
        for (const Var& arg : call.args) {
            const graph::TensorType* type = arg ? graph::as_tensor(arg->type) : nullptr;
            types.push_back(type && type->dtype == DType::F32 ? graph::tensor_type(narrow_, type->dims)
                            : arg                             ? arg->type
                                                              : graph::Type());
        }
        const Result<graph::Type> result = graph::infer_call(call.op, types, call.attrs);
        const graph::TensorType* type = result ? graph::as_tensor(*result) : nullptr;
        return type && type->dtype == narrow_ ? std::optional(*result) : std::nullopt;
    }

    DType narrow_;
    Products products_;
    Names allowed_, following_;
    std::unordered_map<Var, Var> twins_;
    std::unordered_map<Var, Var> kept_narrow_; ///< f32 variables whose twin was made of them, to a cast of that
    std::unordered_set<Var> read_wide_;
};

} // namespace

Result<graph::Module> to_mixed_precision(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const std::string dtype, choice_option(context, "dtype", {"f16", "bf16"}));
    for (const char* list : {"allow", "follow", "deny"})
        for (const std::string& name : words_option(context, list, ""))
            if (!ops::registry().find(name))
                return Diagnostic{Code::UnknownName,
                                  std::string(list) + " names no operator: \"" + name + "\"",
                                  {},
                                  "see `orrery ops`"};
    graph::Module out = module;
    ORRERY_TRY(const std::string products, choice_option(context, "products", {"all", "weights", "tiles"}));
    const auto kind = products == "tiles"     ? Narrower::Products::Tiles
                      : products == "weights" ? Narrower::Products::Weights
                                              : Narrower::Products::All;
    out.main = Narrower(context, *parse_dtype(dtype), kind).run(module.main);
    return out.main == module.main ? Result<graph::Module>(module) : dead_code(out, quiet(context));
}

} // namespace orrery::transform
