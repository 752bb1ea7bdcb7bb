// Programs that people typed as operators of a graph: what a scratchpad's module is made of.

#include "core/ops/family.hpp"
#include "core/tensor/expression_text.hpp"
#include "core/tensor/text.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

/// Errors: BadAttribute for a text that is none.
Result<Program> program_in(const Attrs& attrs) {
    Result<std::vector<TypedProgram>> programs = parse_typed(attrs.text("text"));
    if (!programs) return attr_error("the text is no tensor program: " + to_string(programs.error()));
    const std::int64_t index = attrs.integer("index", 0);
    if (index < 0 || index >= std::ssize(*programs))
        return attr_error("the text has " + std::to_string(programs->size()) + " programs, none of index " +
                          std::to_string(index));
    const Program& found = (*programs)[static_cast<std::size_t>(index)].program;
    if (attrs.flag("sources")) return found;
    return parse_program(to_string(found)); // its text has no origins
}

Result<Type> program_type(const TypeRequest& request) {
    ORRERY_TRY(const Program program, program_in(request.attrs));
    // One operand left out stands for none.
    const std::size_t given_count = present(request, 0) ? request.types.size() : 0;
    if (given_count != program->input_count)
        return shape_error(program->name + " takes " + std::to_string(program->input_count) + " inputs, not " +
                           std::to_string(given_count));
    std::vector<Type> results;
    for (std::size_t i = 0; i < program->params.size(); ++i) {
        const Buffer& param = program->params[i];
        const Type type = graph::tensor_type(param->dtype, param->static_shape());
        if (i >= program->input_count) {
            results.push_back(type);
            continue;
        }
        ORRERY_TRY(const TensorType given, static_operand(request, i));
        if (given.dtype != param->dtype)
            return type_error(param->name + " is " + graph::to_string(type) + ", not " +
                              graph::to_string(request.types[i]));
        if (graph::static_shape(given) != param->static_shape())
            return shape_error(param->name + " is " + graph::to_string(type) + ", not " +
                               graph::to_string(request.types[i]));
    }
    return results.size() == 1 ? results.front() : graph::tuple_type(std::move(results));
}

std::vector<Buffer> define_program(const DefineRequest& request) {
    const Result<Program> program = program_in(request.attrs);
    ORRERY_ASSERT(program.has_value(), "a call's text was read when its type was found");
    std::vector<Buffer> inputs;
    for (const Buffer& input : request.inputs)
        if (input != nullptr) inputs.push_back(input);
    return request.builder.splice(*program, inputs);
}

} // namespace

Family typed_program_family() {
    return {{.name = "tensor_program",
             .doc =
                 "What a tensor program computes that somebody wrote. The results are the program's, a tuple when it "
                 "has several. Errors: BadAttribute for a text that is no program, BadShape and BadType for "
                 "operands other than its inputs.",
             .operands = {{"inputs", "of the types the program gives its inputs", true, true}},
             .attrs = {{"text", AttrKind::Text, true,
                        "tensor expressions, or programs of tensor IR; docs/text-forms.md has both grammars"},
                       {"index", AttrKind::Int, false, "which program of the text; 0 when left out"},
                       {"sources", AttrKind::Bool, false,
                        "whether the module's sources are the text's definitions, so that statements lead to them; "
                        "false when left out"}},
             .fusion = FusionKind::Opaque,
             .infer = program_type,
             .define = define_program}};
}

} // namespace orrery::ops
