#include "core/session/scratch.hpp"

#include "core/base/file.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/schedule/legality.hpp"
#include "core/session/compiler.hpp"
#include "core/tensor/expression_text.hpp"
#include "core/tensor/lexer.hpp"

#include <map>
#include <set>

namespace orrery::session {

namespace {

using graph::Var;

graph::Type type_of(const tensor::Buffer& buffer) { return graph::tensor_type(buffer->dtype, buffer->static_shape()); }

/// Calls the programs of one text, wired by name.
class Wiring {
  public:
    explicit Wiring(std::string_view text) : text_(text) {}

    Result<graph::Module> run(const std::vector<tensor::TypedProgram>& programs) {
        ORRERY_CHECK_OK(find_inputs(programs));
        for (std::size_t i = 0; i < programs.size(); ++i) ORRERY_CHECK_OK(call(programs[i], i));
        graph::Module module;
        std::vector<Var> results;
        for (const auto& [name, var] : results_)
            if (!used_.contains(var)) results.push_back(var), module.outputs.push_back(name);
        Var result = results.front();
        if (results.size() > 1) result = main_.emit(make_ref<const graph::Tuple>(results), "outputs", {});
        module.main = main_.finish("main", result);
        module.sources = std::make_shared<const std::vector<graph::Source>>(std::move(sources_));
        return module;
    }

  private:
    /// Inputs become parameters before anything is called.
    Result<void> find_inputs(const std::vector<tensor::TypedProgram>& programs) {
        std::map<std::string, graph::Type> made;
        for (const tensor::TypedProgram& typed : programs) {
            const tensor::Program& program = typed.program;
            for (std::size_t i = 0; i < program->params.size(); ++i) {
                const tensor::Buffer& param = program->params[i];
                const bool input = i < program->input_count;
                const auto known = made.find(param->name);
                if (known == made.end() && input) vars_[param->name] = main_.param(param->name, type_of(param));
                if (known != made.end() && !input)
                    return clash(typed, param->name + " is a result or an input already");
                if (known != made.end() && !graph::equal(known->second, type_of(param)))
                    return clash(typed, param->name + " is " + graph::to_string(known->second) + " above, and " +
                                            graph::to_string(type_of(param)) + " here");
                made.emplace(param->name, type_of(param));
            }
        }
        return {};
    }
    static Diagnostic clash(const tensor::TypedProgram& typed, std::string message) {
        return {Code::BadShape,
                std::move(message),
                {tensor_position(typed)},
                "a program takes what one above it gives under the same name: rename one, or make the types equal"};
    }
    static TextPosition tensor_position(const tensor::TypedProgram& typed) {
        return {typed.definitions.front().line, 1};
    }

    Result<void> call(const tensor::TypedProgram& typed, std::size_t index) {
        const tensor::Program& program = typed.program;
        std::vector<SourceId> ids;
        for (const tensor::Definition& definition : typed.definitions) {
            ids.push_back(static_cast<SourceId>(sources_.size()));
            sources_.push_back({definition.name, "line " + std::to_string(definition.line)});
        }
        const OriginSet origin(std::move(ids));
        graph::FunctionBuilder kernel;
        std::vector<Var> params, args;
        for (std::size_t i = 0; i < program->input_count; ++i) {
            const tensor::Buffer& input = program->params[i];
            params.push_back(kernel.param(input->name, type_of(input)));
            args.push_back(vars_.at(input->name));
            used_.insert(args.back());
        }
        const graph::Attrs attrs{
            {"text", std::string(text_)}, {"index", static_cast<std::int64_t>(index)}, {"sources", true}};
        const auto value = make_ref<const graph::CallOp>(ops::op("tensor_program"), params, attrs);
        ORRERY_TRY(const Var inside, kernel.try_emit(value, program->params.back()->name, origin));
        const graph::Function function =
            kernel.finish(program->name, inside, {{"primitive", true}, {"kind", std::string("opaque")}});
        const std::size_t results = program->params.size() - program->input_count;
        const std::string name = results == 1 ? program->params.back()->name : program->name;
        const Var all = main_.emit(make_ref<const graph::CallFunction>(function, args), name, origin);
        for (std::size_t i = 0; i < results; ++i) {
            const std::string& title = program->params[program->input_count + i]->name;
            const Var var = results == 1 ? all : main_.emit(make_ref<const graph::Project>(all, i), title, origin);
            vars_[title] = var;
            results_.emplace_back(title, var);
        }
        return {};
    }

    std::string_view text_;
    graph::FunctionBuilder main_;
    std::vector<graph::Source> sources_;
    std::map<std::string, Var> vars_;
    std::vector<std::pair<std::string, Var>> results_; ///< of all programs, in order
    std::set<Var> used_;
};

} // namespace

Result<graph::Module> scratch_module(std::string_view text) {
    ORRERY_TRY(const std::vector<tensor::TypedProgram> programs, tensor::parse_typed(text));
    // Kinds of loops that steps of a schedule give are legal; those that somebody typed have to be found so.
    for (std::size_t i = 0; i < programs.size(); ++i)
        if (Result<void> good = schedule::check_loop_kinds(programs[i].program); !good) {
            Diagnostic error = std::move(good.error());
            if (const auto* place = error.locations.empty() ? nullptr : std::get_if<ProgramPlace>(&error.locations[0]))
                error.locations.insert(error.locations.begin(), tensor::place_in_text(text, i, place->place));
            return error;
        }
    return Wiring(text).run(programs);
}

Recipe scratch_recipe(const Compiler& compiler, std::string text) {
    Recipe recipe = compiler.new_recipe({});
    recipe.passes.clear();
    recipe.scratch = text.empty() ? "\n" : std::move(text);
    return recipe;
}

Result<Recipe> scratch_recipe(const Compiler& compiler, const std::filesystem::path& file) {
    ORRERY_TRY(std::string text, read_file(file, tensor::kMaxTypedText));
    return scratch_recipe(compiler, std::move(text));
}

bool is_scratch_file(const std::filesystem::path& file) {
    return file.extension() == ".te" || file.extension() == ".tir";
}

std::string title_of(const Recipe& recipe) {
    if (recipe.scratch.empty()) return recipe.model.empty() ? recipe.builtin : recipe.model.filename().string();
    // The name that the text gives its first program.
    tensor::Lexer lexer(recipe.scratch);
    bool named = false;
    for (tensor::Token token = lexer.next(); token.kind != tensor::TokenKind::End; token = lexer.next()) {
        if (named) return std::string(token.text);
        named = token.text == "kernel" || token.text == "fn";
    }
    return "scratchpad";
}

} // namespace orrery::session
