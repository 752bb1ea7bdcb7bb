// 1. Each convolution chooses for itself, in a conversion whose result is dropped: what that comes to.
// 2. A problem of choices: a node for the layout each convolution reads and one for the layout it gives, with the
//    kernel's cost between the two; one node for a depthwise convolution, and for what is carried along. A value that
//    several read has alternatives of two layouts, the second one made once for all who want it.
// 3. Solved; taken if it costs less than 1., where each distinct layout a value is wanted in is counted once.

#include "core/transform/layout_planner.hpp"

#include "core/transform/channel_shuffle.hpp"
#include "core/transform/choice_problem.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_set>

namespace orrery::transform {

using graph::Binding;
using graph::CallOp;
using graph::Var;

std::int64_t block_in(const std::string& layout) {
    const Result<ops::Layout> parsed = ops::parse_layout(layout);
    return parsed && parsed->names() == "NCHW" ? parsed->block('C') : 0;
}

std::string layout_in(std::int64_t block) { return block > 1 ? "NCHW" + std::to_string(block) + "c" : "NCHW"; }

namespace {

constexpr double kCyclesPerNs = 3; // our choice: estimates are scaled to what is measured, where anything is
constexpr double kTie = 1;         // Units: ns. Our choice: less than anything that counts
constexpr double kWorthIt = 0.999; // our choice: less is no reason to leave what each convolution chooses for itself

/// What each convolution chooses for itself.
struct OwnChoices {
    struct Convolution {
        ConvFacts facts;
        std::optional<ConvLayouts> chosen;
    };
    std::unordered_map<Var, Convolution> convolutions;
    std::unordered_map<Var, std::string> laid; ///< the layouts values are computed in, where that is not NCHW's order
};

OwnChoices own_choices(const graph::Module& module, const LayoutPlanner& planner) {
    OwnChoices out;
    LayoutRules rules;
    rules.choose = [&](const ConvFacts& facts) {
        std::optional<ConvLayouts> chosen = planner.by_rule(facts);
        out.convolutions[facts.result] = {facts, chosen};
        return chosen;
    };
    rules.laid = [&](const Var& var, const std::string& layout) { out.laid[var] = layout; };
    const pass::Options options;
    const Progress progress;
    (void)convert_layouts(module, {options, progress, nullptr}, rules);
    return out;
}

bool lies_in_layouts(const graph::Function& function) {
    return std::ranges::any_of(function->bindings, [](const Binding& binding) {
        const auto* call = graph::as<CallOp>(binding.value);
        return call && (call->op.name == "winograd_conv2d" ||
                        (call->op.name.starts_with("layout_") && call->op.name != "layout_matmul"));
    });
}

/// Whether every convolution lies as a plan may have laid it.
bool all_settled(const OwnChoices& own, const LayoutPlanner& planner) {
    return std::ranges::all_of(own.convolutions, [&](const auto& entry) {
        const ConvFacts& facts = entry.second.facts;
        if (!facts.laid) return !entry.second.chosen;
        const std::int64_t in = block_in(facts.laid->data), out = block_in(facts.laid->out);
        if (in == 0 || out < 2) return false;
        const std::optional<ConvLayouts> same = planner.realized(facts, in, out);
        return same && same->data == facts.laid->data && same->out == facts.laid->out &&
               same->weight == facts.laid->weight && same->stretch == facts.laid->stretch;
    });
}

/// The problem of one function, and what its nodes stand for.
class LayoutProblem {
  public:
    LayoutProblem(const graph::Function& function, const OwnChoices& own, const LayoutPlanner& planner)
        : function_(function), own_(own), planner_(planner) {
        for (const Binding& binding : function->bindings) bindings_.emplace(binding.var, &binding);
        find_live();
        find_blocks();
        find_scale();
        for (const Binding& binding : function->bindings)
            if (live_.contains(binding.var)) add(binding);
        read(function->result, std::nullopt);
        for (const Value& value : values_) share(value);
    }

