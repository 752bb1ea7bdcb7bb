#include "backends/llvm/code_cost.hpp"

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrAnalysis.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCObjectFileInfo.h>
#include <llvm/MC/MCParser/MCAsmParser.h>
#include <llvm/MC/MCParser/MCTargetAsmParser.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCStreamer.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/MCA/Context.h>
#include <llvm/MCA/CustomBehaviour.h>
#include <llvm/MCA/HWEventListener.h>
#include <llvm/MCA/InstrBuilder.h>
#include <llvm/MCA/Pipeline.h>
#include <llvm/MCA/SourceMgr.h>
#include <llvm/Support/FormattedStream.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

namespace orrery::codegen {

namespace {

constexpr std::size_t kMostSimulated = 64;
constexpr std::size_t kMostInstructions = 2000;
constexpr unsigned kCallCycles = 100; // what llvm-mca takes for a call it knows nothing of

/// Takes instructions out of an assembly text, by line; everything else is dropped.
class Reader final : public llvm::MCStreamer {
  public:
    Reader(llvm::MCContext& context, const llvm::SourceMgr& sources) : MCStreamer(context), sources_(sources) {}

    void emitInstruction(const llvm::MCInst& instruction, const llvm::MCSubtargetInfo&) override {
        const unsigned line = sources_.FindLineNumber(instruction.getLoc());
        by_line.emplace(static_cast<int>(line) - 1, instruction);
    }
    bool emitSymbolAttribute(llvm::MCSymbol*, llvm::MCSymbolAttr) override { return true; }
    void emitCommonSymbol(llvm::MCSymbol*, std::uint64_t, llvm::Align) override {}
    void emitZerofill(llvm::MCSection*, llvm::MCSymbol*, std::uint64_t, llvm::Align, llvm::SMLoc) override {}

    std::unordered_map<int, llvm::MCInst> by_line; ///< from 0

  private:
    const llvm::SourceMgr& sources_;
};

/// Counts how long each resource is busy, and notes when each iteration is done.
class PipelineWatch final : public llvm::mca::HWEventListener {
  public:
    explicit PipelineWatch(std::size_t body) : body_(body) {}
    using HWEventListener::onEvent;
    void onEvent(const llvm::mca::HWInstructionEvent& event) override {
        if (event.Type == llvm::mca::HWInstructionEvent::Retired) {
            if ((event.IR.getSourceIndex() + 1) % body_ == 0) done.push_back(cycle_);
        } else if (event.Type == llvm::mca::HWInstructionEvent::Issued) {
            for (const auto& use : static_cast<const llvm::mca::HWInstructionIssuedEvent&>(event).UsedResources)
                busy[use.first.first] += static_cast<double>(use.second);
        }
    }
    void onCycleEnd() override { ++cycle_; }

    std::map<std::uint64_t, double> busy; ///< cycles, by index of the resource
    std::vector<unsigned> done;           ///< the cycle in which each iteration's last instruction retired

