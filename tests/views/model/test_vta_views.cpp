#include "views/model/vta_config_view.hpp"
#include "views/model/vta_instructions.hpp"
#include "views/model/vta_statistics.hpp"
#include "views/model/vta_step.hpp"
#include "views/model/vta_timeline.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace orrery;
using namespace orrery::views;

namespace {

std::shared_ptr<const VtaRun> run_of(const std::string& example, int contexts = 2) {
    VtaRequest request;
    request.example = example;
    request.contexts = contexts;
    request.config = vta_preset("tsim-de10");
    vta::Program program = build_vta_program(request).value();
    return build_vta_run(request, std::move(program));
}

/// The cause of one cycle, found by walking the lane.
vta::Cause cause_at(const vta::CycleResult& result, std::size_t lane, std::uint64_t cycle) {
    vta::Cause cause = vta::Cause::Idle;
    for (const vta::Interval& interval : result.lanes[lane])
        if (interval.begin <= cycle) cause = interval.cause;
    return cause;
}

using Sums = std::array<std::uint64_t, vta::kCauses>;
Sums walked(const vta::CycleResult& result, std::size_t lane, std::uint64_t begin, std::uint64_t end) {
    Sums sums{};
    const auto& list = result.lanes[lane];
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::uint64_t stop = i + 1 < list.size() ? list[i + 1].begin : result.total_cycles;
        const std::uint64_t low = std::max(begin, list[i].begin), high = std::min(end, stop);
        if (low < high) sums[static_cast<std::size_t>(list[i].cause)] += high - low;
    }
    return sums;
}

struct Cut {
    std::uint64_t begin, end;
};
std::vector<Cut> cuts(std::uint64_t total, int count) {
    std::minstd_rand random(7);
    std::vector<Cut> out = {{0, total}, {0, 1}, {total - 1, total}, {total / 2, total / 2}};
    for (int i = 0; i < count; ++i) {
        std::uint64_t a = random() % (total + 1), b = random() % (total + 1);
        if (i % 2 == 0) b = std::min(total, a + random() % 300);
        out.push_back({std::min(a, b), std::max(a, b)});
    }
    return out;
}

} // namespace

TEST_CASE("sums over ranges equal a walk over the lane", "[views][vta]") {
    const auto run = run_of("resnet18_c4");
    for (const Cut& cut : cuts(run->total(), 100)) {
        CAPTURE(cut.begin, cut.end);
        for (std::size_t lane = 0; lane < run->lanes.size(); ++lane) {
            const Sums sums = run->lanes[lane].within(cut.begin, cut.end);
            REQUIRE(sums == walked(run->cycles, lane, cut.begin, cut.end));
            std::uint64_t all = 0;
            for (const std::uint64_t c : sums) all += c;
            REQUIRE(all == cut.end - cut.begin);
        }
        REQUIRE(run->port.within(cut.begin, cut.end) == vta::count_range(run->cycles, cut.begin, cut.end).read_beats);
    }
}

TEST_CASE("bars tile the window at every zoom and add up exactly", "[views][vta]") {
    const auto run = run_of("resnet18_c9", 1);
    for (const Cut& cut : cuts(run->total(), 60)) {
        for (const int pixels : {7, 300, 1500}) {
            CAPTURE(cut.begin, cut.end, pixels);
            for (int l = 0; l < kVtaLanes; ++l) {
                const auto lane = static_cast<VtaLane>(l);
                const VtaWindow window{static_cast<double>(cut.begin), static_cast<double>(cut.end), pixels};
                const auto bars = build_vta_bars(*run, lane, window);
                if (cut.begin == cut.end) {
                    REQUIRE(bars.empty());
                    continue;
                }
                REQUIRE(bars.size() <= static_cast<std::size_t>(2 * pixels + 4));
                std::uint64_t at = cut.begin, busy = 0, stall = 0;
                for (const VtaBar& bar : bars) {
                    REQUIRE(bar.begin == at);
                    REQUIRE(bar.end > bar.begin);
                    REQUIRE(bar.busy_cycles + bar.stall_cycles <= bar.end - bar.begin);
                    at = bar.end, busy += bar.busy_cycles, stall += bar.stall_cycles;
                }
                REQUIRE(at == cut.end);
                std::uint64_t exact_busy = 0, exact_stall = 0;
                if (const auto module = module_of(lane)) {
                    const Sums sums = walked(run->cycles, static_cast<std::size_t>(*module), cut.begin, cut.end);
                    for (int c = 0; c < vta::kCauses; ++c) {
                        const auto cause = static_cast<vta::Cause>(c);
                        if (vta::is_busy(cause))
                            exact_busy += sums[static_cast<std::size_t>(c)];
                        else if (cause != vta::Cause::Idle)
                            exact_stall += sums[static_cast<std::size_t>(c)];
                    }
                } else {
                    for (const std::uint64_t beats : vta::count_range(run->cycles, cut.begin, cut.end).read_beats)
                        exact_busy += beats;
                }
                REQUIRE(busy == exact_busy);
                REQUIRE(stall == exact_stall);
            }
        }
    }
}