    LayoutPlan solved() const {
        ChoiceProblem problem;
        for (const Node& node : nodes_) problem.nodes.push_back(node_costs(node));
        for (const Kernel& kernel : kernels_) add_kernel(kernel, problem);
        for (const Value& value : values_) connect(value, problem);
        const Choices choices = choose_least(problem);
        std::vector<std::int64_t> chosen, each;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            chosen.push_back(nodes_[i].alternatives[choices.chosen[i]].block);
            each.push_back(nodes_[i].alternatives.front().block);
        }
        const Total plan = total(chosen), alone = total(each);
        const bool better = plan.ns < alone.ns * kWorthIt;
        LayoutPlan out;
        if (kernels_.empty()) return out;
        report(out, better ? chosen : each, each);
        out.report.exact = choices.exact;
        out.report.us = (better ? plan : alone).ns / 1000;
        out.report.own_us = alone.ns / 1000;
        out.report.transforms = (better ? plan : alone).transforms;
        out.report.own_transforms = alone.transforms;
        out.report.text = summary(out.report);
        if (better) follow(out, chosen);
        return out;
    }

  private:
    struct Alternative {
        std::int64_t block = 1;
        std::int64_t copy = 1; ///< the block of a second layout that the value is made in once; the same for none
    };
    enum class Role : std::uint8_t { Input, Output, Both, Carried };
    /// A layout to choose. What each convolution for itself makes of it is the first alternative.
    struct Node {
        const Binding* binding;
        Role role;
        std::vector<Alternative> alternatives;
    };
    /// A convolution's two nodes; one for both where `in` is `out`. `in` is none where it reads whatever lies there.
    struct Kernel {
        const Binding* binding;
        std::optional<std::size_t> in;
        std::size_t out;
    };
    struct Reader {
        std::optional<std::size_t> node; ///< none: wants NCHW
        bool in_turn = false;            ///< wants any block
    };
    struct Value {
        Var var;
        std::optional<std::size_t> node; ///< none: lies in NCHW
        std::vector<Reader> readers;     ///< different ones
    };
    struct Total {
        double ns = 0;
        std::size_t transforms = 0;
    };

    // ------------------------------------------------------------------------------ what there is

    const OwnChoices::Convolution* planned(const Var& var) const {
        const auto it = own_.convolutions.find(var);
        return it != own_.convolutions.end() && it->second.chosen && own_.laid.contains(var) ? &it->second : nullptr;
    }
    bool is_constant(const Var& var) const {
        const auto it = bindings_.find(var);
        return it != bindings_.end() && graph::as<graph::Constant>(it->second->value);
    }
    /// What a convolution reads in place of a shuffled value.
    Var before_shuffle(const Var& x) const {
        const auto shuffle = shuffle_read(x, [this](const Var& var) {
            const auto it = bindings_.find(var);
            return it == bindings_.end() ? graph::Expr() : it->second->value;
        });
        return shuffle ? shuffle->of : x;
    }
    std::vector<Var> reads_of(const Binding& binding) const {
        std::vector<Var> out = graph::operands(binding.value);
        const OwnChoices::Convolution* conv = planned(binding.var);
        if (conv && conv->chosen->in_turn) out.front() = before_shuffle(out.front());
        return out;
    }
    void find_live() {
        live_.insert(function_->result);
        for (auto binding = function_->bindings.rbegin(); binding != function_->bindings.rend(); ++binding)
            if (live_.contains(binding->var))
                for (const Var& var : reads_of(*binding)) live_.insert(var);
    }

    /// Blocks anyone may want: those that are chosen for each, what two of them have in common, and one register.
    void find_blocks() {
        std::set<std::int64_t> found;
        for (const auto& [var, conv] : own_.convolutions) {
            if (!planned(var)) continue;
            const std::int64_t lanes = planner_.registers(conv.facts).lanes;
            for (const std::int64_t block : {block_in(conv.chosen->data), block_in(conv.chosen->out), lanes, 2 * lanes})
                if (block > 1) found.insert(block);
        }
        const std::vector<std::int64_t> wanted(found.begin(), found.end());
        for (const std::int64_t a : wanted)
            for (const std::int64_t b : wanted)
                if (std::gcd(a, b) > 1) found.insert(std::gcd(a, b));
        blocks_.assign(found.begin(), found.end());
    }

