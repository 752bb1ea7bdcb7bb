// Outline: places; colours; bars; strips; arrows; axis and legend; tooltip; mouse and keys; moves; drawing.

#include "views/imgui/vta_timeline_canvas.hpp"

#include "views/model/vta_instructions.hpp"
#include "views/model/vta_statistics.hpp"

#include <imgui.h>

#include <algorithm>
#include <cmath>

namespace orrery::imgui {
namespace {

using views::VtaBar;
using views::VtaLane;
using State = VtaTimelineUiState;
using Data = views::VtaTimelineData;

constexpr float kLeft = 76, kRight = 14, kAxis = 22, kOverview = 18, kLegend = 20;
constexpr float kLeastLane = 12, kLeastStrip = 9;
constexpr double kFewestCycles = 8;
constexpr std::size_t kMostArrows = 240;
constexpr float kTextBar = 30; ///< narrowest bar with a name in it

ImVec2 at(float x, float y) { return {x, y}; }
void fill(float left, float top, float right, float bottom, Colour colour) {
    ImGui::GetWindowDrawList()->AddRectFilled(at(left, top), at(right, bottom), colour);
}
void text(ImDrawList* list, float x, float y, Colour colour, const std::string& words) {
    list->AddText(at(std::floor(x), std::floor(y)), colour, words.c_str(), words.c_str() + words.size());
}
float text_width(const std::string& words) { return ImGui::CalcTextSize(words.c_str()).x; }

/// A few hues in two tones, over and over.
Colour origin_colour(const Style& style, std::uint32_t origin) {
    const Colour base = style.kinds[origin % 4];
    return origin / 4 % 2 == 0 ? base : mix(base, style.ground, 0.4f);
}

struct LegendEntry {
    Colour colour;
    std::string name;
};
/// What the colours mean: origins, or the causes that the run has.
std::vector<LegendEntry> legend_entries(const Data& data, const State& state) {
    std::vector<LegendEntry> entries;
    if (!data.a) return entries;
    if (state.colouring == VtaColouring::Origin) {
        const auto& names = data.a->program.origin_names;
        for (std::uint32_t o = 0; o < names.size(); ++o) entries.push_back({origin_colour(state.style, o), names[o]});
        return entries;
    }
    for (int c = 0; c < static_cast<int>(vta::Cause::Idle); ++c) {
        const auto present = [&](const std::shared_ptr<const views::VtaRun>& run) {
            return run && std::ranges::any_of(run->cycles.causes,
                                              [&](const auto& lane) { return lane[static_cast<std::size_t>(c)] != 0; });
        };
        const auto cause = static_cast<vta::Cause>(c);
        if (present(data.a) || present(data.b))
            entries.push_back({vta_cause_colour(state.style, cause), std::string(vta::cause_name(cause))});
    }
    return entries;
}

/// Rows the legend takes in that width, at most three: names are measured by their letters, since no frame is open.
int legend_rows(const Data& data, const State& state, float width) {
    float x = 0;
    int rows = 1;
    for (const LegendEntry& e : legend_entries(data, state)) {
        const float entry = 5.6f * static_cast<float>(e.name.size()) + 26;
        if (x + entry > width) x = 0, ++rows;
        x += entry;
    }
    return std::min(rows, 3);
}

Colour bar_colour(const State& state, const views::VtaRun& run, const VtaBar& bar) {
    if (state.colouring == VtaColouring::Kind || bar.instruction == vta::kNoInstruction)
        return vta_cause_colour(state.style, bar.busy);
    return origin_colour(state.style, run.program.origin_of(bar.instruction));
}

/// Rectangles side by side of one colour, top and bottom are drawn as one: to a software rasterizer every triangle is
/// dear, and neighbouring columns of a long run look alike.
class Strand {
  public:
    Strand() = default;
    Strand(const Strand&) = delete;
    Strand& operator=(const Strand&) = delete;
    ~Strand() { end(); }
    void add(float left, float top, float right, float bottom, Colour colour) {
        if (colour == colour_ && top == top_ && bottom == bottom_ && left <= right_) {
            right_ = right;
            return;
        }
        end();
        left_ = left, top_ = top, right_ = right, bottom_ = bottom, colour_ = colour;
    }

