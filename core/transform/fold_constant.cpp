#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"

#include <charconv>

namespace orrery::transform {

namespace {

class Folder final : public graph::Rewriter {
  public:
    Folder(const pass::Context& context, std::size_t max_bytes)
        : Rewriter(context.recorder), progress_(context.progress), max_bytes_(max_bytes),
          evaluate_(ops::interpreter_evaluator()) {}

    const std::optional<Diagnostic>& error() const { return error_; }

  protected:
    graph::Var rewrite_binding(const graph::Binding& binding) override {
        if (const auto* project = graph::as<graph::Project>(binding.value))
            if (const graph::Expr tuple = value_of(project->tuple))
                if (const auto* fields = graph::as<graph::Tuple>(tuple))
                    return alias(binding, fields->fields[project->index], "project of a tuple");
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call || call->op.random || error_ || progress_.cancelled()) return keep(binding);
        const auto* type = graph::as_tensor(binding.var->type);
        if (!type || !graph::is_static(*type)) return keep(binding);

        std::vector<NDArray> args;
        std::size_t held = 0;
        for (const graph::Var& arg : call->args) {
            const NDArray* value = arg ? constant_of(arg) : nullptr;
            if (arg && !value) return keep(binding);
            args.push_back(value ? *value : NDArray{});
            held += value ? value->bytes() : 0;
        }
        // What is no larger than what it is made from takes that one's place.
        const auto bytes = static_cast<std::size_t>(graph::byte_size(binding.var->type));
        if (bytes > max_bytes_ && bytes > held) return keep(binding);
        Result<std::vector<NDArray>> folded = evaluate_(*call, args, binding.var->type, progress_);
        if (!folded) {
            error_ = folded.error();
            return keep(binding);
        }
        return replace(binding, make_ref<const graph::Constant>(folded->front()), "fold a call on constants",
                       call->args);
    }

  private:
    const Progress& progress_;
    std::size_t max_bytes_;
    graph::OpEvaluator evaluate_;
    std::optional<Diagnostic> error_;
};

} // namespace

Result<graph::Module> fold_constant(const graph::Module& module, const pass::Context& context) {
    const std::string text = context.option("max_bytes", "268435456");
    std::size_t max_bytes = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), max_bytes);
    if (code != std::errc{} || end != text.data() + text.size())
        return Diagnostic{Code::BadArgument, "max_bytes is a number of bytes, not \"" + text + "\"", {}, {}};
    Folder folder(context, max_bytes);
    graph::Module out = module;
    out.main = folder.run(module.main);
    if (folder.error()) return *folder.error();
    if (context.progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
    return out;
}

} // namespace orrery::transform