    /// Estimates to times, by what is measured of both: of a convolution by its own choice, else by all.
    void find_scale() {
        double logs = 0;
        int count = 0;
        for (const Binding& binding : function_->bindings) {
            const OwnChoices::Convolution* conv = planned(binding.var);
            if (!conv) continue;
            const std::int64_t in = block_in(conv->chosen->data), out = block_in(conv->chosen->out);
            const KernelCost cost = kernel_cost(binding, in, out);
            if (!cost.measured || cost.estimate <= 0) continue;
            scales_[binding.var] = cost.ns / cost.estimate;
            logs += std::log(cost.ns / cost.estimate);
            ++count;
        }
        if (count > 0) scale_ = std::exp(logs / count);
        costs_.clear();
    }

    // ------------------------------------------------------------------------------ costs

    struct KernelCost {
        double ns = ChoiceProblem::kImpossible;
        double estimate = 0; ///< Units: ns of a core, not scaled
        bool measured = false;
    };
    const KernelCost& kernel_cost(const Binding& binding, std::int64_t in, std::int64_t out) const {
        const auto [it, fresh] = costs_.try_emplace({binding.var.get(), in, out});
        if (fresh) it->second = new_cost(binding, in, out);
        return it->second;
    }
    KernelCost new_cost(const Binding& binding, std::int64_t in, std::int64_t out) const {
        // An estimate of what a convolution would not choose by itself is believed less: our choice. One that reads
        // plain channels jumps from place to place in the image. Source: measured (13 convolutions of 1x1 to 5x5 on an
        // Intel Xeon with AVX-512: at most 14 % more).
        constexpr double kUnsure = 1.05, kPlain = 1.2;
        const OwnChoices::Convolution& conv = own_.convolutions.at(binding.var);
        ConvFacts facts = conv.facts;
        const std::optional<ConvLayouts> layouts = planner_.realized(facts, in, out);
        KernelCost cost;
        if (!layouts || block_in(layouts->data) != in || block_in(layouts->out) != out) return cost;
        cost.ns = 0;
        const auto [known, fresh] = works_.try_emplace(binding.var);
        if (fresh) known->second = conv_work(binding);
        const std::optional<ConvWork>& work = known->second;
        if (!work) return cost;
        ConvVariant variant{layouts->data, layouts->out, 0};
        const bool tiles = fits_tiles(*work) && in > 1 && out > 1 && !layouts->in_tiles &&
                           (work->dtype == DType::F32 || layouts->stretch > 0);
        if (tiles) variant.tile = chosen_tile(*work, variant, planner_.bits, planner_.times);
        const Registers registers = planner_.registers(facts);
        const Sharing sharing = work->groups > 1 && !work->depthwise() ? Sharing::Rows : Sharing::Blocks;
        const double cycles =
            variant.tile > 0 ? tiled_cycles(*work, variant.tile, planner_.bits) : direct_cycles(*work, planner_.bits);
        cost.estimate = cycles / block_speed(out, registers, sharing) / kCyclesPerNs;
        facts.native = layout_in(in);
        const std::optional<ConvLayouts> own = planner_.by_rule(facts);
        if (!own || own->data != layouts->data || own->out != layouts->out) cost.estimate *= in == 1 ? kPlain : kUnsure;
        const auto scale = scales_.find(binding.var);
        cost.ns = cost.estimate * (scale == scales_.end() ? scale_ : scale->second);
        if (const std::optional<double> time = planner_.times.find(*work, variant)) {
            cost.ns = *time;
            cost.measured = true;
        }
        return cost;
    }

