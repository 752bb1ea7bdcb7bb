#include "backends/llvm/pass_trace.hpp"

#include "backends/llvm/pipeline.hpp"

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/PassInstrumentation.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace orrery::codegen {

namespace {

using Clock = std::chrono::steady_clock;

/// Managers and adaptors run passes; they are none.
bool is_pass(llvm::StringRef id) {
    return !id.contains("PassManager") && !id.contains("Adaptor") && !id.contains("Analysis") && !id.contains("Proxy");
}

const llvm::Function* function_of(const llvm::Any& ir) {
    if (const auto* function = llvm::any_cast<const llvm::Function*>(&ir)) return *function;
    if (const auto* loop = llvm::any_cast<const llvm::Loop*>(&ir)) return (*loop)->getHeader()->getParent();
    return nullptr;
}

std::uint64_t address(const void* thing) { return reinterpret_cast<std::uintptr_t>(thing); }

/// Words in order as one, a multiplication each: functions are long, and two states of one are hardly mixed up.
class State {
  public:
    State& add(std::uint64_t word) {
        constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15; // 2^64 by the golden ratio
        value_ = (std::rotl(value_, 23) ^ word) * kOdd;
        return *this;
    }
    State& add(int word) { return add(static_cast<std::uint64_t>(word)); }
    [[nodiscard]] std::uint64_t value() const { return value_; }

  private:
    std::uint64_t value_ = 0;
};

/// What an instruction has besides opcode, type and operands.
void add_details(State& state, const llvm::Instruction& instruction) {
    if (const auto* compare = llvm::dyn_cast<llvm::CmpInst>(&instruction))
        state.add(static_cast<int>(compare->getPredicate()));
    if (const auto* load = llvm::dyn_cast<llvm::LoadInst>(&instruction))
        state.add(std::uint64_t{load->getAlign().value()});
    if (const auto* store = llvm::dyn_cast<llvm::StoreInst>(&instruction))
        state.add(std::uint64_t{store->getAlign().value()});
    if (const auto* place = llvm::dyn_cast<llvm::GetElementPtrInst>(&instruction))
        state.add(address(place->getSourceElementType()));
    if (const auto* call = llvm::dyn_cast<llvm::CallBase>(&instruction))
        state.add(address(call->getAttributes().getRawPointer()));
    if (const auto* shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(&instruction))
        for (const int lane : shuffle->getShuffleMask()) state.add(lane);
    if (const auto* phi = llvm::dyn_cast<llvm::PHINode>(&instruction))
        for (const llvm::BasicBlock* block : phi->blocks()) state.add(address(block));
    if (!instruction.hasMetadataOtherThanDebugLoc()) return;
    llvm::SmallVector<std::pair<unsigned, llvm::MDNode*>, 4> notes;
    instruction.getAllMetadataOtherThanDebugLoc(notes);
    for (const auto& [kind, note] : notes) state.add(static_cast<int>(kind)).add(address(note));
}

/// Of a function while it lives: values are told apart by where they lie. Printing it would cost as much as the passes.
std::uint64_t state_hash(const llvm::Function& function) {
    State state;
    for (const llvm::BasicBlock& block : function) {
        state.add(address(&block));
        for (const llvm::Instruction& instruction : block) {
            state.add(static_cast<int>(instruction.getOpcode())).add(address(instruction.getType()));
            state.add(static_cast<int>(instruction.getRawSubclassOptionalData()));
            for (const llvm::Value* operand : instruction.operands()) state.add(address(operand));
            add_details(state, instruction);
        }
    }
    return state.value();
}

class Watch {
  public:
    explicit Watch(const llvm::Module& module) {
        for (const llvm::Function& function : module) {
            if (function.isDeclaration()) continue;
            known_[&function] = state_hash(function);
            trace_.instructions += function.getInstructionCount();
        }
        callbacks_.registerBeforeNonSkippedPassCallback([this](llvm::StringRef id, llvm::Any ir) { before(id, ir); });
        callbacks_.registerAfterPassCallback(
            [this](llvm::StringRef id, llvm::Any ir, const llvm::PreservedAnalyses& kept) {
                after(id, function_of(ir), kept.areAllPreserved());
            });
        callbacks_.registerAfterPassInvalidatedCallback(
            [this](llvm::StringRef id, const llvm::PreservedAnalyses&) { after(id, function_, false); });
    }

    PassObserver observer() {
        return {&callbacks_, [this](std::size_t position) { position_ = position; }};
    }

    [[nodiscard]] PassTrace result() { return std::move(trace_); }

  private:
    void before(llvm::StringRef id, const llvm::Any& ir) {
        if (!is_pass(id)) return;
        function_ = function_of(ir);
        count_ = function_ ? function_->getInstructionCount() : 0;
        start_ = Clock::now();
    }
    void after(llvm::StringRef id, const llvm::Function* function, bool all_kept) {
        if (!is_pass(id)) return;
        const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
        PassTrace::Row& row = trace_.row(position_, std::string_view(id.data(), id.size()));
        row.pass.milliseconds += ms;
        if (!function || all_kept) return;
        const std::uint64_t now = state_hash(*function);
        row.pass.changed = row.pass.changed || now != known_[function];
        known_[function] = now;
        row.grown += static_cast<std::ptrdiff_t>(function->getInstructionCount()) - static_cast<std::ptrdiff_t>(count_);
    }

    llvm::PassInstrumentationCallbacks callbacks_;
    PassTrace trace_;
    std::unordered_map<const llvm::Function*, std::uint64_t> known_;
    std::size_t position_ = 0;
    const llvm::Function* function_ = nullptr; ///< the pass under way works on it
    std::size_t count_ = 0;
    Clock::time_point start_;
};

} // namespace

PassTrace::Row& PassTrace::row(std::size_t position, std::string_view id) {
    for (Row& known : rows)
        if (known.position == position && known.id == id) return known;
    // Rows stay in order of position, whichever function had a loop first.
    auto at = rows.end();
    while (at != rows.begin() && std::prev(at)->position > position) --at;
    return *rows.insert(at, Row{position, std::string(id), {}, 0});
}

void PassTrace::add(const PassTrace& other) {
    instructions += other.instructions;
    for (const Row& from : other.rows) {
        Row& to = row(from.position, from.id);
        to.pass.milliseconds += from.pass.milliseconds;
        to.pass.changed = to.pass.changed || from.pass.changed;
        to.grown += from.grown;
    }
}

std::vector<BackendPass> PassTrace::list() const {
    std::vector<BackendPass> passes;
    std::size_t count = instructions;
    for (const Row& row : rows) {
        BackendPass pass = row.pass;
        llvm::StringRef name(row.id);
        name.consume_back("Pass");
        pass.name = name.str();
        count += static_cast<std::size_t>(row.grown);
        pass.instructions = count;
        passes.push_back(std::move(pass));
    }
    return passes;
}

PassTrace trace_part(llvm::Module& module, llvm::TargetMachine& machine, int level) {
    Watch watch(module);
    optimize(module, machine, level, watch.observer());
    return watch.result();
}

std::vector<BackendPass> trace_passes(llvm::Module& module, llvm::TargetMachine& machine, int level) {
    return trace_part(module, machine, level).list();
}

void run_passes(llvm::Module& module, llvm::TargetMachine& machine, int level, const std::vector<BackendPass>& passes,
                std::size_t count) {
    // Passes are counted by name along the list: the observer's position only ever grows within one function.
    llvm::PassInstrumentationCallbacks callbacks;
    std::size_t at = 0; // row of the last pass seen in this function
    bool fresh = true;  // no pass of this function was seen yet
    std::size_t position = 0, seen_position = 0;
    callbacks.registerShouldRunOptionalPassCallback([&](llvm::StringRef id, llvm::Any) {
        if (!is_pass(id)) return true;
        llvm::StringRef name = id;
        name.consume_back("Pass");
        const bool again = !fresh && position == seen_position && at < passes.size() && passes[at].name == name;
        if (!again) {
            std::size_t next = fresh ? 0 : at + 1;
            while (next < passes.size() && passes[next].name != name) ++next;
            at = next;
        }
        fresh = false;
        seen_position = position;
        return at < count;
    });
    PassObserver observer{&callbacks, [&](std::size_t now) {
                              if (now == 0) fresh = true;
                              position = now;
                          }};
    optimize(module, machine, level, observer);
}

} // namespace orrery::codegen
