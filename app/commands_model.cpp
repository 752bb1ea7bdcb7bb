// new, show, compile, conformance, ops.

#include "app/cli.hpp"
#include "app/conformance.hpp"
#include "app/named_function.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/runtime/module_file.hpp"
#include "core/session/dynamic_model.hpp"
#include "core/session/export_code.hpp"
#include "core/session/layout_choices.hpp"
#include "core/tensor/expression_text.hpp"
#include "views/model/gallery.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;

void print_text(const std::string& text, bool json) {
    if (json)
        std::printf("%s\n", Json{{"text", text}}.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    else
        std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string listing_text(const Listing& listing) {
    std::string text;
    for (const ListingLine& line : listing.lines) text += line.text + "\n";
    return text;
}

Result<std::string> show(const ShowArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_TRY(const session::Steps steps, compiler->graph_steps(recipe, {}));
    if (steps.back()->error) return *steps.back()->error;
    if (a.at == "graph") {
        ORRERY_TRY(const std::size_t step, find_step(steps, a.after));
        return graph::to_string(steps[step]->module);
    }
    if (a.at == "layouts") {
        ORRERY_TRY(const transform::LayoutReport report, session::layout_report(recipe, steps));
        return session::to_text(report);
    }
    if (!a.after.empty()) return Diagnostic{Code::BadArgument, "--after goes with --at graph", {}, {}};
    ORRERY_TRY(const session::Compiler::Functions functions, compiler->functions(recipe, steps.back()->module, {}));
    if (!a.function.empty()) ORRERY_CHECK_OK(named_function(functions.functions, a.function));
    std::string text;
    for (const session::FunctionPtr& function : functions.functions) {
        if (!a.function.empty() && function->lowered.name != a.function) continue;
        if (function->error) return *function->error;
        if (!text.empty()) text += "\n";
        if (a.at == "tensor") {
            text += function->printed.text();
            continue;
        }
        if (a.at == "expressions") {
            // What is more than elements and sums stays a tensor program; a scratchpad reads both.
            const std::string expressions = tensor::to_expressions(function->lowered.program);
            text += expressions.empty() ? tensor::to_string(function->lowered.program) : expressions;
            continue;
        }
        ORRERY_TRY(const auto code, compiler->code(recipe, function));
        text += listing_text(a.at == "llvm" ? code->optimized_ir : code->assembly);
    }
    return text;
}

/// The shared library that the C interface (core/runtime/orrery.h) loads.
Result<void> write_shared_module(const session::CompiledModel& model, const Target& target, const std::string& path) {
    std::vector<runtime::Bytes> constants;
    for (const NDArray& constant : model.model.constants)
        constants.emplace_back(static_cast<const std::byte*>(constant.data()), constant.bytes());
    const std::vector<std::byte> blob = runtime::write_module(model.executable->plan, constants);
    return link_module(model.objects, blob, target, path);
}

Result<void> compile(const CompileArguments& a) {
    const std::string ending = std::filesystem::path(a.output).extension().string();
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    if (ending == ".so") {
        ORRERY_TRY(const auto model, compiler->compile(recipe, {}));
        if (model->dynamic) { // its kernels are made while it runs, and a module holds no compiler
            Diagnostic refusal = session::why_dynamic(model->dynamic->imported());
            refusal.message = "a module is one static plan: " + refusal.message;
            refusal.severity = Severity::Error;
            return refusal;
        }
        ORRERY_CHECK_OK(session::check_writable(model->model));
        return write_shared_module(*model, recipe.target, a.output);
    }
    const Result<EmitKind> kind = session::emit_kind_of(a.output);
    if (!kind)
        return Diagnostic{
            Code::BadArgument, "\"" + a.output + "\" does not say what to write", {}, "end it in .o, .s, .ll or .so"};
    ORRERY_TRY(const session::Steps steps, compiler->graph_steps(recipe, {}));
    if (steps.back()->error) return *steps.back()->error;
    ORRERY_TRY(const std::string content, session::export_code(*compiler, recipe, steps.back()->module, *kind));
    return write_file(a.output, content);
}

Json op_json(const graph::Op& op) {
    Json operands = Json::array(), attrs = Json::array();
    for (const graph::OperandSpec& operand : op.operands)
        operands.push_back({{"name", operand.name},
                            {"doc", operand.doc},
                            {"optional", operand.optional},
                            {"variadic", operand.variadic}});
    for (const graph::AttrSpec& attr : op.attrs)
        attrs.push_back({{"name", attr.name}, {"doc", attr.doc}, {"required", attr.required}});
    return {{"name", op.name},      {"doc", op.doc},       {"fusion", graph::to_string(op.fusion)},
            {"operands", operands}, {"attributes", attrs}, {"onnx", op.onnx_names}};
}

void print_op(const graph::Op& op) {
    std::printf("%s (%s)\n  %s\n", op.name.c_str(), std::string(graph::to_string(op.fusion)).c_str(), op.doc.c_str());
    for (const graph::OperandSpec& operand : op.operands)
        std::printf("  operand %s%s%s: %s\n", operand.name.c_str(), operand.optional ? " (optional)" : "",
                    operand.variadic ? " (any number)" : "", operand.doc.c_str());
    for (const graph::AttrSpec& attr : op.attrs)
        std::printf("  attribute %s%s: %s\n", attr.name.c_str(), attr.required ? "" : " (optional)", attr.doc.c_str());
    std::string names;
    for (const std::string& name : op.onnx_names) names += " " + name;
    if (!names.empty()) std::printf("  ONNX:%s\n", names.c_str());
}

/// The recipe that conformance cases run under: everything on, nothing kept on disk.
ModuleRunner compiled_runner() {
    struct Bench {
        std::shared_ptr<session::Compiler> compiler = make_compiler([] {
            ModelArguments arguments;
            arguments.no_cache = true;
            return arguments;
        }());
        session::Recipe recipe = compiler->new_recipe({});
    };
    // Made in the worker that uses it: threads do not survive a fork.
    return [bench = std::shared_ptr<Bench>()](const graph::Module& module,
                                              std::span<const NDArray> inputs) mutable -> Result<std::vector<NDArray>> {
        if (!bench) bench = std::make_shared<Bench>();
        ORRERY_TRY(const auto model, bench->compiler->compile_module(bench->recipe, module, {}));
        ORRERY_TRY(session::RunResult result, session::run(*model, inputs, 1, {}));
        return std::move(result.outputs);
    };
}

ModuleRunner interpreting_runner() {
    return [](const graph::Module& module, std::span<const NDArray> inputs) {
        return graph::evaluate(module.main, inputs, onnx::evaluator(), {});
    };
}

} // namespace

int command_conformance(const ConformanceArguments& a) {
    const Result<ConformanceReport> report =
        run_conformance(a.folder, a.interpreter ? interpreting_runner() : compiled_runner());
    if (!report) return fail(report.error(), a.json);
    std::printf("%s\n", (a.json ? to_json(*report) : to_text(*report)).c_str());
    return report->failed == 0 ? kDone : kUserError;
}

int command_new(const NewArguments& a) {
    const Result<std::string> bytes = onnx::build_network(a.name, a.seed);
    if (!bytes) return fail(bytes.error(), a.json);
    if (const Result<void> written = write_file(a.output, *bytes); !written) return fail(written.error(), a.json);
    if (a.json)
        std::printf("%s\n", Json{{"name", a.name}, {"file", a.output}, {"bytes", bytes->size()}}.dump(2).c_str());
    else
        std::printf("%s: %s, %.1f MB\n", a.output.c_str(), a.name.c_str(), static_cast<double>(bytes->size()) / 1e6);
    return kDone;
}

int command_show(const ShowArguments& a) {
    const Result<std::string> text = show(a);
    if (!text) return fail(text.error(), a.json);
    print_text(*text, a.json);
    return kDone;
}

int command_compile(const CompileArguments& a) {
    if (const Result<void> done = compile(a); !done) return fail(done.error(), a.json);
    if (a.json)
        std::printf("%s\n", Json{{"file", a.output}}.dump(2).c_str());
    else
        std::printf("%s\n", a.output.c_str());
    return kDone;
}

int command_gallery(const std::string& name, bool json) {
    if (name.empty()) {
        std::fputs((json ? views::gallery_json() : views::gallery_text()).c_str(), stdout);
        return kDone;
    }
    const views::GalleryItem* item = views::find_in_gallery(name);
    if (!item)
        return fail({Code::UnknownName, "the gallery has no " + name, {}, "orrery gallery lists what it has"}, json);
    if (json)
        std::printf("%s\n", Json{{"name", item->name}, {"text", item->text}}.dump(2).c_str());
    else
        std::fputs(std::string(item->text).c_str(), stdout);
    return kDone;
}

int command_ops(const std::string& name, bool json) {
    if (name.empty()) {
        Json list = Json::array();
        for (const graph::Op* op : ops::registry().all()) {
            if (json)
                list.push_back(op_json(*op));
            else
                std::printf("%-24s %s\n", op->name.c_str(), op->doc.substr(0, op->doc.find('\n')).c_str());
        }
        if (json) std::printf("%s\n", list.dump(2).c_str());
        return kDone;
    }
    const graph::Op* op = ops::registry().find(name);
    if (!op)
        for (const graph::Op* each : ops::registry().all())
            if (std::ranges::find(each->onnx_names, name) != each->onnx_names.end()) op = each;
    if (!op) return fail({Code::UnknownName, "there is no operator named " + name, {}, "orrery ops lists them"}, json);
    if (json)
        std::printf("%s\n", op_json(*op).dump(2).c_str());
    else
        print_op(*op);
    return kDone;
}

} // namespace orrery::app