    /// Of one core, without what it is fused to.
    double carried_ns(const Binding& binding, std::int64_t block) const {
        // Our choices: a register in two cycles, windows of plain channels half as fast again. Elementwise work is done
        // beside what made its operand, whatever the layout.
        constexpr double kCycles = 2, kPlainWindow = 1.5;
        const auto& call = *graph::as<CallOp>(binding.value);
        const bool window = call.op.name.ends_with("_pool") || call.attrs.has("size");
        double elements = static_cast<double>(element_count(*shape_of(binding.var)));
        if (call.op.fusion <= graph::FusionKind::Broadcast) return 0;
        for (const std::int64_t extent : call.attrs.ints("kernel", {})) elements *= static_cast<double>(extent);
        elements *= static_cast<double>(call.attrs.integer("size", 1)); // of a window over channels
        if (window && block == 1) elements *= kPlainWindow;
        const Registers registers{planner_.bits / 32, false};
        const double fill = block == 1 ? 1 : fill_of(block, registers);
        return elements / static_cast<double>(registers.lanes) / fill * kCycles / kCyclesPerNs * scale_;
    }

    /// A value's changes of layout.
    struct Change {
        double elements = 0, element_bytes = 0;
    };
    static Change change_of(const Var& var) {
        return {static_cast<double>(element_count(*shape_of(var))),
                static_cast<double>(byte_size(graph::as_tensor(var->type)->dtype))};
    }
    double transform_ns(const Change& change, std::int64_t from, std::int64_t to) const {
        return transform_cycles({change.elements, change.element_bytes, from, to}, planner_.caches) / kCyclesPerNs *
               scale_;
    }

    std::vector<double> node_costs(const Node& node) const {
        std::vector<double> out;
        for (const Alternative& alternative : node.alternatives)
            out.push_back(node.role == Role::Carried ? carried_ns(*node.binding, alternative.block) : 0);
        // Of two that cost the same, what each convolution's own choice comes to: kernels stay as they would be fused.
        for (std::size_t i = 1; i < out.size(); ++i)
            if (node.alternatives[i].block != node.alternatives.front().block) out[i] += kTie;
        return out;
    }

    void add_kernel(const Kernel& kernel, ChoiceProblem& problem) const {
        const auto cost = [&](std::int64_t in, std::int64_t out) { return kernel_cost(*kernel.binding, in, out).ns; };
        const Node& result = nodes_[kernel.out];
        if (!kernel.in) {
            const std::int64_t own = block_in(own_.convolutions.at(kernel.binding->var).chosen->data);
            for (std::size_t i = 0; i < result.alternatives.size(); ++i) {
                const std::int64_t out = result.alternatives[i].block;
                problem.nodes[kernel.out][i] += cost(result.role == Role::Both ? out : own, out);
            }
            return;
        }
        ChoiceProblem::Edge edge{*kernel.in, kernel.out, {}};
        for (const Alternative& in : nodes_[*kernel.in].alternatives)
            for (const Alternative& out : result.alternatives) edge.costs.push_back(cost(in.block, out.block));
        problem.edges.push_back(std::move(edge));
    }

    // ------------------------------------------------------------------------------ nodes

    void add(const Binding& binding) {
        if (planned(binding.var)) return add_convolution(binding);
        const auto* call = graph::as<CallOp>(binding.value);
        const std::optional<CarriedAlong> carried = carried_along(binding);
        if (!carried) {
            for (const Var& var : graph::operands(binding.value)) read(var, std::nullopt);
            return;
        }
        const auto laid = own_.laid.find(binding.var);
        const std::int64_t own = laid == own_.laid.end() ? 1 : block_in(laid->second);
        const std::size_t node = add_node(binding, Role::Carried, own, [&](std::int64_t block) {
            return block == 1 || (carried->split && channels_of(binding.var) % block == 0 &&
                                  std::ranges::all_of(carried->operands,
                                                      [&](const Var& var) { return channels_of(var) % block == 0; }));
        });
        for (const Var& var : call->args)
            read(var, std::ranges::count(carried->operands, var) > 0 ? std::optional(node) : std::nullopt);
        define(binding.var, node);
    }