  private:
    void end() const {
        if (right_ > left_ && bottom_ > top_) fill(left_, top_, right_, bottom_, colour_);
    }
    float left_ = 0, top_ = 0, right_ = -1, bottom_ = 0;
    Colour colour_ = 0;
};

/// To whole device pixels, as the rasterizer would.
float snapped(float y) {
    const float ratio = ImGui::GetIO().DisplayFramebufferScale.y;
    return std::round(y * ratio) / ratio;
}

/// One run's bars of one lane between two heights.
struct Row {
    const views::VtaRun& run;
    VtaLane lane;
    float top, bottom;
    bool first; ///< run A: what is selected is selected here
};

/// Waiting is loud where everything meets, in compute; elsewhere it is often as it should be.
std::uint8_t stall_alpha(VtaLane lane) { return lane == VtaLane::Compute ? 200 : 95; }

/// Busy below, waiting above it.
struct Strands {
    Strand busy, stall;
};

void draw_bar(const State& state, const VtaTimelineLayout& l, const Row& row, const VtaBar& bar, Strands& strands) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const float left = std::max(l.left, l.x(static_cast<double>(bar.begin)));
    float right = std::min(l.right, l.x(static_cast<double>(bar.end)));
    const float height = row.bottom - row.top;
    const auto cycles = static_cast<float>(bar.end - bar.begin);
    if (right <= left) return;
    if (bar.merged) {
        // Shares stacked from below: busy, then waiting; what is left of the height is idle.
        const auto share = [&](std::uint64_t part) { return height * static_cast<float>(part) / cycles; };
        const float middle = snapped(row.bottom - share(bar.busy_cycles));
        const float top = snapped(row.bottom - share(bar.busy_cycles + bar.stall_cycles));
        if (bar.busy_cycles != 0) strands.busy.add(left, middle, right, row.bottom, bar_colour(state, row.run, bar));
        if (bar.stall_cycles != 0)
            strands.stall.add(left, top, right, middle,
                              faded(vta_cause_colour(state.style, bar.stall), stall_alpha(row.lane)));
        return;
    }
    if (bar.busy_cycles == 0 && bar.stall_cycles == 0) return;
    if (right - left > 3) right -= 1;
    const bool waits = bar.busy_cycles == 0;
    const Colour colour = waits ? vta_cause_colour(state.style, bar.stall) : bar_colour(state, row.run, bar);
    const float inset = waits ? height * 0.3f : 0;
    fill(left, row.top + inset, right, row.bottom - inset, waits ? faded(colour, stall_alpha(row.lane)) : colour);
    if (row.first && state.selected != vta::kNoInstruction && bar.instruction == state.selected)
        list->AddRect(at(left, row.top), at(right, row.bottom), state.style.accent, 0, 0, 1.5f);
    if (right - left < kTextBar || height < 15) return;
    const vta::Cause cause = waits ? bar.stall : bar.busy;
    std::string words(vta::cause_name(cause));
    if (waits && height * 0.4f < 12) return;
    const float room = right - left - 8;
    if (text_width(words) > room) return;
    if (const std::string longer = words + "  " + views::grouped(bar.end - bar.begin); text_width(longer) <= room)
        words = longer;
    text(list, left + 5, (row.top + row.bottom) / 2 - 7, waits ? state.style.text : state.style.ground, words);
}

/// The rows of a lane: one run takes all of it, two share it.
template <class Each> void each_row(const Data& data, const VtaTimelineLayout& l, VtaLane lane, Each&& each) {
    const float top = l.lane_top[static_cast<std::size_t>(lane)], bottom = top + l.lane_height;
    const float middle = (top + bottom) / 2;
    if (data.a) each(Row{*data.a, lane, top, data.b ? middle - 1 : bottom, true});
    if (data.b) each(Row{*data.b, lane, middle + 1, bottom, false});
}

views::VtaWindow window_of(const VtaTimelineLayout& l) {
    return {l.first, l.first + l.shown, std::max(1, static_cast<int>(l.right - l.left))};
}

/// The bars of a row, those of the frame before taken over where they are the same.
std::span<const VtaBar> bars_of(const Row& row, State& state, const VtaTimelineLayout& l) {
    const views::VtaWindow window = window_of(l);
    const std::uint64_t column = views::vta_column(window);
    State::Shown& shown = state.shown[static_cast<std::size_t>(row.lane)][row.first ? 0 : 1];
    if (shown.run != &row.run || shown.column != column) shown = {&row.run, column, {}};
    shown.bars = views::build_vta_bars(row.run, row.lane, window, shown.bars);
    return shown.bars;
}

void draw_lanes(const Data& data, State& state, const VtaTimelineLayout& l) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    for (int i = 0; i < views::kVtaLanes; ++i) {
        const auto lane = static_cast<VtaLane>(i);
        const float top = l.lane_top[static_cast<std::size_t>(i)];
        text(list, 10, top + l.lane_height / 2 - 8, lane == state.lane ? state.style.text : state.style.dim,
             std::string(views::vta_lane_name(lane)));
        fill(l.left, top + l.lane_height, l.right, top + l.lane_height + 1, faded(state.style.hairline, 120));
        each_row(data, l, lane, [&](const Row& row) {
            if (data.b)
                text(list, l.left - 12, row.top + (row.bottom - row.top) / 2 - 8, state.style.faint,
                     row.first ? "A" : "B");
            Strands strands;
            for (const VtaBar& bar : bars_of(row, state, l)) draw_bar(state, l, row, bar, strands);
        });
    }
}

