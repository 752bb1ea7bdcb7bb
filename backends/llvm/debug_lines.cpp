#include "backends/llvm/debug_lines.hpp"

#include <llvm/ADT/STLExtras.h>
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
    From from;

    State(llvm::Module& module, const tensor::Program& program, From made_from)
        : builder(module), printed(tensor::print_program(program)), from(std::move(made_from)) {
        file = builder.createFile(program->name + ".tir", ".");
        builder.createCompileUnit(llvm::dwarf::DW_LANG_C, file, "orrery", true, "", 0, "",
                                  llvm::DICompileUnit::DebugEmissionKind::LineTablesOnly);
        type = builder.createSubroutineType(builder.getOrCreateTypeArray({}));
        const llvm::Module::ModFlagBehavior warn = llvm::Module::Warning;
        if (!module.getModuleFlag("Debug Info Version"))
            module.addModuleFlag(warn, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
    }
};

DebugLines::DebugLines(llvm::Module& module, const tensor::Program& program, From from)
    : state_(std::make_unique<State>(module, program, std::move(from))) {}

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
        const auto shown = state_->from.find(node);
        const auto found = state_->printed.line_of.find(shown == state_->from.end() ? node : shown->second);
        if (found == state_->printed.line_of.end()) return;
        line = static_cast<unsigned>(found->second);
    }
    builder.SetCurrentDebugLocation(llvm::DILocation::get(builder.getContext(), line, 0, scope));
}

void DebugLines::finish() { state_->builder.finalize(); }

namespace {

bool has_line(const llvm::Value* value) {
    const auto* instruction = llvm::dyn_cast<llvm::Instruction>(value);
    return instruction && instruction->getDebugLoc() && instruction->getDebugLoc().getLine() > 0;
}

/// What the instruction serves: the first that uses its result, else the last it takes a value from.
const llvm::Instruction* served_by(const llvm::Instruction& instruction) {
    for (const llvm::User* user : instruction.users())
        if (has_line(user)) return llvm::cast<llvm::Instruction>(user);
    for (const llvm::Use& operand : instruction.operands())
        if (has_line(operand.get())) return llvm::cast<llvm::Instruction>(operand.get());
    return nullptr;
}

/// Whether any instruction of the function got a line.
bool relink_once(llvm::Function& function) {
    bool any = false;
    for (llvm::BasicBlock& block : llvm::reverse(function))
        for (llvm::Instruction& instruction : llvm::reverse(block)) {
            if (has_line(&instruction)) continue;
            const llvm::Instruction* other = served_by(instruction);
            if (!other) continue;
            instruction.setDebugLoc(other->getDebugLoc());
            any = true;
        }
    return any;
}

} // namespace

void relink_lines(llvm::Module& module) {
    constexpr int kRounds = 8; // along chains of address arithmetic; most need two
    for (llvm::Function& function : module)
        for (int i = 0; i < kRounds && relink_once(function); ++i) {}
}

} // namespace orrery::codegen
