#include "backends/llvm/pipeline.hpp"

#include "backends/llvm/loop_bases.hpp"

#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/CodeGen/MachineModuleInfo.h>
#include <llvm/CodeGen/Passes.h>
#include <llvm/CodeGen/TargetPassConfig.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/DeadStoreElimination.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SROA.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

namespace orrery::codegen {

namespace {

struct OpaqueBasesPass : llvm::PassInfoMixin<OpaqueBasesPass> {
    static llvm::StringRef name() { return "OpaqueBasesPass"; }
    static llvm::PreservedAnalyses run(llvm::Function& function, llvm::FunctionAnalysisManager& analyses) {
        const bool changed = hide_loop_bases(analyses.getResult<llvm::LoopAnalysis>(function));
        return changed ? llvm::PreservedAnalyses::none() : llvm::PreservedAnalyses::all();
    }
};

/// One manager a pass, so that an observer knows where in the list it is.
std::vector<llvm::FunctionPassManager> make_passes(int level) {
    std::vector<llvm::FunctionPassManager> passes;
    const auto add = [&passes](auto pass) { passes.emplace_back().addPass(std::move(pass)); };
    add(llvm::SROAPass(llvm::SROAOptions::PreserveCFG)); // accumulators of register tiles
    add(llvm::EarlyCSEPass(true));                       // index arithmetic of unrolled copies
    if (level >= 2) add(llvm::InstCombinePass());
    add(llvm::SimplifyCFGPass());
    llvm::LoopPassManager loops;
    loops.addPass(llvm::LICMPass(llvm::LICMOptions())); // invariants, and accumulators in memory
    add(llvm::createFunctionToLoopPassAdaptor(std::move(loops), true));
    if (level >= 2) add(llvm::EarlyCSEPass(true));
    add(OpaqueBasesPass());
    return passes;
}

/// Writes into memory in large pieces: LLVM's own streams for that take every word by itself, and LLVM counts columns
/// along with each.
class TextStream final : public llvm::raw_pwrite_stream {
  public:
    TextStream() { SetBufferSize(std::size_t{1} << 16); }
    ~TextStream() override { flush(); }
    std::string take() {
        flush();
        return std::move(text_);
    }

  private:
    void write_impl(const char* data, std::size_t size) override { text_.append(data, size); }
    void pwrite_impl(const char* data, std::size_t size, std::uint64_t at) override {
        flush();
        text_.replace(static_cast<std::size_t>(at), size, data, size);
    }
    [[nodiscard]] std::uint64_t current_pos() const override { return text_.size(); }
    std::string text_;
};

/// LLVM's code generator without what kernels never have: variables to follow, stack maps, hooks, exceptions. False
/// when it writes no such file for the machine.
bool add_code_generator(llvm::legacy::PassManager& passes, llvm::TargetMachine& machine, llvm::raw_pwrite_stream& out,
                        llvm::CodeGenFileType type) {
    auto& target = static_cast<llvm::LLVMTargetMachine&>(machine); // there are no others
    auto* info = new llvm::MachineModuleInfoWrapperPass(&target);  // the manager's, like all passes
    llvm::TargetPassConfig* config = target.createPassConfig(passes);
    config->setDisableVerify(true);
    for (char* unused : {&llvm::LiveDebugValuesID, &llvm::StackMapLivenessID, &llvm::FuncletLayoutID,
                         &llvm::XRayInstrumentationID, &llvm::PatchableFunctionID, &llvm::FEntryInserterID})
        config->disablePass(unused);
    passes.add(config);
    passes.add(info);
    if (config->addISelPasses()) return false;
    config->addMachinePasses();
    config->setInitialized();
    if (target.addAsmPrinter(passes, out, nullptr, type, info->getMMI().getContext())) return false;
    passes.add(llvm::createFreeMachineFunctionPass());
    return true;
}

} // namespace

void optimize(llvm::Module& module, llvm::TargetMachine& machine, int level) { optimize(module, machine, level, {}); }

void optimize(llvm::Module& module, llvm::TargetMachine& machine, int level, const PassObserver& observer) {
    if (level <= 0) return;
    llvm::PassBuilder builder(&machine, llvm::PipelineTuningOptions(), std::nullopt, observer.callbacks);
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager sccs;
    llvm::ModuleAnalysisManager modules;
    functions.registerPass([&] { return builder.buildDefaultAAPipeline(); });
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(sccs);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, sccs, modules);
    std::vector<llvm::FunctionPassManager> passes = make_passes(level);
    for (llvm::Function& function : module) {
        if (function.isDeclaration()) continue;
        for (std::size_t i = 0; i < passes.size(); ++i) {
            if (observer.position) observer.position(i);
            passes[i].run(function, functions);
        }
    }
}

Result<std::string> generate(llvm::Module& module, llvm::TargetMachine& machine, FileKind kind) {
    const auto refused = [&](const std::string& why) {
        const std::string triple = machine.getTargetTriple().str();
        return Diagnostic{
            Code::NoTarget, "no code can be made for " + triple + ": " + why, {}, "see `llc-19 --version`"};
    };
    std::string problem;
    const auto hear = [](const llvm::DiagnosticInfo* said, void* into) {
        auto& first = *static_cast<std::string*>(into); // the others mostly say the same of other places
        if (said->getSeverity() != llvm::DS_Error || !first.empty()) return;
        llvm::raw_string_ostream out(first);
        llvm::DiagnosticPrinterRawOStream printer(out);
        said->print(printer);
    };
    TextStream out;
    const auto type =
        kind == FileKind::Object ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
    {
        llvm::legacy::PassManager passes; // what writes assembly is done when it is gone
        if (!add_code_generator(passes, machine, out, type)) return refused("LLVM writes no such file for it");
        module.getContext().setDiagnosticHandlerCallBack(hear, &problem);
        passes.run(module);
        module.getContext().setDiagnosticHandlerCallBack(nullptr);
    }
    if (!problem.empty()) return refused(problem.substr(0, problem.find('\n')));
    return out.take();
}

std::string text_of(const llvm::Module& module) {
    TextStream out;
    module.print(out, nullptr);
    return out.take();
}

std::string find_ir_error(const llvm::Module& module) {
    std::string text;
    llvm::raw_string_ostream out(text);
    return llvm::verifyModule(module, &out) ? out.str() : std::string();
}

} // namespace orrery::codegen