Colour strip_colour(const Style& style, std::size_t strip) {
    const std::array<Colour, vta::kStrips> colours = {style.kinds[4], style.kinds[1], style.kinds[2], style.kinds[0],
                                                      style.kinds[3]};
    return colours[strip];
}

void draw_strip(const views::VtaDetails& details, const State& state, const VtaTimelineLayout& l, std::size_t strip,
                bool outline) {
    const float bottom = l.strip_top[strip] + l.strip_height;
    const double depth = std::max<double>(1, static_cast<double>(details.occupancy.depth[strip]));
    const double total = static_cast<double>(details.run->total());
    const float width = 2;
    Strand strand;
    for (float x = l.left; x < l.right; x += width) {
        const double begin = l.cycle(x), end = l.cycle(x + width);
        if (begin >= total) break;
        const double held = views::vta_occupied(details, static_cast<vta::Strip>(strip),
                                                static_cast<std::uint64_t>(std::max(0.0, begin)),
                                                static_cast<std::uint64_t>(std::max(1.0, std::ceil(end))));
        const float height = static_cast<float>(std::min(1.0, held / depth)) * (l.strip_height - 3);
        if (height < 0.25f && held <= 0) continue;
        const float top = snapped(bottom - std::max(1.f, height));
        const Colour colour = strip_colour(state.style, strip);
        if (outline)
            strand.add(x, top, x + width, top + 1.5f, state.style.text);
        else
            strand.add(x, top, x + width, bottom, faded(colour, 150));
    }
}

void draw_strips(const Data& data, const State& state, const VtaTimelineLayout& l) {
    if (l.strip_height <= 0) return;
    constexpr const char* kNames[] = {"uop", "inp", "wgt", "acc", "out"};
    ImDrawList* list = ImGui::GetWindowDrawList();
    for (std::size_t s = 0; s < l.strip_top.size(); ++s) {
        const float top = l.strip_top[s];
        text(list, 10, top + l.strip_height / 2 - 8, state.style.dim, kNames[s]);
        fill(l.left, top + l.strip_height, l.right, top + l.strip_height + 1, faded(state.style.hairline, 120));
        if (data.a_details && !data.a_details->occupancy_skipped) draw_strip(*data.a_details, state, l, s, false);
        if (data.b_details && !data.b_details->occupancy_skipped) draw_strip(*data.b_details, state, l, s, true);
        if (!data.a_details || data.a_details->occupancy_skipped || l.strip_height < 16) continue;
        const auto& occupancy = data.a_details->occupancy;
        const std::string peak =
            "peak " + views::grouped(occupancy.peak[s]) + " of " + views::grouped(occupancy.depth[s]);
        const float width = text_width(peak);
        fill(l.right - width - 6, top + 1, l.right, top + 15, faded(state.style.ground, 190));
        text(list, l.right - width - 3, top, state.style.dim, peak);
    }
    if (data.a && !data.a_details)
        text(list, l.left + 8, l.strip_top[1], state.style.dim,
             data.followed ? "memories are being followed…" : "cancelled before the memories were followed");
    else if (data.a_details && data.a_details->occupancy_skipped)
        text(list, l.left + 8, l.strip_top[1], state.style.dim,
             "too many steps to follow the memories of this program");
}

float lane_middle(const VtaTimelineLayout& l, const Data& data, vta::Module module) {
    const float top = l.lane_top[static_cast<std::size_t>(views::lane_of(module))];
    return top + (data.b ? l.lane_height / 4 : l.lane_height / 2);
}

