#include "views/model/screen_builder.hpp"

#include "core/base/hash.hpp"
#include "core/session/history.hpp"
#include "core/session/schedule_edit.hpp"

#include <algorithm>
#include <concepts>
#include <utility>

namespace orrery::views {
namespace {

using Key = ScreenBuilder::Key;

template <class T> std::uint64_t address(const T& shared) { return reinterpret_cast<std::uint64_t>(shared.get()); }
std::uint64_t word(std::int64_t value) { return static_cast<std::uint64_t>(value); }

void add_text(Key& key, const std::string& text) {
    const Hash hash = hash_bytes(text.data(), text.size());
    key.push_back(hash.high);
    key.push_back(hash.low);
}

void add_origins(Key& key, const OriginSet& origins) {
    for (const SourceId id : origins.ids()) key.push_back(id);
    key.push_back(word(-1));
}

std::uint64_t code_address(const session::Snapshot& snapshot, const session::FunctionPtr& function) {
    if (!function) return 0;
    const auto it = snapshot.code.find(function->lowered.name);
    return it == snapshot.code.end() ? 0 : address(it->second);
}

/// Whether the code is there and the processor's model, with AT&T's syntax, still to come.
bool cost_pending(const session::Snapshot& snapshot, const session::FunctionPtr& function) {
    const auto made = function ? snapshot.code.find(function->lowered.name) : snapshot.code.end();
    return made != snapshot.code.end() && made->second->cost_pending;
}

void add_functions(Key& key, const session::Snapshot& snapshot) {
    for (const session::FunctionPtr& f : snapshot.functions) key.push_back(address(f));
    key.push_back(word(-1));
}

Key stages_key(const session::Snapshot& s, const ViewOptions& o, std::uint64_t compiled) {
    const session::FunctionPtr function = shown_function(s, o.function);
    Key key{word(o.selected_stage),   address(function),      code_address(s, function), compiled,
            s.jobs.empty() ? 0u : 1u, address(s.step_checks), address(s.bisection),      address(s.history)};
    for (const auto& step : s.steps) key.push_back(address(step));
    key.push_back(word(static_cast<std::int64_t>(s.recipe.passes.size())));
    return key;
}

/// What a comparison reads of one side.
void add_side(Key& key, const session::Snapshot& snapshot, const session::Point& point) {
    key.push_back(static_cast<std::uint64_t>(point.level));
    if (const auto step = session::step_of(point, snapshot)) {
        key.push_back(address(step));
        return;
    }
    const session::FunctionPtr function = session::function_of(point, snapshot);
    key.push_back(address(function));
    key.push_back(word(point.step));
    key.push_back(point.level >= session::Level::Ir ? code_address(snapshot, function) : 0);
}

Key request_key(const DiffRequest& request) {
    Key key;
    add_text(key, request.empty_reason);
    if (!request.empty_reason.empty() || !request.left || !request.right) return key;
    key.push_back(request.left == request.right ? 1u : 2u);
    add_side(key, *request.left, request.left_point);
    add_side(key, *request.right, request.right_point);
    return key;
}

/// Names of the traces kept beside the one in force.
void add_branches(Key& key, const session::Snapshot& snapshot, const session::ScheduledFunction& function) {
    if (const auto* branches = session::branches_of(snapshot.recipe, function.lowered))
        for (const auto& [name, trace] : *branches) add_text(key, name);
}

Key measure_key(const session::Snapshot& s, const session::FunctionPtr& function) {
    Key key{address(function), address(s.measurements), s.has_model() ? 1u : 0u, function ? 0u : address(s.compiled)};
    for (const session::JobStatus& job : s.jobs)
        if (job.label.starts_with("measuring ")) {
            add_text(key, job.detail);
            key.push_back(word(static_cast<std::int64_t>(job.fraction * 1000)));
        }
    return key;
}

Key tune_key(const session::Snapshot& s, const TuneOptions& o) {
    if (!o.on) return {};
    Key key{address(s.tuning), word(o.trial), word(o.beside), o.by_time ? 1u : 0u, s.has_model() ? 1u : 0u};
    add_text(key, o.workload);
    add_functions(key, s);
    for (const session::JobStatus& job : s.jobs)
        if (job.label.starts_with("tuning ")) key.push_back(job.id);
    return key;
}

DiffRequest pair_request(const TrialPair& pair) {
    constexpr session::Level kLevels[] = {session::Level::Tensor, session::Level::OptimizedIr,
                                          session::Level::Assembly};
    DiffRequest request{pair.left, pair.right, {}, {}, "Choose a trial to see it beside another."};
    if (pair.level < 0 || pair.level > 2 || !pair.left || !pair.right) return request;
    request.empty_reason.clear();
    request.left_point = request.right_point = {kLevels[pair.level], -1, pair.function};
    for (const session::SnapshotPtr& side : {pair.left, pair.right}) {
        const session::FunctionPtr function = shown_function(*side, pair.function);
        const bool code = function && (pair.level == 0 || side->code.contains(function->lowered.name));
        if (!code) request.empty_reason = "Compiling " + side->title + "…";
        if (!side->problems.empty() && side->jobs.empty()) request.empty_reason = to_string(side->problems.front());
    }
    return request;
}

bool compares_graphs(const DiffRequest& request) {
    return request.empty_reason.empty() && request.left && request.right && request.left->has_model() &&
           request.right->has_model() && request.left_point.level == session::Level::Graph &&
           request.right_point.level == session::Level::Graph;
}

void add_problems(Key& key, const session::Snapshot& s) {
    for (const Diagnostic& d : s.problems) add_text(key, to_string(d));
    key.push_back(word(static_cast<std::int64_t>(s.problems.size())));
}

Key problems_key(const session::Snapshot& s) {
    Key key{s.has_model() ? 1u : 0u};
    add_problems(key, s);
    return key;
}

/// What the graph of a step is drawn from.
Key picture_key(const session::Snapshot& s, int step, const GraphOptions& o) {
    Key key{address(shown_step(s, step)), address(s.run), address(s.check),
            (o.group_repeats ? 1u : 0u) + (o.show_constants ? 2u : 0u) + (static_cast<std::uint64_t>(o.groups) << 2) +
                (static_cast<std::uint64_t>(o.group_by) << 8) + (static_cast<std::uint64_t>(o.overlay) << 16)};
    // What functions cost is that of their programs as lowered: another schedule leaves the picture as it is.
    for (const session::FunctionPtr& f : s.functions) key.push_back(address(f->lowered.program));
    key.push_back(word(-1));
    if (!s.has_model()) add_text(key, s.title);
    for (const std::string& name : o.toggled) add_text(key, name);
    return key;
}

std::string side_status(const session::Snapshot& s) {
    if (!s.problems.empty() && s.problems.front().severity == Severity::Error) return s.problems.front().message;
    if (!s.jobs.empty()) return s.jobs.front().label;
    return s.has_model() ? "" : "reading " + s.title;
}

} // namespace

ScreenBuilder::ScreenBuilder(std::shared_ptr<layout::LayoutEngine> layouts)
    : layouts_(std::move(layouts)), start_(std::make_shared<StartViewData>(build_start())) {}

template <class T, class Build> std::shared_ptr<const T> ScreenBuilder::part(Part<T>& kept, Key key, Build&& build) {
    if (kept.data && kept.key == key) return kept.data;
    auto built = std::make_shared<const T>(build());
    if constexpr (std::equality_comparable<T>)
        if (kept.data && *kept.data == *built) built = kept.data; // nothing to draw anew
    kept = {std::move(key), std::move(built)};
    return kept.data;
}

template <class T, class Build> std::shared_ptr<const T>
ScreenBuilder::recent(RecentParts<T>& kept, Key key, const session::SnapshotPtr& snapshot, Build&& build) {
    constexpr std::size_t kKept = 8;
    auto& entries = kept.entries;
    const auto known = std::ranges::find_if(entries, [&](const auto& entry) { return entry.part.key == key; });
    if (known != entries.end()) {
        entries.splice(entries.begin(), entries, known);
        return kept.last();
    }
    auto built = std::make_shared<const T>(build());
    if constexpr (std::equality_comparable<T>)
        if (kept.last() && *kept.last() == *built) built = kept.last(); // nothing to draw anew
    entries.push_front({{std::move(key), std::move(built)}, snapshot});
    if (entries.size() > kKept) {
        old_.push_back(std::move(entries.back().alive));
        entries.pop_back();
    }
    return kept.last();
}

/// What is drawn of a compiled model stays while an edit is compiled: it is seldom another, and soon there.
void ScreenBuilder::follow_compiled(const session::Snapshot& s) {
    const bool under_way = !s.compiled && !s.jobs.empty() && s.has_model() && last_ && last_->title == s.title;
    if (!under_way && compiled_ != s.compiled) old_.push_back(std::exchange(compiled_, s.compiled));
}

Key ScreenBuilder::graph_key(const session::SnapshotPtr& snapshot, const ViewOptions& o) {
    Key key = picture_key(*snapshot, o.graph_step, o.graph);
    if (const DiffRequest request = diff_request(snapshot, o); o.diff.on && compares_graphs(request))
        for (const std::uint64_t part : request_key(request)) key.push_back(part);
    return key;
}

Key ScreenBuilder::diff_key(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    if (!options.diff.on) return {};
    return request_key(diff_request(snapshot, options));
}

Key ScreenBuilder::history_key(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    if (!options.history || !snapshot->has_model()) return {};
    Key key{word(options.graph_step), word(static_cast<std::int64_t>(snapshot->steps.size()))};
    for (const auto& step : snapshot->steps) key.push_back(address(step));
    add_functions(key, *snapshot);
    add_origins(key, options.selection.origins);
    add_text(key, options.history_value);
    return key;
}

ViewOptions ScreenBuilder::program_options(const ViewOptions& options) {
    ViewOptions out;
    out.function = options.function, out.tensor_step = options.tensor_step;
    out.schedule.refusal = options.schedule.refusal;
    out.raw_ir = options.raw_ir, out.backend_pass = options.backend_pass, out.att_syntax = options.att_syntax;
    return out;
}

Key ScreenBuilder::programs_key(const ViewOptions& options) {
    Key key{word(options.tensor_step), options.raw_ir ? 1u : 0u, word(options.backend_pass),
            options.att_syntax ? 1u : 0u};
    add_text(key, options.function);
    add_text(key, options.schedule.refusal);
    return key;
}

ScreenBuilder::Programs ScreenBuilder::make_programs(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    const session::Snapshot& s = *snapshot;
    const session::FunctionPtr function = shown_function(s, options.function);
    Programs out;
    // Without a function the text says why there is none.
    const Key text{address(function), word(options.tensor_step), s.has_model() ? 1u : 0u,
                   function ? 0u : address(s.compiled), function || !s.has_model() ? 0u : address(s.steps.back())};
    out.tensor = recent(tensor_, text, snapshot, [&] { return build_tensor(s, options); });
    Key tree = text;
    add_text(tree, options.schedule.refusal);
    if (function) add_branches(tree, s, *function);
    tree.push_back(address(s.schedule_check));
    out.loops = recent(loops_, std::move(tree), snapshot, [&] { return build_loops(s, options); });
    const std::uint64_t code = code_address(s, function);
    // The last code stays until the new one is there: it is gone before anybody has read that it is being generated.
    out.code_pending = function && (code == 0 || (cost_pending(s, function) && options.att_syntax)) &&
                       !s.jobs.empty() && llvm_.last() && assembly_.last() && machine_.last() &&
                       assembly_.last()->subject == function->lowered.name && assembly_.last()->line_count() > 0;
    if (out.code_pending) {
        out.llvm = llvm_.last(), out.assembly = assembly_.last();
        return out;
    }
    const Key code_key{address(function),
                       code,
                       options.raw_ir ? 1u : 0u,
                       address(out.tensor),
                       word(options.tensor_step),
                       word(options.backend_pass),
                       address(s.after_pass.listing),
                       options.att_syntax ? 1u : 0u};
    out.llvm = recent(llvm_, code_key, snapshot, [&] { return build_code(s, options, CodeView::Llvm, *out.tensor); });
    out.assembly =
        recent(assembly_, code_key, snapshot, [&] { return build_code(s, options, CodeView::Assembly, *out.tensor); });
    return out;
}

std::optional<ScreenBuilder::Programs> ScreenBuilder::build_programs(const session::SnapshotPtr& snapshot,
                                                                     const ViewOptions& options) {
    const bool same_model = last_ && last_->title == snapshot->title && last_->has_model() && snapshot->has_model();
    if (!same_model || !programs_.tensor) return std::nullopt;
    Programs made = make_programs(snapshot, options);
    if (made == programs_ || made.tensor->subject != programs_.tensor->subject) return std::nullopt;
    programs_ = std::move(made);
    return programs_;
}

/// What else is made of the shown function's code. Pre: its texts are there.
void ScreenBuilder::build_code_parts(Screen& screen, const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    const session::Snapshot& s = *snapshot;
    if (screen.code_pending) {
        screen.stages = stages_.data; // it lists the passes that made the code
        screen.machine = machine_.last();
        return;
    }
    const session::FunctionPtr function = shown_function(s, options.function);
    screen.stages = part(stages_, stages_key(s, options, address(compiled_)), [&] { return build_stages(s, options); });
    screen.machine =
        cost_pending(s, function) && machine_.last()
            ? machine_.last()
            : recent(machine_, {address(function), code_address(s, function), function ? 0 : address(s.compiled)},
                     snapshot, [&] { return build_machine(s, options); });
}

Screen ScreenBuilder::build(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    const session::Snapshot& s = *snapshot;
    Screen screen;
    screen.start = start_;
    // While a model is read its panes stand already, each with a sentence.
    screen.has_model = s.has_model() || (!s.title.empty() && !s.jobs.empty()) || !s.recipe.scratch.empty();
    const session::FunctionPtr function = shown_function(s, options.function);
    programs_ = make_programs(snapshot, options);
    screen.tensor = programs_.tensor, screen.loops = programs_.loops;
    screen.llvm = programs_.llvm, screen.assembly = programs_.assembly;
    screen.code_pending = programs_.code_pending;
    follow_compiled(s);
    build_code_parts(screen, snapshot, options);
    screen.measure = part(measure_, measure_key(s, function), [&] { return build_measure(s, options); });
    Key inspected{address(shown_step(s, options.graph_step)), address(compiled_), address(s.run)};
    add_origins(inspected, options.selection.origins);
    screen.inspector = part(inspector_, std::move(inspected), [&] { return build_inspector(s, options); });
    screen.memory = part(memory_, {address(compiled_)}, [&] { return build_memory(s); });
    screen.run = part(run_, {address(s.run), address(s.check), address(compiled_)}, [&] { return build_run(s); });
    screen.profile =
        part(profile_, {address(s.profile), s.has_model() ? address(s.steps.back()) : 0, address(compiled_)},
             [&] { return build_profile(s); });
    screen.profile_job = profile_job(s);
    screen.tune = part(tune_, tune_key(s, options.tune),
                       [&] { return options.tune.on ? build_tune(s, options.tune) : TuneViewData{}; });
    screen.problems = part(problems_, problems_key(s), [&] { return build_problems(s.problems, s.has_model()); });
    Key steps;
    for (const auto& step : s.steps) steps.push_back(address(step));
    screen.search = part(search_, std::move(steps), [&] { return build_search(s); });
    screen.script =
        part(script_, {address(s.history), s.has_model() ? 1u : 0u}, [&] { return build_script(s, &commands_); });
    Key edited{options.editor ? 1u : 0u, address(shown_step(s, options.graph_step)), address(s.history),
               word(options.graph_step)};
    const bool scratch = !s.recipe.scratch.empty();
    if (scratch) add_text(edited, s.recipe.scratch), add_problems(edited, s), edited.push_back(address(screen.tensor));
    screen.edit = part(edit_, std::move(edited), [&] {
        EditViewData edit = options.editor || scratch ? build_edit(s, options) : EditViewData{};
        tint_links(edit, *screen.tensor);
        return edit;
    });
    screen.status = build_status(s);
    screen.shown_step = options.graph_step < 0 ? static_cast<int>(s.steps.size()) - 1 : options.graph_step;
    screen.selection = options.selection;
    for (const session::FunctionPtr& f : s.functions) screen.functions.push_back(f->lowered.name);
    screen.model_title = s.title;
    if (screen.has_model) screen.target_title = target_title(s.recipe);
    screen.undo_title = s.undo_label, screen.redo_title = s.redo_label;
    screen.threads = s.recipe.threads > 0 ? s.recipe.threads : s.recipe.target.cores;
    screen.max_threads = std::max(screen.threads, s.recipe.target.cores);
    screen.heat = options.heat;
    screen.overlay = options.graph.overlay, screen.group_by = options.graph.group_by;
    if (options.diff.other) screen.other_title = options.diff.other->title;
    for (const session::SnapshotPtr& other : options.sides.others) {
        if (other == options.diff.other) screen.chosen_other = static_cast<int>(screen.other_titles.size());
        screen.other_titles.push_back(other->title);
    }
    screen.left_pinned = options.diff.pinned.has_value();
    screen.att_syntax = options.att_syntax;
    old_.push_back(std::exchange(last_, snapshot));
    return screen;
}

void ScreenBuilder::keep_drawn(Drawn drawn) {
    constexpr std::size_t kKeptGraphs = 160;    // steps of a long recipe, back and forth
    constexpr std::size_t kKeptNodes = 400'000; // in all of them. Source: our choice, about 200 MB
    drawn_.push_front(std::move(drawn));
    std::size_t nodes = 0;
    for (auto it = drawn_.begin(); it != drawn_.end(); ++it) {
        nodes += it->data->nodes.size() + it->data->table.rows.size();
        if (nodes <= kKeptNodes || it == drawn_.begin()) continue;
        drawn_.erase(it, drawn_.end());
        break;
    }
    if (drawn_.size() > kKeptGraphs) drawn_.pop_back();
}

Result<std::shared_ptr<const GraphViewData>>
ScreenBuilder::build_graph(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress) {
    Key key = graph_key(snapshot, options);
    const DiffRequest request = diff_request(snapshot, options);
    if (graph_.data && graph_.key == key) return graph_.data;
    const bool same_model = last_graph_snapshot_ && last_graph_snapshot_->title == snapshot->title &&
                            last_graph_snapshot_->recipe.model == snapshot->recipe.model;
    if (last_graph_snapshot_ && !(last_graph_snapshot_->recipe == snapshot->recipe)) drawn_.clear();
    const auto known = std::find_if(drawn_.begin(), drawn_.end(), [&](const Drawn& d) { return d.key == key; });
    if (known != drawn_.end()) {
        drawn_.splice(drawn_.begin(), drawn_, known);
        graph_ = {std::move(key), drawn_.front().data};
    } else if (!snapshot->has_model()) {
        GraphViewData none;
        if (!snapshot->title.empty()) none.empty_reason = "Reading " + snapshot->title + "…";
        graph_ = {std::move(key), std::make_shared<const GraphViewData>(std::move(none))};
    } else {
        const bool both = options.diff.on && compares_graphs(request);
        // While a model is read, pictures of its first steps come and go: nobody has looked at them yet.
        const bool settled =
            same_model && last_graph_snapshot_->steps.size() > last_graph_snapshot_->recipe.passes.size();
        const GraphViewData* before =
            settled && graph_.data && !graph_.data->nodes.empty() ? graph_.data.get() : nullptr;
        const GraphDescription description =
            both ? describe_diff(request)
                 : describe_graph(*snapshot, options.graph_step, {options.graph.group_by, &costs_});
        ORRERY_TRY(GraphViewData built, build_graph_view(description, options.graph, *layouts_, progress, before));
        graph_ = {std::move(key), std::make_shared<const GraphViewData>(std::move(built))};
        keep_drawn({graph_.key, {snapshot, request.left, request.right}, graph_.data});
    }
    last_graph_snapshot_ = snapshot;
    graph_alive_ = {request.left, request.right};
    return graph_.data;
}

Result<std::shared_ptr<const DiffViewData>> ScreenBuilder::build_comparison(const session::SnapshotPtr& snapshot,
                                                                            const ViewOptions& options,
                                                                            const Progress& progress) {
    Key key = diff_key(snapshot, options);
    if (diff_.data && diff_.key == key) return diff_.data;
    if (!options.diff.on) {
        diff_ = {std::move(key), std::make_shared<const DiffViewData>()};
        return diff_.data;
    }
    const DiffRequest request = diff_request(snapshot, options);
    ORRERY_TRY(DiffViewData built, build_diff(request, progress));
    diff_ = {std::move(key), std::make_shared<const DiffViewData>(std::move(built))};
    diff_alive_ = {request.left, request.right};
    return diff_.data;
}

Key ScreenBuilder::pair_key(const ViewOptions& options) { return request_key(pair_request(options.pair)); }

Result<std::shared_ptr<const DiffViewData>> ScreenBuilder::build_pair(const ViewOptions& options,
                                                                      const Progress& progress) {
    Key key = pair_key(options);
    if (pair_.data && pair_.key == key) return pair_.data;
    const DiffRequest request = pair_request(options.pair);
    DiffViewData built;
    built.empty_reason = request.empty_reason;
    if (request.empty_reason.empty()) { ORRERY_TRY(built, build_diff(request, progress)); }
    pair_ = {std::move(key), std::make_shared<const DiffViewData>(std::move(built))};
    pair_alive_ = {request.left, request.right};
    return pair_.data;
}

Result<std::shared_ptr<const HistoryViewData>> ScreenBuilder::build_history(const session::SnapshotPtr& snapshot,
                                                                            const ViewOptions& options,
                                                                            const Progress& progress) {
    Key key = history_key(snapshot, options);
    if (history_.data && history_.key == key) return history_.data;
    HistoryViewData built;
    if (options.history && snapshot->has_model()) {
        const auto last = static_cast<int>(snapshot->steps.size()) - 1;
        const int step = options.graph_step < 0 || options.graph_step > last ? last : options.graph_step;
        const graph::Module& module = snapshot->steps[static_cast<std::size_t>(step)]->module;
        graph::Var value = options.history_value.empty() ? nullptr : session::find_value(module, options.history_value);
        if (!value) value = session::find_value(module, options.selection.origins);
        if (value) {
            ORRERY_TRY(const session::ValueHistory history,
                       session::history_of(*snapshot, static_cast<std::size_t>(step), value, progress));
            built = views::build_history(*snapshot, history);
        }
    }
    history_ = {std::move(key), std::make_shared<const HistoryViewData>(std::move(built))};
    history_alive_ = snapshot;
    return history_.data;
}

Key ScreenBuilder::choices_key(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    const session::FunctionPtr function = shown_function(*snapshot, options.function);
    Key key{address(function), word(options.tensor_step)};
    add_text(key, options.schedule.menu);
    add_text(key, options.schedule.preview);
    return key;
}

ScreenBuilder::Choices ScreenBuilder::build_choices(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    const Key shown{address(shown_function(*snapshot, options.function)), word(options.tensor_step)};
    Key menu = shown, preview = shown;
    add_text(menu, options.schedule.menu);
    add_text(preview, options.schedule.preview);
    // A preview is what the eye waits for: a menu is looked through while it is already there.
    Choices out;
    out.preview = part(preview_, std::move(preview), [&] { return build_preview(*snapshot, options); });
    out.menu = part(menu_, std::move(menu), [&] { return build_menu(*snapshot, options); });
    choices_alive_ = snapshot;
    return out;
}

Key ScreenBuilder::access_key(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    if (!options.access.on) return {};
    const session::FunctionPtr function = shown_function(*snapshot, options.function);
    // Without a function the pane says why there is none.
    Key key{address(function), word(options.tensor_step), function ? 0u : address(snapshot->compiled),
            snapshot->has_model() ? address(snapshot->steps.back()) : 0u};
    add_text(key, options.access.place);
    add_text(key, options.access.buffer);
    return key;
}

std::shared_ptr<const AccessViewData> ScreenBuilder::build_access(const session::SnapshotPtr& snapshot,
                                                                  const ViewOptions& options) {
    const auto data = part(access_, access_key(snapshot, options), [&] {
        return options.access.on ? views::build_access(*snapshot, options) : AccessViewData{};
    });
    access_alive_ = snapshot;
    return data;
}

Key ScreenBuilder::sides_key(const session::SnapshotPtr& snapshot, const ViewOptions& options) {
    if (!options.sides.on || !snapshot->has_model()) return {};
    Key key = picture_key(*snapshot, options.graph_step, options.graph);
    for (const session::SnapshotPtr& other : options.sides.others) {
        const Key own = picture_key(*other, same_step(*snapshot, options.graph_step, *other), options.graph);
        key.insert(key.end(), own.begin(), own.end());
        add_text(key, other->title + side_status(*other));
    }
    return key;
}

Result<std::shared_ptr<const GraphViewData>> ScreenBuilder::side_graph(std::size_t index,
                                                                       const session::SnapshotPtr& snapshot,
                                                                       const ViewOptions& options,
                                                                       const Progress& progress) {
    SidePart& part = side_parts_[index];
    const session::SnapshotPtr& other = options.sides.others[index];
    const int step = same_step(*snapshot, options.graph_step, *other);
    Key mapped{address(snapshot->steps.front()), other->has_model() ? address(other->steps.front()) : 0};
    Key key = picture_key(*other, step, options.graph);
    key.insert(key.end(), mapped.begin(), mapped.end());
    if (part.graph.data && part.graph.key == key) return part.graph.data;
    GraphViewData none;
    none.empty_reason = side_status(*other);
    std::shared_ptr<const GraphViewData> built = std::make_shared<const GraphViewData>(std::move(none));
    if (other->has_model()) {
        if (part.mapped != mapped)
            part.origins = session::map_sources(snapshot->steps.front()->module, other->steps.front()->module);
        const GraphDescription description = describe_side({*snapshot, *other, step, static_cast<int>(index) + 1},
                                                           part.origins, {options.graph.group_by, &side_costs_});
        const bool same = part.alive[1] && part.alive[1]->title == other->title && !part.graph.data->nodes.empty();
        ORRERY_TRY(GraphViewData drawn, build_graph_view(description, options.graph, *layouts_, progress,
                                                         same ? part.graph.data.get() : nullptr));
        built = std::make_shared<const GraphViewData>(std::move(drawn));
    }
    part.graph = {std::move(key), std::move(built)};
    part.mapped = std::move(mapped);
    part.alive = {snapshot, other};
    return part.graph.data;
}

Result<std::shared_ptr<const SidesViewData>>
ScreenBuilder::build_sides(const session::SnapshotPtr& snapshot, const ViewOptions& options, const Progress& progress) {
    Key key = sides_key(snapshot, options);
    if (sides_.data && sides_.key == key) return sides_.data;
    SidesViewData data;
    const std::vector<session::SnapshotPtr>& others = options.sides.others;
    if (!key.empty()) {
        side_parts_.resize(others.size());
        const auto nothing = std::make_shared<const GraphViewData>();
        data.sides.push_back({snapshot->title, target_title(snapshot->recipe), {}, nothing});
        std::vector<ComparedStep> columns{{snapshot, options.graph_step}};
        Key figures{address(shown_step(*snapshot, options.graph_step)), address(snapshot->run)};
        for (std::size_t i = 0; i < others.size(); ++i) {
            ORRERY_TRY(const auto graph, side_graph(i, snapshot, options, progress));
            data.sides.push_back({others[i]->title, target_title(others[i]->recipe), side_status(*others[i]), graph});
            columns.push_back({others[i], same_step(*snapshot, options.graph_step, *others[i])});
            figures.push_back(address(shown_step(*others[i], columns.back().step)));
            figures.push_back(address(others[i]->run));
            add_text(figures, others[i]->title);
        }
        std::erase_if(columns, [](const ComparedStep& c) { return !c.snapshot->has_model(); });
        if (!figures_.data || figures_.key != figures) {
            if (others.empty()) columns.clear(); // nobody sees them
            ORRERY_TRY(Table table, compare_figures(columns, progress));
            figures_ = {std::move(figures), std::make_shared<const Table>(std::move(table))};
        }
        data.figures = *figures_.data;
        const auto step = shown_step(*snapshot, options.graph_step);
        data.summary = std::to_string(data.sides.size()) + " recipes, " +
                       (step->name == "import" ? std::string("as imported") : "after " + step->name);
    } else {
        side_parts_.clear();
        figures_ = {};
    }
    sides_ = {std::move(key), std::make_shared<const SidesViewData>(std::move(data))};
    sides_alive_ = others;
    sides_alive_.push_back(snapshot);
    return sides_.data;
}

} // namespace orrery::views