TEST_CASE("merged bars stand still when the window moves", "[views][vta]") {
    const auto run = run_of("resnet18_c2");
    const auto bars = [&](double begin) {
        return build_vta_bars(*run, VtaLane::Compute, {begin, begin + 200'000, 500});
    };
    const auto first = bars(0), moved = bars(1600);
    std::size_t common = 0;
    for (const VtaBar& bar : moved)
        for (const VtaBar& other : first)
            if (bar.begin == other.begin && bar.end == other.end) ++common;
    CHECK(common * 100 >= moved.size() * 90);
}

TEST_CASE("bars taken over from another window are those built anew", "[views][vta]") {
    const auto run = run_of("resnet18_c9", 1);
    std::minstd_rand random(5);
    const auto same = [](const VtaBar& a, const VtaBar& b) {
        return a.begin == b.begin && a.end == b.end && a.instruction == b.instruction && a.busy == b.busy &&
               a.stall == b.stall && a.busy_cycles == b.busy_cycles && a.stall_cycles == b.stall_cycles &&
               a.merged == b.merged;
    };
    for (const double width : {300.0, 5'000.0, 80'000.0}) {
        for (int l = 0; l < kVtaLanes; ++l) {
            const auto lane = static_cast<VtaLane>(l);
            std::vector<VtaBar> before;
            for (int i = 0; i < 40; ++i) {
                const double begin = static_cast<double>(random() % (run->total() - 80'000));
                const VtaWindow window{i % 3 == 0 ? begin : begin / 8, (i % 3 == 0 ? begin : begin / 8) + width, 700};
                const auto anew = build_vta_bars(*run, lane, window);
                before = build_vta_bars(*run, lane, window, before);
                REQUIRE(std::ranges::equal(anew, before, same));
            }
        }
    }
}

TEST_CASE("what lies at a cycle", "[views][vta]") {
    const auto run = run_of("matmul", 1);
    for (std::uint64_t cycle = 0; cycle < run->total(); cycle += 97)
        for (const VtaLane lane : {VtaLane::Load, VtaLane::Compute, VtaLane::Store}) {
            const auto bar = vta_bar_at(*run, lane, cycle);
            REQUIRE(bar);
            REQUIRE((bar->begin <= cycle && cycle < bar->end));
            const vta::Cause cause = cause_at(run->cycles, static_cast<std::size_t>(*module_of(lane)), cycle);
            if (cause == vta::Cause::Idle)
                REQUIRE(bar->busy_cycles + bar->stall_cycles == 0);
            else
                REQUIRE((bar->busy_cycles != 0 ? bar->busy : bar->stall) == cause);
        }
    CHECK_FALSE(vta_bar_at(*run, VtaLane::Compute, run->total()));
}

TEST_CASE("stalls are found one after another, in both directions", "[views][vta]") {
    const auto run = run_of("resnet18_c4", 1);
    for (const std::uint64_t least : {std::uint64_t{1}, std::uint64_t{200}}) {
        std::vector<std::uint64_t> expected;
        const auto& list = run->cycles.lanes[1];
        for (std::size_t i = 1; i + 1 < list.size(); ++i)
            if (!vta::is_busy(list[i].cause) && list[i].cause != vta::Cause::Idle &&
                list[i + 1].begin - list[i].begin >= least)
                expected.push_back(list[i].begin);
        std::vector<std::uint64_t> forward, back;
        std::uint64_t at = 0;
        while (const auto stall = vta_next_stall(*run, VtaLane::Compute, at, 1, least))
            forward.push_back(at = stall->begin);
        CHECK(forward == expected);
        at = run->total() - 1;
        while (const auto stall = vta_next_stall(*run, VtaLane::Compute, at, -1, least))
            back.push_back(at = stall->begin);
        std::ranges::reverse(back);
        if (!back.empty() && back.front() == list.front().begin) back.erase(back.begin());
        CHECK(back == expected);
    }
}

TEST_CASE("arrows within a range are all that touch it", "[views][vta]") {
    const auto run = run_of("resnet18_c4");
    const auto details = build_vta_details(run);
    CHECK(details->findings.empty());
    const auto arrows = vta::token_arrows(run->program);
    for (const Cut& cut : cuts(run->total(), 30)) {
        std::size_t expected = 0;
        for (const vta::TokenArrow& arrow : arrows)
            expected +=
                run->cycles.records[arrow.to].issued >= cut.begin && run->cycles.records[arrow.from].completed < cut.end
                    ? 1
                    : 0;
        CHECK(build_vta_arrows(*details, cut.begin, cut.end, 1'000'000).size() == expected);
        if (expected > 3) CHECK(build_vta_arrows(*details, cut.begin, cut.end, 3).empty());
    }
    std::size_t of_instructions = 0;
    for (std::uint32_t i = 0; i < run->size(); ++i) of_instructions += vta_arrows_of(*details, i).size();
    CHECK(of_instructions == 2 * arrows.size());
}

TEST_CASE("occupancy of a range is the mean of its samples", "[views][vta]") {
    const auto run = run_of("matmul");
    const auto details = build_vta_details(run);
    REQUIRE(details->occupancy.cycles_per_sample == 1);
    const auto& samples = details->occupancy.elements[3];
    for (const Cut& cut : cuts(run->total(), 20)) {
        if (cut.begin == cut.end) continue;
        double sum = 0;
        for (std::uint64_t c = cut.begin; c < cut.end; ++c) sum += static_cast<double>(samples[c]);
        CHECK(vta_occupied(*details, vta::Strip::Acc, cut.begin, cut.end) ==
              Approx(sum / static_cast<double>(cut.end - cut.begin)).margin(1e-6));
    }
}

TEST_CASE("causes of every module sum to the cycles, whole and in a range", "[views][vta]") {
    const auto run = run_of("resnet18_c9", 1);
    for (const Cut& cut : cuts(run->total(), 12)) {
        if (cut.begin == cut.end) continue;
        const VtaStatistics s = build_vta_statistics(*run, cut.begin, cut.end);
        CHECK(s.whole == (cut.begin == 0 && cut.end == run->total()));
        CHECK(s.summary.cycles == cut.end - cut.begin);
        for (std::size_t lane = 0; lane < 4; ++lane) {
            CHECK(s.counters.causes[lane] == walked(run->cycles, lane, cut.begin, cut.end));
            double sum = 0;
            for (std::size_t r = 0; r + 1 < s.causes.rows.size(); ++r) sum += s.causes.rows[r].cells[lane + 1].sort_key;
            CHECK(sum == Approx(static_cast<double>(cut.end - cut.begin)));
        }
        CHECK_FALSE(s.sentence.empty());
        CHECK(s.roofline.points.size() == s.origins.rows.size() + 1);
        CHECK(to_text(s).find(s.sentence) != std::string::npos);
        CHECK(to_json(s).find("\"causes\"") != std::string::npos);
    }
}

TEST_CASE("one thread beside two", "[views][vta]") {
    const auto one = build_vta_statistics(*run_of("resnet18_c9", 1)),
               two = build_vta_statistics(*run_of("resnet18_c9", 2));
    CHECK(one.summary.gemm_utilization < 0.65);
    CHECK(two.summary.gemm_utilization > 0.9);
    const Table table = compare_vta(one, two);
    REQUIRE(table.rows.front().cells[0].text == "cycles");
    CHECK(table.rows.front().cells[3].sort_key < 0.7);
}

TEST_CASE("instructions: rows, waits, fields, words", "[views][vta]") {
    const auto run = run_of("resnet18_c4", 1);
    std::uint64_t waited = 0;
    for (std::uint32_t i = 0; i < run->size(); ++i) waited += vta_wait_before(*run, i);
    std::uint64_t expected = 0;
    for (std::size_t lane = 0; lane < 3; ++lane)
        for (const vta::Cause cause : {vta::Cause::WaitTokenPrev, vta::Cause::WaitTokenNext, vta::Cause::WaitFetch})
            expected += run->cycles.causes[lane][static_cast<std::size_t>(cause)];
    CHECK(waited == expected);

    const auto row = vta_instruction_row(*run, 0);
    CHECK(row.text.starts_with("load"));
    CHECK(row.ran);
    const vta::Instruction& in = run->program.instructions[0];
    const auto fields = vta_fields(run->program.config, in);
    CHECK(fields.front().name == "opcode");
    for (const VtaField& field : fields) {
        CHECK_FALSE(field.help.empty());
        CHECK((field.lowest <= field.number && field.number <= field.highest));
    }
    // Every word of every instruction is documented.
    for (std::uint32_t i = 0; i < run->size(); ++i) {
        const std::string text = vta_instruction_row(*run, i).text;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find(' ', at), text.size());
            CAPTURE(text, text.substr(at, end - at));
            REQUIRE_FALSE(vta_word_help(text.substr(at, end - at)).empty());
            at = end + 1;
        }
    }
    CHECK(parse_vta_instruction(run->program.config, row.text).instruction == in);
    CHECK_FALSE(parse_vta_instruction(run->program.config, "gemm uops=nonsense").error.empty());
    CHECK_FALSE(parse_vta_instruction(run->program.config, "gemm uops=0:1 iter=1x1 dst=9999,0").error.empty());
    CHECK(find_vta_instruction(*run, 0, 1, "finish") == run->size() - 1);
    CHECK(find_vta_instruction(*run, 0, 1, "no such word") == vta::kNoInstruction);
}

TEST_CASE("an edited instruction changes the run and says so", "[views][vta]") {
    const auto run = run_of("resnet18_c4", 1);
    VtaRequest request = run->request;
    std::uint32_t gemm = 0;
    while (run->program.instructions[gemm].opcode != vta::Opcode::Gemm || run->program.instructions[gemm].reset) ++gemm;
    vta::Instruction edited = run->program.instructions[gemm];
    edited.iter_in = static_cast<std::uint16_t>(edited.iter_in - 1);
    request.edits[gemm] = {run->program.instructions[gemm], edited};
    const auto other = build_vta_run(request, build_vta_program(request).value());
    CHECK(other->cycles.gemm_steps < run->cycles.gemm_steps);
    CHECK(vta_instruction_row(*other, gemm).edited);
    CHECK(vta_title(request).find("1 edited") != std::string::npos);
    // A program built anew with other tiles has another instruction there: it is left as it is.
    request.config = vta_preset("gemm-1x32x32");
    const vta::Program rebuilt = build_vta_program(request).value();
    request.edits.clear();
    CHECK(build_vta_program(request).value() == rebuilt);
}

TEST_CASE("stepping goes back to what was", "[views][vta]") {
    const auto run = run_of("matmul");
    VtaStepper stepper(run);
    const VtaTile tile{vta::Strip::Acc, 0};
    std::vector<std::string> forward;
    for (std::uint64_t p = 0; p <= run->size(); ++p) {
        stepper.seek(p);
        forward.push_back(to_json(stepper.view(tile)));
    }
    CHECK(stepper.view(tile).position == run->size());
    for (std::uint64_t p = run->size(); p-- > 0;) {
        stepper.seek(p);
        CHECK(to_json(stepper.view(tile)) == forward[p]);
    }
    stepper.seek(run->size() + 5);
    CHECK(stepper.view(tile).at_end);
}

TEST_CASE("breakpoints stop at an instruction, a tile, a stall", "[views][vta]") {
    const auto run = run_of("resnet18_c4", 1);
    const vta::Config& config = run->program.config;
    VtaStepper stepper(run);
    const VtaTile tile{vta::Strip::Acc, 5};
    (void)stepper.run_to_break({vta_breakpoint_named(config, "40").value()}, 1);
    CHECK(std::ranges::count(stepper.view(tile).next, 40u) == 1);
    stepper.seek(0);
    CHECK(stepper.run_to_break({vta_breakpoint_named(config, "acc[5]").value()}, 1).find("acc[5]") !=
          std::string::npos);
    const VtaStepView at_tile = stepper.view(tile);
    CHECK(at_tile.grids[3].touched[5] == VtaTouch::Written);
    const std::uint64_t first = at_tile.position;
    (void)stepper.run_to_break({vta_breakpoint_named(config, "acc[5]").value()}, 1);
    CHECK(stepper.position() > first);
    (void)stepper.run_to_break({vta_breakpoint_named(config, "acc[5]").value()}, -1);
    CHECK(stepper.position() == first);
    stepper.seek(0);
    (void)stepper.run_to_break({vta_breakpoint_named(config, "stall 100").value()}, 1);
    CHECK(vta_wait_before(*run, stepper.view(tile).last) >= 100);
    CHECK(stepper.run_to_break({}, 1) == "the end");

    for (const char* text : {"12", "instruction 12", "acc[3]", "stall", "stall 7"})
        CHECK(vta_breakpoint_named(config, text).has_value());
    for (const char* text : {"", "acc[99999]", "acc[", "when it rains", "stall x", "-1"})
        CHECK(vta_breakpoint_named(config, text).error().code == vta::ErrorCode::BadSyntax);
}

TEST_CASE("a deadlock is a finding with an instruction to go to", "[views][vta]") {
    const auto run = run_of("deadlock");
    const auto details = build_vta_details(run);
    const Table findings = vta_findings(*run, *details);
    REQUIRE_FALSE(findings.rows.empty());
    CHECK(findings.rows.front().cells[0].text == "deadlock");
    CHECK(findings.rows.front().cells[1].sort_key > 0);
    const VtaStatistics s = build_vta_statistics(*run);
    CHECK(s.sentence.find("load->compute") != std::string::npos);
    VtaStepper stepper(run);
    CHECK(stepper.run_to_break({}, 1).find("deadlock") != std::string::npos);
}

TEST_CASE("the configuration editor names rules and remedies", "[views][vta]") {
    const vta::Config config = vta_preset("tsim-de10");
    VtaConfigView view = build_vta_config(config);
    CHECK(view.violations.empty());
    CHECK(view.headline.find("51.2 GOPS") != std::string::npos);
    std::size_t knobs = 0;
    for (const VtaKnobGroup& group : view.groups) knobs += group.rows.size();
    CHECK(knobs == vta::knobs().size()); // none is left out
    const vta::Config broken = with_knob(config, "LOG_ACC_BUFF_SIZE", 19);
    view = build_vta_config(broken);
    REQUIRE_FALSE(view.violations.empty());
    REQUIRE(view.violations.front().repairs);
    const vta::Config repaired = with_knob(broken, view.violations.front().key, view.violations.front().nearest);
    CHECK(build_vta_config(repaired).violations.size() < view.violations.size());
    CHECK(with_knob(with_knob(config, "CLOCK_MHZ", 200), "CLOCK_MHZ", 100).name == "tsim-de10");
    CHECK(build_vta_config(vta_preset("gemm-1x32x32")).headline.find("307.2 GOPS") != std::string::npos);
    CHECK(build_vta_config(vta_preset("gemm-4x16x16")).headline.find("256.0 GOPS") != std::string::npos);
}

TEST_CASE("a file's program keeps its shape and may change its clock", "[views][vta]") {
    const auto run = run_of("matmul");
    VtaRequest request;
    request.file = std::make_shared<const vta::Program>(run->program);
    request.config = with_knob(run->program.config, "DRAM_LATENCY", 200);
    CHECK(build_vta_program(request).has_value());
    request.config = with_knob(run->program.config, "LOG_BLOCK", 5);
    CHECK(build_vta_program(request).error().code == vta::ErrorCode::BadConfig);
}