void draw_arrow(const Data& data, const State& state, const VtaTimelineLayout& l, const views::VtaArrow& arrow) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const auto module = [&](std::uint32_t i) { return vta::module_of(data.a->program.instructions[i]); };
    const float x0 = l.x(static_cast<double>(arrow.given)), x1 = l.x(static_cast<double>(arrow.taken));
    if (std::max(x0, x1) < l.left || std::min(x0, x1) > l.right) return;
    const float y0 = lane_middle(l, data, module(arrow.from)), y1 = lane_middle(l, data, module(arrow.to));
    const bool chosen = arrow.from == state.selected || arrow.to == state.selected;
    const Colour colour = chosen ? state.style.accent : faded(state.style.text, 120);
    const float bend = std::max(10.f, std::abs(x1 - x0) * 0.4f);
    list->AddBezierCubic(at(x0, y0), at(x0 + bend, y0), at(x1 - bend, y1), at(x1, y1), colour, chosen ? 2.f : 1.f, 16);
    list->AddCircleFilled(at(x0, y0), chosen ? 2.5f : 1.5f, colour, 8);
    list->AddTriangleFilled(at(x1, y1), at(x1 - 6, y1 - 3.5f), at(x1 - 6, y1 + 3.5f), colour);
}

void draw_arrows(const Data& data, const State& state, const VtaTimelineLayout& l) {
    if (!state.tokens || !data.a_details) return;
    ImDrawList* list = ImGui::GetWindowDrawList();
    list->PushClipRect(at(l.left, l.lane_top[0]), at(l.right, l.legend), true);
    const auto begin = static_cast<std::uint64_t>(std::max(0.0, l.first));
    const auto end = static_cast<std::uint64_t>(std::max(1.0, std::ceil(l.first + l.shown)));
    const auto most = std::min<std::size_t>(kMostArrows, static_cast<std::size_t>((l.right - l.left) / 8));
    for (const views::VtaArrow& arrow : views::build_vta_arrows(*data.a_details, begin, end, most))
        draw_arrow(data, state, l, arrow);
    if (state.selected != vta::kNoInstruction)
        for (const views::VtaArrow& arrow : views::vta_arrows_of(*data.a_details, state.selected))
            draw_arrow(data, state, l, arrow);
    list->PopClipRect();
}

double tick_cycles(double wanted) {
    const double power = std::pow(10.0, std::floor(std::log10(std::max(1.0, wanted))));
    for (const double step : {1.0, 2.0, 5.0, 10.0})
        if (step * power >= wanted) return std::max(1.0, step * power);
    return 10 * power;
}

void draw_axis(const State& state, const VtaTimelineLayout& l) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const double tick = tick_cycles(l.shown / std::max(1.0, static_cast<double>(l.right - l.left) / 110));
    for (double c = std::ceil(l.first / tick) * tick; c <= l.first + l.shown; c += tick) {
        const float x = l.x(c);
        fill(x, l.axis + kAxis, x + 1, l.legend, faded(state.style.hairline, 110));
        fill(x, l.axis + kAxis - 5, x + 1, l.axis + kAxis, state.style.faint);
        const std::string label = views::grouped(static_cast<std::uint64_t>(std::max(0.0, c)));
        if (x + text_width(label) + 5 < l.right) text(list, x + 4, l.axis + 4, state.style.dim, label);
    }
    text(list, 10, l.axis + 4, state.style.dim, "cycle");
}

void draw_overview_bars(const Row& row, const State& state, const VtaTimelineLayout& whole) {
    State plain;
    plain.style = state.style, plain.colouring = state.colouring;
    Strands strands;
    for (const VtaBar& bar : state.overview) {
        if (bar.merged) {
            draw_bar(plain, whole, row, bar, strands);
        } else if (bar.busy_cycles + bar.stall_cycles != 0) {
            fill(whole.x(static_cast<double>(bar.begin)), row.top, whole.x(static_cast<double>(bar.end)), row.bottom,
                 bar.busy_cycles != 0 ? bar_colour(plain, row.run, bar)
                                      : faded(vta_cause_colour(state.style, bar.stall), 170));
        }
    }
}

/// The whole run in a small row, with what is shown below as a box.
void draw_overview(const Data& data, State& state, const VtaTimelineLayout& l) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    const auto total = static_cast<double>(data.total());
    const int pixels = std::max(1, static_cast<int>(l.right - l.left));
    if (state.overview_of != data.a.get() || state.overview_pixels != pixels) {
        state.overview_of = data.a.get(), state.overview_pixels = pixels;
        state.overview =
            data.a ? views::build_vta_bars(*data.a, VtaLane::Compute, {0, total, pixels}) : std::vector<VtaBar>();
    }
    VtaTimelineLayout whole = l;
    whole.first = 0, whole.shown = std::max(1.0, total);
    const float top = l.overview + 2, bottom = l.overview + kOverview - 4;
    fill(l.left, top, l.right, bottom, state.style.panel);
    if (data.a) draw_overview_bars({*data.a, VtaLane::Compute, top, bottom, false}, state, whole);
    if (l.shown < total * 0.999) {
        const float x0 = whole.x(l.first), x1 = std::max(x0 + 3, whole.x(l.first + l.shown));
        fill(l.left, top, x0, bottom, faded(state.style.ground, 150));
        fill(x1, top, l.right, bottom, faded(state.style.ground, 150));
        list->AddRect(at(x0, top - 1), at(x1, bottom + 1), state.style.text);
    }
    text(list, 10, l.overview, state.style.dim, "all");
}