    void add_convolution(const Binding& binding) {
        const OwnChoices::Convolution& conv = *planned(binding.var);
        const ConvFacts& facts = conv.facts;
        const Registers registers = planner_.registers(facts);
        const std::int64_t in = block_in(conv.chosen->data), out = block_in(conv.chosen->out);
        const bool depthwise = facts.groups > 1 && facts.groups == facts.channels && facts.groups == facts.filters;
        const auto fills = [&](std::int64_t block) { return block > 1 && 2 * fill_of(block, registers) >= 1; };
        const Var x = reads_of(binding).front();
        Kernel kernel{&binding, std::nullopt, 0};
        if (!depthwise && !conv.chosen->in_turn) {
            kernel.in = add_node(binding, Role::Input, in, [&](std::int64_t block) {
                return facts.channels / facts.groups % block == 0 && (block > 1 || facts.groups == 1);
            });
            read(x, kernel.in);
        }
        kernel.out = add_node(binding, depthwise ? Role::Both : Role::Output, out, [&](std::int64_t block) {
            return fills(block) && facts.filters / (depthwise ? 1 : facts.groups) % block == 0;
        });
        if (depthwise) read(x, kernel.out);
        if (conv.chosen->in_turn) read(x, std::nullopt, true);
        define(binding.var, kernel.out);
        kernels_.push_back(kernel);
    }

    std::size_t add_node(const Binding& binding, Role role, std::int64_t own, const auto& fits) {
        Node node{&binding, role, {{own, own}}};
        for (const std::int64_t block : blocks_)
            if (block != own && fits(block)) node.alternatives.push_back({block, block});
        if (own != 1 && fits(1)) node.alternatives.push_back({1, 1});
        nodes_.push_back(std::move(node));
        return nodes_.size() - 1;
    }

    static std::int64_t channels_of(const Var& var) { return (*shape_of(var))[1]; }

    Value& value(const Var& var) {
        const auto [it, fresh] = value_of_.try_emplace(var, values_.size());
        if (fresh) values_.push_back({var, std::nullopt, {}});
        return values_[it->second];
    }
    void define(const Var& var, std::size_t node) { value(var).node = node; }
    void read(const Var& var, std::optional<std::size_t> node, bool in_turn = false) {
        const std::optional<Shape> shape = var ? shape_of(var) : std::nullopt; // operands may be left out
        if (!shape || shape->size() != 4 || is_constant(var)) return;
        std::vector<Reader>& readers = value(var).readers;
        const bool known = std::ranges::any_of(
            readers, [&](const Reader& reader) { return reader.node == node && reader.in_turn == in_turn; });
        if (!known) readers.push_back({node, in_turn});
    }

    /// Alternatives with a second layout, for a value with several readers: those that they have in common.
    void share(const Value& value) {
        if (!value.node || value.readers.size() < 2) return;
        std::map<std::int64_t, int> wanted;
        for (const Reader& reader : value.readers) {
            if (!reader.node && !reader.in_turn) ++wanted[1];
            if (!reader.node) continue;
            std::set<std::int64_t> blocks;
            for (const Alternative& alternative : nodes_[*reader.node].alternatives) blocks.insert(alternative.block);
            for (const std::int64_t block : blocks) ++wanted[block];
        }
        std::vector<Alternative>& alternatives = nodes_[*value.node].alternatives;
        for (std::size_t i = 0, count = alternatives.size(); i < count; ++i)
            for (const auto& [block, readers] : wanted)
                if (readers > 1 && block != alternatives[i].block)
                    alternatives.push_back({alternatives[i].block, block});
    }

    // ------------------------------------------------------------------------------ what meets

