#include "backends/llvm/llvm_backend.hpp"

#include "backends/llvm/code_cost.hpp"
#include "backends/llvm/debug_lines.hpp"
#include "backends/llvm/emitter.hpp"
#include "backends/llvm/jit.hpp"
#include "backends/llvm/listing.hpp"
#include "backends/llvm/machine.hpp"
#include "backends/llvm/parts.hpp"
#include "backends/llvm/pass_trace.hpp"
#include "backends/llvm/pipeline.hpp"
#include "core/base/parallel.hpp"
#include "core/schedule/virtual_threads.hpp"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace orrery {

namespace {

using codegen::TargetMachinePtr;

/// A module being made: context first, since everything else lives in it.
struct Unit {
    llvm::LLVMContext context;
    std::unique_ptr<llvm::Module> module;
    TargetMachinePtr machine;
    std::size_t workspace_bytes = 0; ///< of the last program written
};

enum class Lines { Without, With };

Result<std::unique_ptr<Unit>> start(const std::string& name, const Target& target, const BuildOptions& options) {
    auto unit = std::make_unique<Unit>();
    ORRERY_TRY(unit->machine, codegen::make_target_machine(target, options.opt_level));
    unit->module = std::make_unique<llvm::Module>(name, unit->context);
    unit->module->setTargetTriple(unit->machine->getTargetTriple().str());
    unit->module->setDataLayout(unit->machine->createDataLayout());
    return unit;
}

Result<void> write(Unit& unit, const tensor::Program& program, const Target& target, const BuildOptions& options,
                   Lines lines) {
    ORRERY_CHECK_OK(codegen::find_unsupported(program));
    const schedule::Interleaved made = schedule::interleave_virtual_threads(program);
    const codegen::WorkspacePlan plan = codegen::plan_workspace(made.program);
    std::optional<codegen::DebugLines> debug;
    if (lines == Lines::With) debug.emplace(*unit.module, program, made.from);
    llvm::IRBuilder<> builder(unit.context);
    codegen::Emitter emitter(*unit.module, builder, codegen::describe(*unit.machine, target), options,
                             debug ? &*debug : nullptr);
    emitter.emit(made.program, plan);
    if (debug) debug->finish();
    unit.workspace_bytes = plan.bytes;
    return {};
}

void require_well_formed(const Unit& unit) {
    const std::string error = codegen::find_ir_error(*unit.module);
    if (!error.empty()) fail_internal("generated IR is well-formed", error);
}

Diagnostic cancelled() { return {Code::Cancelled, "compilation was cancelled", {}, ""}; }

/// What list_all makes of a part of a program's functions.
struct PartCode {
    Result<void> made;
    std::unique_ptr<Unit> unit;
    std::vector<std::size_t> part_of; ///< by function
    Listing ir;                       ///< of all parts, made with the last one, which has least to do
    Listing optimized_ir;
    codegen::PassTrace passes;
    std::string text; ///< assembly; empty when there are fewer parts
};

Result<void> make_part(const tensor::Program& program, const Target& target, const BuildOptions& options,
                       std::size_t part, PartCode& out) {
    ORRERY_TRY(out.unit, start(program->name, target, options));
    llvm::Module& module = *out.unit->module;
    ORRERY_CHECK_OK(write(*out.unit, program, target, options, Lines::With));
    out.part_of = codegen::share_out(module);
    const std::size_t last = *std::ranges::max_element(out.part_of);
    if (part > last) return {};
    if (part == last) {
        require_well_formed(*out.unit);
        out.ir = codegen::read_ir(codegen::text_of(module));
    }
    codegen::keep_part(module, out.part_of, part);
    out.passes = codegen::trace_part(module, *out.unit->machine, options.opt_level);
    codegen::relink_lines(module);
    out.optimized_ir = codegen::read_ir(codegen::text_of(module));
    ORRERY_TRY(out.text, codegen::generate(module, *out.unit->machine, codegen::FileKind::Assembly));
    return {};
}

class LlvmBackend final : public Backend {
  public:
    [[nodiscard]] std::string name() const override { return "llvm"; }
    [[nodiscard]] Target host() const override { return codegen::host_target(); }
    [[nodiscard]] Result<Target> read_target(std::string_view text) const override {
        return codegen::read_target(text);
    }
    [[nodiscard]] Result<void> runs_here(const Target& target) const override {
        return codegen::check_runs_here(target);
    }

    [[nodiscard]] Result<KernelObject> compile(const tensor::Program& program, const Target& target,
                                               const BuildOptions& options, const Progress& progress) const override {
        const auto begin = std::chrono::steady_clock::now();
        if (progress.cancelled()) return cancelled();
        ORRERY_TRY(const std::unique_ptr<Unit> unit, start(program->name, target, options));
        unit->context.setDiscardValueNames(true);
        ORRERY_CHECK_OK(write(*unit, program, target, options, Lines::Without));
        require_well_formed(*unit);
        if (progress.cancelled()) return cancelled();
        codegen::optimize(*unit->module, *unit->machine, options.opt_level);
        if (progress.cancelled()) return cancelled();
        ORRERY_TRY(std::string object, codegen::generate(*unit->module, *unit->machine, codegen::FileKind::Object));
        KernelObject out{program->name, std::move(object), unit->workspace_bytes, 0};
        out.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
        return out;
    }