  private:
    std::size_t body_;
    unsigned cycle_ = 0;
};

/// Jumps back to a label of the listing: the loops, outer before inner.
std::vector<LoopCost> find_loops(const Listing& listing) {
    std::unordered_map<std::string, std::size_t> label_at;
    std::map<std::size_t, std::pair<std::size_t, std::size_t>> jumps; // first and last one back, by line of the label
    for (std::size_t i = 0; i < listing.lines.size(); ++i) {
        const std::string& text = listing.lines[i].text;
        if (!text.empty() && text.back() == ':') {
            label_at[text.substr(0, text.size() - 1)] = i;
            continue;
        }
        const std::size_t word = text.find_last_of(" \t");
        const auto label = word == std::string::npos ? label_at.end() : label_at.find(text.substr(word + 1));
        if (label == label_at.end() || !label->first.starts_with(".L")) continue;
        jumps.try_emplace(label->second, i, i).first->second.second = i;
    }
    std::vector<LoopCost> loops;
    for (const auto& [label, back] : jumps) {
        LoopCost loop;
        loop.first = label;
        loop.path_end = back.first;
        loop.last = back.second;
        for (const LoopCost& outer : loops) loop.depth += outer.last >= loop.last ? 1 : 0;
        loops.push_back(loop);
    }
    for (LoopCost& loop : loops)
        loop.innermost = std::none_of(loops.begin(), loops.end(), [&](const LoopCost& other) {
            return &other != &loop && other.first >= loop.first && other.last <= loop.last;
        });
    return loops;
}

/// The number and width of a vector register by its name, "ZMM3" or "Q3".
std::optional<std::pair<int, int>> vector_register(llvm::StringRef name) {
    int bits = 0;
    if (name.consume_front("ZMM"))
        bits = 512;
    else if (name.consume_front("YMM"))
        bits = 256;
    else if (name.consume_front("XMM") || name.consume_front("Q") || name.consume_front("V"))
        bits = 128;
    else if (name.consume_front("D"))
        bits = 64;
    int number = 0;
    if (bits == 0 || name.getAsInteger(10, number)) return std::nullopt;
    return std::pair(number, bits);
}

class Analyst {
  public:
    Analyst(const std::string& text, const llvm::TargetMachine& machine)
        : machine_(machine), info_(*machine.getMCSubtargetInfo()), instructions_(*machine.getMCInstrInfo()),
          registers_(*machine.getMCRegisterInfo()), model_(info_.getSchedModel()),
          context_(machine.getTargetTriple(), machine.getMCAsmInfo(), &registers_, &info_, &sources_),
          analysis_(machine.getTarget().createMCInstrAnalysis(&instructions_)) {
        sources_.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBuffer(text, "kernel.s"), llvm::SMLoc());
        sources_.setDiagHandler([](const llvm::SMDiagnostic&, void*) {});
    }

    [[nodiscard]] bool has_model() const { return model_.hasInstrSchedModel(); }

    /// Errors: false when the text cannot be read back.
    bool read() {
        const llvm::Target& target = machine_.getTarget();
        files_.reset(target.createMCObjectFileInfo(context_, true));
        context_.setObjectFileInfo(files_.get());
        reader_ = std::make_unique<Reader>(context_, sources_);
        att_.reset(target.createMCInstPrinter(machine_.getTargetTriple(), 0, *machine_.getMCAsmInfo(), instructions_,
                                              registers_));
        llvm::raw_null_ostream nothing; // not llvm::nulls(): a stream over it changes what all threads share
        llvm::formatted_raw_ostream nowhere(nothing);
        target.createAsmTargetStreamer(*reader_, nowhere, att_.get()); // owned by the reader
        const std::unique_ptr<llvm::MCAsmParser> parser(
            llvm::createMCAsmParser(sources_, context_, *reader_, *machine_.getMCAsmInfo()));
        const std::unique_ptr<llvm::MCTargetAsmParser> reads(
            target.createMCAsmParser(info_, *parser, instructions_, llvm::MCTargetOptions()));
        if (!reads) return false;
        parser->setTargetParser(*reads);
        return !parser->Run(false);
    }

    [[nodiscard]] const llvm::MCInst* at(int text_line) const {
        const auto found = reader_->by_line.find(text_line);
        return found == reader_->by_line.end() ? nullptr : &found->second;
    }