    void connect(const Value& value, ChoiceProblem& problem) const {
        const std::vector<Alternative> plain{{1, 1}};
        const Change change = change_of(value.var);
        const std::vector<Alternative>& lies = value.node ? nodes_[*value.node].alternatives : plain;
        const auto cost = [&](const Alternative& from, std::int64_t to) {
            return to == from.block || to == from.copy ? 0 : transform_ns(change, from.block, to);
        };
        if (value.node)
            for (std::size_t i = 0; i < lies.size(); ++i)
                if (lies[i].copy != lies[i].block)
                    problem.nodes[*value.node][i] += transform_ns(change, lies[i].block, lies[i].copy);
        for (const Reader& reader : value.readers) {
            if (!value.node && !reader.node) continue;
            if (!reader.node) {
                for (std::size_t i = 0; i < lies.size(); ++i)
                    problem.nodes[*value.node][i] += !reader.in_turn      ? cost(lies[i], 1)
                                                     : lies[i].block == 1 ? ChoiceProblem::kImpossible
                                                                          : 0;
                continue;
            }
            const std::vector<Alternative>& wants = nodes_[*reader.node].alternatives;
            if (!value.node) {
                for (std::size_t j = 0; j < wants.size(); ++j)
                    problem.nodes[*reader.node][j] += cost(plain.front(), wants[j].block);
                continue;
            }
            ChoiceProblem::Edge edge{*value.node, *reader.node, {}};
            for (const Alternative& from : lies)
                for (const Alternative& to : wants) edge.costs.push_back(cost(from, to.block));
            problem.edges.push_back(std::move(edge));
        }
    }

    /// With each distinct layout that a value is wanted in counted once.
    Total total(const std::vector<std::int64_t>& blocks) const {
        Total out;
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (nodes_[i].role == Role::Carried) out.ns += carried_ns(*nodes_[i].binding, blocks[i]);
        for (const Kernel& kernel : kernels_) out.ns += cost_of(kernel, blocks).ns;
        for (const Value& value : values_) {
            const std::int64_t lies = value.node ? blocks[*value.node] : 1;
            std::set<std::int64_t> wanted;
            for (const Reader& reader : value.readers)
                if (!reader.in_turn) wanted.insert(reader.node ? blocks[*reader.node] : 1);
            wanted.erase(lies);
            if (wanted.empty()) continue;
            const Change change = change_of(value.var);
            for (const std::int64_t block : wanted) out.ns += transform_ns(change, lies, block);
            out.transforms += wanted.size();
        }
        return out;
    }
    std::int64_t block_read(const Kernel& kernel, const std::vector<std::int64_t>& blocks) const {
        if (kernel.in) return blocks[*kernel.in];
        if (nodes_[kernel.out].role == Role::Both) return blocks[kernel.out];
        return block_in(own_.convolutions.at(kernel.binding->var).chosen->data);
    }
    KernelCost cost_of(const Kernel& kernel, const std::vector<std::int64_t>& blocks) const {
        return kernel_cost(*kernel.binding, block_read(kernel, blocks), blocks[kernel.out]);
    }

    // ------------------------------------------------------------------------------ what is told

    void follow(LayoutPlan& out, const std::vector<std::int64_t>& blocks) const {
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            if (nodes_[i].role == Role::Carried) out.blocks[nodes_[i].binding->var] = {1, blocks[i]};
        for (const Kernel& kernel : kernels_)
            out.blocks[kernel.binding->var] = {block_read(kernel, blocks), blocks[kernel.out]};
    }

