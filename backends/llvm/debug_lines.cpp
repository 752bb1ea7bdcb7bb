#include "backends/llvm/debug_lines.hpp"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace orrery::codegen {

struct DebugLines::State {
    llvm::DIBuilder builder;
    llvm::DIFile* file = nullptr;
    llvm::DISubroutineType* type = nullptr;
    tensor::PrintedProgram printed;

    State(llvm::Module& module, const tensor::Program& program)
        : builder(module), printed(tensor::print_program(program)) {
        file = builder.createFile(program->name + ".tir", ".");
        builder.createCompileUnit(llvm::dwarf::DW_LANG_C, file, "orrery", true, "", 0, "",
                                  llvm::DICompileUnit::DebugEmissionKind::LineTablesOnly);
        type = builder.createSubroutineType(builder.getOrCreateTypeArray({}));
        const llvm::Module::ModFlagBehavior warn = llvm::Module::Warning;
        if (!module.getModuleFlag("Debug Info Version"))
            module.addModuleFlag(warn, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
    }
};

DebugLines::DebugLines(llvm::Module& module, const tensor::Program& program)
    : state_(std::make_unique<State>(module, program)) {}

DebugLines::~DebugLines() = default;

llvm::DISubprogram* DebugLines::add_function(llvm::Function& function) {
    llvm::DISubprogram* scope = state_->builder.createFunction(
        state_->file, function.getName(), function.getName(), state_->file, 1, state_->type, 1, llvm::DINode::FlagZero,
        llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagOptimized);
    function.setSubprogram(scope);
    return scope;
}

void DebugLines::set(llvm::IRBuilderBase& builder, llvm::DISubprogram* scope, const tensor::Node* node) const {
    unsigned line = 1;
    if (node) {
        const auto found = state_->printed.line_of.find(node);
        if (found == state_->printed.line_of.end()) return;
        line = static_cast<unsigned>(found->second);
    }
    builder.SetCurrentDebugLocation(llvm::DILocation::get(builder.getContext(), line, 0, scope));
}

void DebugLines::finish() { state_->builder.finalize(); }

} // namespace orrery::codegen