    [[nodiscard]] InstructionCost cost(const llvm::MCInst& instruction) const {
        InstructionCost out;
        const llvm::MCInstrDesc& description = instructions_.get(instruction.getOpcode());
        out.loads = description.mayLoad();
        out.stores = description.mayStore();
        out.stack = touches_stack(instruction) && (out.loads || out.stores);
        out.latency = model_.computeInstrLatency(info_, instructions_, instruction);
        out.throughput = model_.getReciprocalThroughput(info_, instructions_, instruction);
        unsigned schedule = description.getSchedClass();
        while (model_.getSchedClassDesc(schedule)->isVariant()) {
            const unsigned next =
                info_.resolveVariantSchedClass(schedule, &instruction, &instructions_, model_.getProcessorID());
            if (next == 0 || next == schedule) break;
            schedule = next;
        }
        const llvm::MCSchedClassDesc& chosen = *model_.getSchedClassDesc(schedule);
        out.micro_ops = chosen.isValid() && !chosen.isVariant() ? chosen.NumMicroOps : 1;
        return out;
    }

    void count_registers(const std::vector<const llvm::MCInst*>& body, LoopCost& loop) const {
        std::set<int> vectors;
        for (const llvm::MCInst* instruction : body)
            for (const llvm::MCOperand& operand : *instruction) {
                if (!operand.isReg() || operand.getReg() == 0) continue;
                const auto vector = vector_register(registers_.getName(operand.getReg()));
                if (!vector) continue;
                vectors.insert(vector->first);
                loop.vector_bits = std::max(loop.vector_bits, vector->second);
            }
        loop.registers = static_cast<int>(vectors.size());
    }

    /// Runs the body as often as a steady state needs. Nothing is known of a body with an instruction without a model.
    void simulate(const std::vector<const llvm::MCInst*>& body, LoopCost& loop) const {
        const unsigned rounds = static_cast<unsigned>(std::clamp<std::size_t>(400 / body.size(), 4, 25));
        PipelineWatch watch(body.size());
        if (!run(body, 2 * rounds, watch) || watch.done.size() != 2 * rounds) return;
        loop.latency = watch.done.front() + 1;
        loop.cycles = static_cast<double>(watch.done.back() - watch.done[rounds - 1]) / rounds;
        for (const auto& [resource, busy] : watch.busy) {
            const llvm::MCProcResourceDesc& unit = *model_.getProcResource(static_cast<unsigned>(resource));
            loop.ports.push_back({unit.Name, busy / (2.0 * rounds) / std::max(1U, unit.NumUnits)});
        }
        std::stable_sort(loop.ports.begin(), loop.ports.end(),
                         [](const PortUse& a, const PortUse& b) { return a.cycles > b.cycles; });
        find_bound(loop);
    }

    [[nodiscard]] std::string print_att(const llvm::MCInst& instruction) const {
        std::string text;
        llvm::raw_string_ostream out(text);
        att_->printInst(&instruction, 0, "", info_, out);
        return spaced(out.str());
    }

    [[nodiscard]] int dispatch_width() const { return static_cast<int>(model_.IssueWidth); }

  private:
    [[nodiscard]] bool touches_stack(const llvm::MCInst& instruction) const {
        return std::any_of(instruction.begin(), instruction.end(), [this](const llvm::MCOperand& operand) {
            if (!operand.isReg() || operand.getReg() == 0) return false;
            const llvm::StringRef name = registers_.getName(operand.getReg());
            return name == "RSP" || name == "SP";
        });
    }

    /// False when an instruction has no model.
    [[nodiscard]] bool run(const std::vector<const llvm::MCInst*>& body, unsigned rounds, PipelineWatch& watch) const {
        llvm::mca::InstrumentManager instruments(info_, instructions_);
        llvm::mca::InstrBuilder builder(info_, instructions_, registers_, analysis_.get(), instruments, kCallCycles);
        std::vector<std::unique_ptr<llvm::mca::Instruction>> made;
        for (const llvm::MCInst* instruction : body) {
            auto one = builder.createInstruction(*instruction, {});
            if (!one) {
                llvm::consumeError(one.takeError());
                return false;
            }
            made.push_back(std::move(*one));
        }
        llvm::mca::CircularSourceMgr source(made, rounds);
        llvm::mca::CustomBehaviour behaviour(info_, source, instructions_);
        llvm::mca::Context hardware(registers_, info_);
        const llvm::mca::PipelineOptions options(0, 0, 0, 0, 0, 0, true);
        const auto pipeline = model_.isOutOfOrder() ? hardware.createDefaultPipeline(options, source, behaviour)
                                                    : hardware.createInOrderPipeline(options, source, behaviour);
        pipeline->addEventListener(&watch);
        llvm::Expected<unsigned> total = pipeline->run();
        if (total) return true;
        llvm::consumeError(total.takeError());
        return false;
    }