    void report(LayoutPlan& out, const std::vector<std::int64_t>& blocks, const std::vector<std::int64_t>& own) const {
        for (const Kernel& kernel : kernels_) {
            const KernelCost cost = cost_of(kernel, blocks), before = cost_of(kernel, own);
            LayoutChoice choice{kernel.binding->var,
                                layout_in(block_read(kernel, blocks)),
                                layout_in(blocks[kernel.out]),
                                layout_in(block_read(kernel, own)),
                                layout_in(own[kernel.out]),
                                cost.ns / 1000,
                                before.ns / 1000,
                                cost.measured,
                                {}};
            choice.text = sentence(choice);
            out.report.choices.push_back(std::move(choice));
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i].role != Role::Carried || blocks[i] == own[i]) continue;
            LayoutChoice choice{
                nodes_[i].binding->var, {}, layout_in(blocks[i]), {}, layout_in(own[i]), 0, 0, false, {}};
            choice.us = carried_ns(*nodes_[i].binding, blocks[i]) / 1000;
            choice.own_us = carried_ns(*nodes_[i].binding, own[i]) / 1000;
            choice.text = sentence(choice);
            out.report.choices.push_back(std::move(choice));
        }
    }
    static std::string micro(double us) {
        char text[32];
        (void)std::snprintf(text, sizeof text, us < 10 ? "%.2f us" : "%.0f us", us);
        return text;
    }
    static std::string sentence(const LayoutChoice& choice) {
        const auto from_to = [](const std::string& data, const std::string& out) {
            return data.empty() || data == out ? out : data + " to " + out;
        };
        const std::string chosen = from_to(choice.data, choice.out), own = from_to(choice.own_data, choice.own_out);
        const std::string how = choice.measured ? " as measured" : " as estimated";
        if (chosen == own) return chosen + ", as it would choose for itself: " + micro(choice.us) + how;
        return chosen + " for the whole graph's sake, " + own + " for itself: " + micro(choice.us) + how + ", " +
               micro(choice.own_us) + " for itself";
    }
    static std::string summary(const LayoutReport& report) {
        std::string text = std::to_string(report.transforms) + " changes of layout, " + micro(report.us);
        if (report.us < report.own_us)
            text +=
                "; each convolution for itself: " + std::to_string(report.own_transforms) + ", " + micro(report.own_us);
        return text + (report.exact ? "" : "; not all combinations were compared");
    }

    const graph::Function& function_;
    const OwnChoices& own_;
    const LayoutPlanner& planner_;
    std::unordered_map<Var, const Binding*> bindings_;
    std::unordered_set<Var> live_;
    std::vector<std::int64_t> blocks_;
    double scale_ = 1;                       ///< of estimates, to times
    std::unordered_map<Var, double> scales_; ///< of convolutions whose own choice is measured
    std::vector<Node> nodes_;
    std::vector<Kernel> kernels_;
    std::vector<Value> values_;
    std::unordered_map<Var, std::size_t> value_of_;
    mutable std::map<std::tuple<const void*, std::int64_t, std::int64_t>, KernelCost> costs_; ///< once computed
    mutable std::unordered_map<Var, std::optional<ConvWork>> works_;                          ///< the same
};

} // namespace

LayoutRules LayoutPlan::rules(const LayoutPlanner& planner) const {
    LayoutRules out;
    out.choose = [this, &planner](const ConvFacts& facts) {
        const auto it = blocks.find(facts.result);
        if (it == blocks.end()) return planner.by_rule(facts);
        const std::int64_t in = facts.shuffle > 1 ? block_in(facts.native) : it->second.in;
        std::optional<ConvLayouts> chosen = planner.realized(facts, in, it->second.out);
        return chosen || facts.shuffle > 1 ? chosen : planner.by_rule(facts);
    };
    out.carry = [this](const Var& var) {
        const auto it = blocks.find(var);
        return it == blocks.end() ? std::nullopt : std::optional(layout_in(it->second.out));
    };
    return out;
}

LayoutPlan plan_layouts(const graph::Module& module, const LayoutPlanner& planner) {
    LayoutPlan plan;
    const bool any = std::ranges::any_of(module.main->bindings, [](const Binding& binding) {
        const auto* call = graph::as<CallOp>(binding.value);
        return call && (call->op.name == "conv2d" || call->op.name == "layout_conv2d");
    });
    if (!any) return plan;
    const OwnChoices own = own_choices(module, planner);
    if (lies_in_layouts(module.main)) {
        plan.settled = all_settled(own, planner);
        return plan;
    }
    return LayoutProblem(module.main, own, planner).solved();
}

} // namespace orrery::transform
