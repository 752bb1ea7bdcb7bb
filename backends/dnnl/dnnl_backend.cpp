#include "backends/dnnl/dnnl_backend.hpp"

#include "backends/dnnl/accepts.hpp"
#include "backends/dnnl/region_builder.hpp"
#include "core/base/check.hpp"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>

namespace orrery {

namespace {

/// A region, built for each number of threads it is run with: oneDNN fixes that when a primitive is made.
class Region final : public RegionCode {
  public:
    Region(graph::Function region, int threads)
        : region_(std::move(region)), arguments_(onednn::arguments_of(region_)), threads_(threads) {
        const onednn::BuiltRegion& first = built(threads_);
        workspace_bytes_ = first.program->workspace_bytes;
        listing_ = first.listing;
    }

    [[nodiscard]] orrery_kernel kernel() const override { return run; }
    [[nodiscard]] const void* data() const override { return this; }
    [[nodiscard]] std::size_t workspace_bytes() const override { return workspace_bytes_; }
    [[nodiscard]] const std::vector<std::string>& listing() const override { return listing_; }

  private:
    static void run(void* const* args, orrery_context* context) {
        const Region& self = *static_cast<const Region*>(context->data);
        try {
            const onednn::BuiltRegion& now = self.built(context->threads > 0 ? context->threads : self.threads_);
            // Another number of threads may need more than was planned for.
            const bool fits = now.program->workspace_bytes <= self.workspace_bytes_;
            now.program->run(args, fits ? args[self.arguments_.workspace()] : nullptr);
        } catch (const dnnl::error& error) { fail_internal("oneDNN runs what it was built for", error.what()); }
    }

    /// Also sets the calling thread's number of OpenMP threads.
    const onednn::BuiltRegion& built(int threads) const {
        omp_set_num_threads(threads);
        const std::lock_guard lock(mutex_);
        const auto it = built_.find(threads);
        if (it != built_.end()) return it->second;
        return built_.emplace(threads, onednn::build_region(region_)).first->second;
    }

    graph::Function region_;
    onednn::Arguments arguments_;
    int threads_;
    std::size_t workspace_bytes_ = 0;
    std::vector<std::string> listing_;
    mutable std::mutex mutex_;
    mutable std::map<int, onednn::BuiltRegion> built_;
};

/// Anchors with what may follow them, the longest first.
std::vector<Composite> make_composites() {
    using graph::any;
    using graph::constant;
    using graph::op;
    using graph::Pattern;
    std::vector<Composite> all;
    const auto add = [&all](const std::string& name, const Pattern& pattern) { all.push_back({name, pattern}); };
    const std::vector<const char*> after_conv{"relu", "leaky_relu", "clip", "hard_swish", "sigmoid"};
    const std::vector<const char*> after_matmul{"relu", "gelu", "tanh", "sigmoid"};
    const auto chains = [&](const std::string& name, const Pattern& anchor, const std::vector<const char*>& after) {
        const Pattern biased = op("bias_add", {anchor, constant()});
        for (const char* eltwise : after) {
            add(name + "_bias_add_" + eltwise, op(eltwise, {graph::commutative("add", biased, any())}));
            add(name + "_add_" + eltwise, op(eltwise, {graph::commutative("add", anchor, any())}));
            add(name + "_bias_" + eltwise, op(eltwise, {biased}));
            add(name + "_" + eltwise, op(eltwise, {anchor}));
        }
        add(name + "_bias_add", graph::commutative("add", biased, any()));
        add(name + "_add", graph::commutative("add", anchor, any()));
        add(name + "_bias", biased);
    };
    chains("conv2d", op("conv2d", {any(), any()}), after_conv);
    chains("matmul", op("matmul", {any(), any()}), after_matmul);
    return all;
}

class DnnlBackend final : public RegionBackend {
  public:
    [[nodiscard]] std::string name() const override { return "dnnl"; }
    [[nodiscard]] std::span<const Composite> composites() const override { return composites_; }
    [[nodiscard]] std::optional<std::string> refuses(const graph::CallOp& call,
                                                     const graph::Type& result) const override {
        return onednn::refusal(call, result);
    }
    [[nodiscard]] Result<std::shared_ptr<const RegionCode>> compile(const graph::Function& region, const Target& target,
                                                                    const Progress& progress) const override {
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        try {
            return std::shared_ptr<const RegionCode>(std::make_shared<Region>(region, std::max(target.cores, 1)));
        } catch (const dnnl::error& error) {
            return Diagnostic{Code::ProcessFailed,
                              std::string("oneDNN does not take the region: ") + error.what(),
                              {ProgramPlace{region->name, ""}},
                              "leave AnnotateTarget out, or raise PartitionGraph's min_operators"};
        }
    }

  private:
    std::vector<Composite> composites_ = make_composites();
};

} // namespace

std::shared_ptr<const RegionBackend> make_dnnl_backend() { return std::make_shared<DnnlBackend>(); }

} // namespace orrery