    [[nodiscard]] Result<Listing> list(const tensor::Program& program, const Target& target,
                                       const BuildOptions& options, ListingKind kind) const override {
        ORRERY_TRY(const std::unique_ptr<Unit> unit, start(program->name, target, options));
        ORRERY_CHECK_OK(write(*unit, program, target, options, Lines::With));
        require_well_formed(*unit);
        if (kind == ListingKind::BackendIr) return codegen::read_ir(codegen::text_of(*unit->module));
        codegen::optimize(*unit->module, *unit->machine, options.opt_level);
        codegen::relink_lines(*unit->module);
        if (kind == ListingKind::OptimizedIr) return codegen::read_ir(codegen::text_of(*unit->module));
        ORRERY_TRY(const std::string text,
                   codegen::generate(*unit->module, *unit->machine, codegen::FileKind::Assembly));
        return codegen::read_assembly(text).listing;
    }

    [[nodiscard]] Result<FunctionCode> list_all(const tensor::Program& program, const Target& target,
                                                const BuildOptions& options, const CodeSink& early) const override {
        std::array<PartCode, codegen::kParts> parts;
        parallel_for(parts.size(), 0,
                     [&](std::size_t i) { parts[i].made = make_part(program, target, options, i, parts[i]); });
        std::vector<std::string> texts;
        std::vector<Listing> listings;
        codegen::PassTrace passes;
        for (PartCode& part : parts) {
            ORRERY_CHECK_OK(part.made);
            if (part.text.empty()) continue;
            texts.push_back(std::move(part.text));
            listings.push_back(std::move(part.optimized_ir));
            passes.add(part.passes);
        }
        FunctionCode code;
        code.ir = std::move(parts[texts.size() - 1].ir);
        code.passes = passes.list();
        const bool one = texts.size() == 1;
        code.optimized_ir = one ? std::move(listings[0]) : codegen::join_ir(listings);
        const std::string text = one ? std::move(texts[0]) : codegen::join_assembly(texts, parts[0].part_of);
        codegen::AssemblyListing assembly = codegen::read_assembly(text);
        code.assembly = assembly.listing;
        if (early) {
            code.cost_pending = true;
            early(code);
            code.cost_pending = false;
        }
        codegen::describe_machine_code(text, assembly, *parts[0].unit->machine, code);
        return code;
    }

    [[nodiscard]] Result<std::vector<BackendPass>> list_passes(const tensor::Program& program, const Target& target,
                                                               const BuildOptions& options) const override {
        ORRERY_TRY(const std::unique_ptr<Unit> unit, start(program->name, target, options));
        unit->context.setDiscardValueNames(true);
        ORRERY_CHECK_OK(write(*unit, program, target, options, Lines::Without));
        require_well_formed(*unit);
        return codegen::trace_passes(*unit->module, *unit->machine, options.opt_level);
    }

    [[nodiscard]] Result<Listing> list_after(const tensor::Program& program, const Target& target,
                                             const BuildOptions& options, std::size_t pass) const override {
        ORRERY_TRY(const std::vector<BackendPass> passes, list_passes(program, target, options));
        if (pass >= passes.size()) return Backend::list_after(program, target, options, pass);
        ORRERY_TRY(const std::unique_ptr<Unit> unit, start(program->name, target, options));
        ORRERY_CHECK_OK(write(*unit, program, target, options, Lines::With));
        require_well_formed(*unit);
        codegen::run_passes(*unit->module, *unit->machine, options.opt_level, passes, pass + 1);
        codegen::relink_lines(*unit->module);
        return codegen::read_ir(codegen::text_of(*unit->module));
    }

    [[nodiscard]] Result<std::shared_ptr<const LoadedCode>> load(std::span<const KernelObject> objects) const override {
        return codegen::load_objects(objects);
    }

    [[nodiscard]] Result<std::string> assemble(std::span<const tensor::Program> programs, const Target& target,
                                               const BuildOptions& options, EmitKind kind) const override {
        ORRERY_TRY(const std::unique_ptr<Unit> unit, start("orrery", target, options));
        for (const tensor::Program& program : programs)
            ORRERY_CHECK_OK(write(*unit, program, target, options, Lines::With));
        require_well_formed(*unit);
        codegen::optimize(*unit->module, *unit->machine, options.opt_level);
        switch (kind) {
        case EmitKind::Ir: return codegen::text_of(*unit->module);
        case EmitKind::Assembly: return codegen::generate(*unit->module, *unit->machine, codegen::FileKind::Assembly);
        case EmitKind::Object: return codegen::generate(*unit->module, *unit->machine, codegen::FileKind::Object);
        }
        fail_internal("emit covers every kind");
    }
};

} // namespace

std::unique_ptr<Backend> make_llvm_backend() { return std::make_unique<LlvmBackend>(); }

} // namespace orrery
