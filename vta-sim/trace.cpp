#include "vta-sim/trace.hpp"

#include "vta-sim/assembler.hpp"

#include <nlohmann/json.hpp>

#include <ostream>

namespace orrery::vta {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kProcess = 1;
constexpr int kInstructionThread = 0; // lanes 0..3
constexpr int kCauseThread = 10;      // lanes 10..13
constexpr int kPortThread = 20;

constexpr std::array<std::string_view, kReadClients> kClientNames = {"fetch", "uop", "inp", "wgt", "acc"};
constexpr std::array<std::string_view, kStrips> kStripNames = {"uop", "inp", "wgt", "acc", "out"};

/// Streams the events of one document.
class Events {
  public:
    explicit Events(std::ostream& out) : out_(out) { out_ << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"; }
    ~Events() { out_ << "\n]}\n"; }
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    void add(const Json& event) {
        if (!first_) out_ << ",\n";
        first_ = false;
        out_ << event.dump();
    }
    void name_thread(int thread, const std::string& name) {
        add({{"ph", "M"}, {"pid", kProcess}, {"tid", thread}, {"name", "thread_name"}, {"args", {{"name", name}}}});
        add({{"ph", "M"},
             {"pid", kProcess},
             {"tid", thread},
             {"name", "thread_sort_index"},
             {"args", {{"sort_index", thread}}}});
    }

  private:
    std::ostream& out_;
    bool first_ = true;
};

Json bar(int thread, std::uint64_t begin, std::uint64_t end, std::string_view name) {
    return {{"ph", "X"}, {"pid", kProcess}, {"tid", thread}, {"ts", begin}, {"dur", end - begin}, {"name", name}};
}

void add_instructions(Events& events, const Program& program, const CycleResult& result) {
    for (std::size_t i = 0; i < result.records.size(); ++i) {
        const InstructionRecord& record = result.records[i];
        if (record.completed == kNever) continue;
        const Instruction& in = program.instructions[i];
        Json event =
            bar(kInstructionThread + static_cast<int>(module_of(in)), record.issued, record.completed, disassemble(in));
        event["cat"] = opcode_name(in.opcode);
        event["args"] = {{"index", i}, {"fetched", record.fetched}, {"memory_wait", record.memory_wait}};
        const std::uint32_t origin = program.origin_of(i);
        if (origin < program.origin_names.size()) event["args"]["origin"] = program.origin_names[origin];
        events.add(event);
    }
}

void add_causes(Events& events, const CycleResult& result) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const auto& list = result.lanes[lane];
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::uint64_t end = i + 1 < list.size() ? list[i + 1].begin : result.total_cycles;
            Json event = bar(kCauseThread + static_cast<int>(lane), list[i].begin, end, cause_name(list[i].cause));
            event["cat"] = is_busy(list[i].cause) ? "busy" : "wait";
            if (list[i].instruction != kNoInstruction) event["args"] = {{"index", list[i].instruction}};
            events.add(event);
        }
    }
}

void add_tokens(Events& events, const Program& program, const CycleResult& result) {
    std::uint64_t id = 0;
    for (const TokenArrow& arrow : token_arrows(program)) {
        const InstructionRecord& from = result.records[arrow.from];
        const InstructionRecord& to = result.records[arrow.to];
        if (from.completed == kNever || to.issued == kNever) continue;
        const auto end_point = [&](const char* phase, std::uint32_t instruction, std::uint64_t cycle) {
            const int thread = kInstructionThread + static_cast<int>(module_of(program.instructions[instruction]));
            Json event = {{"ph", phase},
                          {"pid", kProcess},
                          {"tid", thread},
                          {"ts", cycle},
                          {"id", id},
                          {"cat", "token"},
                          {"name", queue_name(arrow.queue)}};
            if (*phase == 'f') event["bp"] = "e";
            events.add(event);
        };
        end_point("s", arrow.from, from.completed - 1);
        end_point("f", arrow.to, to.issued);
        ++id;
    }
}

void add_occupancy(Events& events, const Occupancy& occupancy) {
    for (std::size_t strip = 0; strip < kStrips; ++strip) {
        const auto& samples = occupancy.elements[strip];
        for (std::size_t i = 0; i < samples.size(); ++i) {
            events.add({{"ph", "C"},
                        {"pid", kProcess},
                        {"ts", i * occupancy.cycles_per_sample},
                        {"name", std::string(kStripNames[strip]) + " elements"},
                        {"args", {{"occupied", samples[i]}}}});
        }
    }
}

} // namespace

void write_chrome_trace(std::ostream& out, const Program& program, const CycleResult& result,
                        const TraceOptions& options) {
    Events events(out);
    events.add(
        {{"ph", "M"}, {"pid", kProcess}, {"name", "process_name"}, {"args", {{"name", "VTA " + program.config.name}}}});
    for (int lane = 0; lane < kLanes; ++lane) {
        const std::string name(module_name(static_cast<Module>(lane)));
        if (options.instructions) events.name_thread(kInstructionThread + lane, name);
        if (options.causes) events.name_thread(kCauseThread + lane, name + " causes");
    }
    if (options.instructions) add_instructions(events, program, result);
    if (options.causes) add_causes(events, result);
    if (options.port) {
        events.name_thread(kPortThread, "read port");
        for (const PortInterval& i : result.port)
            events.add(bar(kPortThread, i.begin, i.end, kClientNames[static_cast<std::size_t>(i.client)]));
    }
    if (options.tokens && options.instructions && !result.records.empty() && result.lost_tokens == 0)
        add_tokens(events, program, result);
    if (options.occupancy != nullptr) add_occupancy(events, *options.occupancy);
}

} // namespace orrery::vta