void draw_legend(const Data& data, const State& state, const VtaTimelineLayout& l) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    float x = l.left, y = l.legend;
    for (const LegendEntry& e : legend_entries(data, state)) {
        const float width = text_width(e.name) + 26;
        if (x + width > l.right) x = l.left, y += kLegend - 4;
        fill(x, y + 6, x + 9, y + 14, e.colour);
        text(list, x + 13, y + 2, state.style.dim, e.name);
        x += width;
    }
    if (!data.b || l.strip_height <= 0) return;
    const std::string words = "memories: A filled, B as a line";
    if (x + text_width(words) < l.right) text(list, x + 4, y + 2, state.style.dim, words);
}

void draw_range(const State& state, const VtaTimelineLayout& l) {
    if (state.range_end <= state.range_begin) return;
    ImDrawList* list = ImGui::GetWindowDrawList();
    const float x0 = std::clamp(l.x(static_cast<double>(state.range_begin)), l.left, l.right);
    const float x1 = std::clamp(l.x(static_cast<double>(state.range_end)), l.left, l.right);
    fill(l.left, l.axis + kAxis, x0, l.legend, faded(state.style.ground, 130));
    fill(x1, l.axis + kAxis, l.right, l.legend, faded(state.style.ground, 130));
    fill(x0, l.axis, x1, l.axis + kAxis, faded(state.style.accent, 50));
    for (const float x : {x0, x1}) fill(x - 0.5f, l.axis, x + 1, l.legend, state.style.accent);
    const std::string label = views::grouped(state.range_end - state.range_begin) + " cycles";
    if (x1 - x0 > text_width(label) + 12) {
        const float x = (x0 + x1 - text_width(label)) / 2;
        fill(x - 4, l.axis + 2, x + text_width(label) + 4, l.axis + kAxis - 2, state.style.raised);
        text(list, x, l.axis + 4, state.style.text, label);
    }
}

/// The run, lane and bar below the mouse.
struct Under {
    const views::VtaRun* run = nullptr;
    bool first = true;
    VtaLane lane = VtaLane::Compute;
    std::optional<VtaBar> bar;
};
Under under_mouse(const Data& data, const VtaTimelineLayout& l, const Input& input) {
    Under under;
    if (input.mouse_x < l.left || input.mouse_x >= l.right) return under;
    for (int i = 0; i < views::kVtaLanes; ++i) {
        const auto lane = static_cast<VtaLane>(i);
        each_row(data, l, lane, [&](const Row& row) {
            if (input.mouse_y < row.top - 1 || input.mouse_y >= row.bottom + 1) return;
            under.run = &row.run, under.first = row.first, under.lane = lane;
            const double cycle = l.cycle(input.mouse_x);
            if (cycle >= 0) under.bar = views::vta_bar_at(row.run, lane, static_cast<std::uint64_t>(cycle));
        });
    }
    return under;
}

void tooltip(const Under& under, const Data& data, const Style& style) {
    if (!under.bar || (under.bar->busy_cycles == 0 && under.bar->stall_cycles == 0)) return;
    const VtaBar& bar = *under.bar;
    const vta::Cause cause = bar.busy_cycles != 0 ? bar.busy : bar.stall;
    std::string words = std::string(views::vta_lane_name(under.lane)) +
                        (data.b ? (under.first ? " · A" : " · B") : "") + " · " + std::string(vta::cause_name(cause)) +
                        " · " + views::grouped(bar.end - bar.begin) + " cycles, " + views::grouped(bar.begin) + " to " +
                        views::grouped(bar.end);
    words += "\nThe module " + std::string(views::vta_cause_help(cause)) + ".";
    if (under.lane != VtaLane::Port && bar.instruction != vta::kNoInstruction)
        words += "\n\n" + views::vta_instruction_help(*under.run, bar.instruction);
    ImGui::PushStyleColor(ImGuiCol_PopupBg, style.raised);
    ImGui::PushStyleColor(ImGuiCol_Border, style.hairline);
    ImGui::PushStyleColor(ImGuiCol_Text, style.text);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(8, 6));
    ImGui::BeginTooltip();
    ImGui::PushTextWrapPos(520);
    ImGui::TextUnformatted(words.c_str());
    ImGui::PopTextWrapPos();
    ImGui::EndTooltip();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(3);
}