    void find_bound(LoopCost& loop) const {
        const double dispatch = static_cast<double>(loop.micro_ops) / std::max(1U, model_.IssueWidth);
        const double port = loop.ports.empty() ? 0 : loop.ports.front().cycles;
        constexpr double kSlack = 1.1; // the model's queues cost a little beside any bound
        if (loop.cycles > kSlack * std::max(dispatch, port)) {
            loop.bound = LoopBound::Dependence;
            loop.bound_cycles = loop.cycles;
        } else {
            loop.bound = port >= dispatch ? LoopBound::Ports : LoopBound::Dispatch;
            loop.bound_cycles = std::max(port, dispatch);
        }
    }

    const llvm::TargetMachine& machine_;
    const llvm::MCSubtargetInfo& info_;
    const llvm::MCInstrInfo& instructions_;
    const llvm::MCRegisterInfo& registers_;
    const llvm::MCSchedModel& model_;
    llvm::SourceMgr sources_;
    llvm::MCContext context_;
    std::unique_ptr<llvm::MCObjectFileInfo> files_;
    std::unique_ptr<llvm::MCInstrAnalysis> analysis_;
    std::unique_ptr<llvm::MCInstPrinter> att_;
    std::unique_ptr<Reader> reader_;
};

} // namespace

void describe_machine_code(const std::string& text, const AssemblyListing& assembly, const llvm::TargetMachine& machine,
                           FunctionCode& code) {
    CodeCost& out = code.cost;
    out.cpu = machine.getTargetCPU().str();
    out.loops = find_loops(assembly.listing);
    Analyst analyst(text, machine);
    if (!analyst.read()) {
        out.unknown = "the assembly could not be read back";
        return;
    }
    const std::size_t count = assembly.listing.lines.size();
    std::vector<const llvm::MCInst*> instructions;
    for (std::size_t i = 0; i < count; ++i) instructions.push_back(analyst.at(assembly.text_lines[i]));
    if (machine.getTargetTriple().isX86())
        for (std::size_t i = 0; i < count; ++i) {
            code.att.lines.push_back(assembly.listing.lines[i]);
            if (instructions[i]) code.att.lines[i].text = analyst.print_att(*instructions[i]);
        }
    if (!analyst.has_model()) {
        out.unknown = "LLVM has no model of the pipeline of " + (out.cpu.empty() ? "this processor" : out.cpu);
        return;
    }
    out.dispatch_width = analyst.dispatch_width();
    out.instructions.resize(count);
    for (std::size_t i = 0; i < count; ++i)
        if (instructions[i]) out.instructions[i] = analyst.cost(*instructions[i]);
    std::size_t simulated = 0;
    for (LoopCost& loop : out.loops) {
        std::vector<const llvm::MCInst*> body;
        for (std::size_t i = loop.first; i <= (loop.innermost ? loop.path_end : loop.last); ++i) {
            if (!instructions[i]) continue;
            body.push_back(instructions[i]);
            loop.micro_ops += out.instructions[i].micro_ops;
            loop.stack += out.instructions[i].stack ? 1 : 0;
        }
        loop.instructions = static_cast<int>(body.size());
        if (!loop.innermost || body.empty()) continue;
        analyst.count_registers(body, loop);
        if (body.size() <= kMostInstructions && simulated++ < kMostSimulated) analyst.simulate(body, loop);
    }
}

} // namespace orrery::codegen
