#include "core/session/export_code.hpp"

namespace orrery::session {

Result<EmitKind> emit_kind_of(const std::filesystem::path& path) {
    const std::filesystem::path ending = path.extension();
    if (ending == ".o") return EmitKind::Object;
    if (ending == ".s") return EmitKind::Assembly;
    if (ending == ".ll") return EmitKind::Ir;
    return Diagnostic{Code::BadArgument,
                      "\"" + path.filename().string() + "\" does not say what to write",
                      {},
                      "end it in .o, .s or .ll"};
}

Result<void> check_writable(const lower::LoweredModel& model) {
    for (const lower::LoweredFunction& function : model.functions)
        if (!function.backend.empty())
            return Diagnostic{Code::UnsupportedFeature,
                              function.name + " is a region for " + function.backend + ", which no file can hold",
                              {},
                              "compile without --partition, or switch AnnotateTarget off"};
    return {};
}

Result<std::string> export_code(Compiler& compiler, const Recipe& recipe, const graph::Module& fused, EmitKind kind) {
    ORRERY_TRY(const Compiler::Functions functions, compiler.functions(recipe, fused, {}));
    ORRERY_CHECK_OK(check_writable(*functions.model));
    std::vector<tensor::Program> programs;
    for (const FunctionPtr& function : functions.functions) {
        if (function->error) return *function->error;
        programs.push_back(function->program());
    }
    return compiler.backend().assemble(programs, recipe.target, recipe.build, kind);
}

} // namespace orrery::session