void clamp_view(const Data& data, State& state) {
    const double total = std::max(1.0, static_cast<double>(data.total()));
    if (state.cycles_shown <= 0 || state.cycles_shown >= total) {
        state.cycles_shown = 0, state.first_cycle = 0;
        return;
    }
    state.cycles_shown = std::max(state.cycles_shown, std::min(kFewestCycles, total));
    state.first_cycle = std::clamp(state.first_cycle, 0.0, total - state.cycles_shown);
}

void zoom(const Data& data, State& state, const VtaTimelineLayout& l, double pivot, double factor) {
    state.cycles_shown = std::max(kFewestCycles, l.shown * factor);
    state.first_cycle = pivot - (pivot - l.first) * state.cycles_shown / l.shown;
    clamp_view(data, state);
}

void select(State& state, std::uint32_t instruction, const views::VtaSink& sink) {
    state.selected = instruction;
    if (sink) sink(views::VtaSelectInstruction{instruction});
}

void set_range(State& state, double begin, double end, const Data& data) {
    const double total = static_cast<double>(data.total());
    if (begin > end) std::swap(begin, end);
    state.range_begin = static_cast<std::uint64_t>(std::floor(std::clamp(begin, 0.0, total)));
    state.range_end = static_cast<std::uint64_t>(std::ceil(std::clamp(end, 0.0, total)));
}

/// The neighbour in the same module's order.
std::uint32_t neighbour(const views::VtaRun& run, std::uint32_t from, int direction) {
    if (from >= run.size()) return run.size() == 0 ? vta::kNoInstruction : 0;
    const vta::Module module = vta::module_of(run.program.instructions[from]);
    for (std::uint32_t i = from; direction < 0 ? i > 0 : i + 1 < run.size();) {
        i = direction < 0 ? i - 1 : i + 1;
        if (vta::module_of(run.program.instructions[i]) == module) return i;
    }
    return from;
}

void answer_keys(const Data& data, State& state, const VtaTimelineLayout& l, const Input& input,
                 const views::VtaSink& sink) {
    const bool over = input.mouse_x >= l.left && input.mouse_x < l.right;
    const double pivot = over ? l.cycle(input.mouse_x) : l.first + l.shown / 2;
    switch (input.key) {
    case 'w': zoom(data, state, l, pivot, 0.7); break;
    case 's': zoom(data, state, l, pivot, 1 / 0.7); break;
    case 'a':
    case 'd':
        state.cycles_shown = l.shown;
        state.first_cycle = l.first + (input.key == 'a' ? -0.2 : 0.2) * l.shown;
        clamp_view(data, state);
        break;
    case '0': state.first_cycle = 0, state.cycles_shown = 0; break;
    case 'f':
        if (state.range_end > state.range_begin)
            show_cycles(data, state, static_cast<double>(state.range_begin), static_cast<double>(state.range_end));
        else if (data.a && data.a->ran(state.selected))
            show_cycles(data, state, static_cast<double>(data.a->cycles.records[state.selected].issued),
                        static_cast<double>(data.a->cycles.records[state.selected].completed));
        break;
    case 'n': (void)go_to_stall(data, state, input.shift ? -1 : 1, sink); break;
    case 't': state.tokens = !state.tokens; break;
    case '\x1b':
        state.range_begin = state.range_end = 0;
        if (sink) sink(views::VtaSelectRange{});
        break;
    default: break;
    }
    if (input.step != 0 && data.a) {
        select(state, neighbour(*data.a, state.selected, input.step), sink);
        reveal_instruction(data, state, state.selected);
    }
}

void begin_drag(State& state, const VtaTimelineLayout& l, const Input& input) {
    const bool ranges =
        ImGui::IsMouseClicked(1) || (ImGui::IsMouseClicked(0) && (input.shift || input.mouse_y < l.axis + kAxis));
    if (!ranges && !ImGui::IsMouseClicked(0) && !ImGui::IsMouseClicked(2)) return;
    // A click in the overview moves the view there; the axis above the lanes begins a range.
    state.drag = input.mouse_y < l.axis ? State::Drag::Overview : ranges ? State::Drag::Range : State::Drag::Pan;
    state.moved = false;
    state.anchor = l.cycle(std::clamp(input.mouse_x, l.left, l.right));
}

void answer_mouse(const Data& data, State& state, const VtaTimelineLayout& l, const Input& input,
                  const views::VtaSink& sink) {
    const ImGuiIO& io = ImGui::GetIO();
    const bool over = ImGui::IsWindowHovered();
    if (over && input.wheel != 0) {
        if (input.shift) {
            state.cycles_shown = l.shown;
            state.first_cycle = l.first - static_cast<double>(input.wheel) * 0.1 * l.shown;
            clamp_view(data, state);
        } else {
            zoom(data, state, l, l.cycle(std::clamp(input.mouse_x, l.left, l.right)), std::pow(0.8, input.wheel));
        }
    }
    if (over && state.drag == State::Drag::None) begin_drag(state, l, input);
    const bool down = io.MouseDown[0] || io.MouseDown[1] || io.MouseDown[2];
    if (state.drag == State::Drag::Overview && down) {
        const double total = static_cast<double>(data.total());
        state.moved = true;
        state.cycles_shown = l.shown;
        state.first_cycle = static_cast<double>((input.mouse_x - l.left) / (l.right - l.left)) * total - l.shown / 2;
        clamp_view(data, state);
    } else if (state.drag != State::Drag::None && down && (io.MouseDelta.x != 0 || io.MouseDelta.y != 0)) {
        const float travelled = std::abs(l.x(state.anchor) - input.mouse_x);
        state.moved = state.moved || travelled > 3;
        if (state.moved && state.drag == State::Drag::Pan) {
            state.cycles_shown = l.shown;
            state.first_cycle =
                state.anchor - static_cast<double>((input.mouse_x - l.left) / (l.right - l.left)) * l.shown;
            clamp_view(data, state);
        }
        if (state.moved && state.drag == State::Drag::Range)
            set_range(state, state.anchor, l.cycle(std::clamp(input.mouse_x, l.left, l.right)), data);
    }
    if (state.drag != State::Drag::None && !down) {
        const bool range = state.drag == State::Drag::Range, moved = state.moved;
        state.drag = State::Drag::None;
        if (range && moved && sink) sink(views::VtaSelectRange{state.range_begin, state.range_end});
        if (!moved) {
            const Under under = under_mouse(data, l, input);
            if (under.run != nullptr) state.lane = under.lane;
            if (under.first && under.bar && under.lane != VtaLane::Port) select(state, under.bar->instruction, sink);
        }
    }
    if (over && ImGui::IsMouseDoubleClicked(0)) {
        const Under under = under_mouse(data, l, input);
        state.drag = State::Drag::None; // the release that follows selects nothing else
        if (under.bar)
            show_cycles(data, state, static_cast<double>(under.bar->begin), static_cast<double>(under.bar->end));
        else
            state.first_cycle = 0, state.cycles_shown = 0;
    }
}

} // namespace

Colour vta_cause_colour(const Style& s, vta::Cause cause) {
    using C = vta::Cause;
    switch (cause) {
    case C::Fetch: return s.kinds[4];
    case C::LoadInp: return s.kinds[1];
    case C::LoadWgt: return s.kinds[2];
    case C::LoadUop: return mix(s.kinds[1], s.ground, 0.45f);
    case C::LoadAcc: return mix(s.kinds[2], s.ground, 0.45f);
    case C::Store: return s.kinds[3];
    case C::Gemm: return s.kinds[0];
    case C::Alu: return mix(s.kinds[0], s.text, 0.45f);
    case C::Fill: return mix(s.kinds[0], s.ground, 0.55f);
    case C::Sync: return mix(s.kinds[4], s.ground, 0.3f);
    case C::Finish: return s.text;
    case C::WaitTokenPrev: return s.bad;
    case C::WaitTokenNext: return mix(s.bad, s.ground, 0.4f);
    case C::WaitLatency: return s.warning;
    case C::WaitPort: return mix(s.warning, s.ground, 0.4f);
    case C::WaitQueue: return mix(s.bad, s.warning, 0.5f);
    case C::WaitFetch: return mix(s.bad, s.kinds[4], 0.6f);
    case C::Idle: return s.ground;
    }
    return s.ground;
}

VtaTimelineLayout vta_timeline_layout(const Data& data, const State& state, const Input& input) {
    VtaTimelineLayout l;
    const double total = std::max(1.0, static_cast<double>(data.total()));
    l.left = kLeft;
    l.right = std::max(kLeft + 20, input.width - kRight);
    l.overview = 4;
    l.axis = l.overview + kOverview;
    const int rows = legend_rows(data, state, l.right - l.left);
    l.legend = std::max(l.axis + kAxis + 40, input.height - kLegend - static_cast<float>(rows - 1) * (kLegend - 4));
    const float room = l.legend - l.axis - kAxis - 8;
    // Lanes share with strips, which take what is left, down to what can still be read of both; then strips go.
    const float gap = room > 260 ? 6 : 3, least = data.b ? 19 : kLeastLane;
    const float beside_strips = (room - 4 - 5 * (kLeastStrip + gap)) / 5 - gap;
    const bool strips = beside_strips >= least;
    l.lane_height =
        strips ? std::clamp(room * (room < 340 ? 0.095f : 0.115f), least, std::min(beside_strips, data.b ? 56.f : 44.f))
               : std::clamp(room / 5 - gap, 8.f, 44.f);
    float y = l.axis + kAxis + 4;
    for (float& top : l.lane_top) top = y, y += l.lane_height + gap;
    if (strips) {
        y += 4;
        l.strip_height = std::clamp((l.legend - y) / 5 - gap, kLeastStrip, 60.f);
        for (float& top : l.strip_top) top = y, y += l.strip_height + gap;
    }
    l.shown = state.cycles_shown <= 0 ? total : std::min(total, state.cycles_shown);
    l.first = std::clamp(state.first_cycle, 0.0, total - l.shown);
    return l;
}

void show_cycles(const Data& data, State& state, double begin, double end) {
    const double margin = std::max(2.0, (end - begin) * 0.06);
    state.first_cycle = begin - margin;
    state.cycles_shown = std::max(kFewestCycles, end - begin + 2 * margin);
    clamp_view(data, state);
}

void reveal_instruction(const Data& data, State& state, std::uint32_t instruction) {
    state.selected = instruction;
    if (!data.a || !data.a->ran(instruction)) return;
    const auto begin = static_cast<double>(data.a->cycles.records[instruction].issued);
    const auto end = static_cast<double>(data.a->cycles.records[instruction].completed);
    const double shown = state.cycles_shown <= 0 ? static_cast<double>(data.total()) : state.cycles_shown;
    if (begin >= state.first_cycle && end <= state.first_cycle + shown) return;
    if (end - begin > shown) return show_cycles(data, state, begin, end);
    state.first_cycle = (begin + end - shown) / 2;
    state.cycles_shown = shown;
    clamp_view(data, state);
}

bool go_to_stall(const Data& data, State& state, int direction, const views::VtaSink& sink) {
    if (!data.a || data.a->total() == 0) return false;
    const double shown = state.cycles_shown <= 0 ? static_cast<double>(data.total()) : state.cycles_shown;
    std::uint64_t from = static_cast<std::uint64_t>(std::max(0.0, state.first_cycle + shown / 2));
    if (state.cycles_shown <= 0) from = direction > 0 ? 0 : data.a->total();
    if (state.stall_of == state.selected && state.selected != vta::kNoInstruction) {
        from = state.stall_at; // on from the stall shown last: an instruction may wait before and within
    } else if (data.a->ran(state.selected) &&
               views::lane_of(vta::module_of(data.a->program.instructions[state.selected])) == state.lane) {
        // From the selected instruction: its own stall lies before it.
        const std::uint64_t issued = data.a->cycles.records[state.selected].issued;
        from = direction > 0 ? issued : issued - std::min(issued, views::vta_wait_before(*data.a, state.selected));
    }
    const auto stall = views::vta_next_stall(*data.a, state.lane, from, direction, state.stall_least);
    if (!stall) return false;
    const auto begin = static_cast<double>(stall->begin), end = static_cast<double>(stall->end);
    const double width = std::clamp(shown, (end - begin) * 3, std::max((end - begin) * 60, 400.0));
    state.first_cycle = (begin + end - width) / 2, state.cycles_shown = width;
    clamp_view(data, state);
    select(state, stall->instruction, sink);
    state.stall_of = stall->instruction, state.stall_at = stall->begin;
    return true;
}

void draw(const Data& data, State& state, const Input& input, const views::VtaSink& sink) {
    ImDrawList* list = ImGui::GetWindowDrawList();
    if (!data.a || data.total() == 0) {
        const float width = text_width(data.empty_reason);
        text(list, std::max(8.f, (input.width - width) / 2), input.height / 2 - 8, state.style.dim, data.empty_reason);
        return;
    }
    clamp_view(data, state);
    VtaTimelineLayout l = vta_timeline_layout(data, state, input);
    answer_mouse(data, state, l, input, sink);
    answer_keys(data, state, l, input, sink);
    l = vta_timeline_layout(data, state, input);
    draw_overview(data, state, l);
    draw_axis(state, l);
    draw_lanes(data, state, l);
    draw_strips(data, state, l);
    draw_arrows(data, state, l);
    draw_range(state, l);
    draw_legend(data, state, l);
    if (state.drag == State::Drag::None && ImGui::IsWindowHovered())
        tooltip(under_mouse(data, l, input), data, state.style);
}

} // namespace orrery::imgui
