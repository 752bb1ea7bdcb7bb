#pragma once
// A region as primitives in order, over values with layouts and places.

#include <dnnl.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace orrery::onednn {

/// Where a value's bytes are.
enum class Place : std::uint8_t {
    Argument,  ///< `index` into the kernel's arguments
    Workspace, ///< `offset` into the workspace
    Constant,  ///< `index` into Program::constants
};

inline constexpr std::size_t kNone = static_cast<std::size_t>(-1);

struct Value {
    dnnl::memory::desc layout;
    Place place = Place::Workspace;
    std::size_t index = 0, offset = 0;
    int first_step = -1, last_step = -1; ///< during which a workspace value is live
    std::size_t shares = kNone;          ///< the workspace value whose bytes these are, under another layout
};

struct Step {
    dnnl::primitive primitive;
    std::vector<std::pair<int, std::size_t>> args; ///< oneDNN's name of an argument, and a value
};

/// What runs. Thread: run() may be called from several threads at once.
class Program {
  public:
    explicit Program(dnnl::engine on) : engine(std::move(on)) {}

    dnnl::engine engine;
    std::vector<Value> values;
    std::vector<Step> steps;
    std::vector<dnnl::memory> constants; ///< laid out as their readers want them
    std::size_t workspace_bytes = 0;

    /// Gives every workspace value its place: those live at one step lie apart. Sets workspace_bytes.
    void place_values();
    /// `workspace` has workspace_bytes, 64-byte aligned; null for memory of the program's own.
    void run(void* const* args, void* workspace) const;

  private:
    /// Memory objects of one run at a time; kept for the next.
    struct Instance {
        std::vector<dnnl::memory> memories; ///< one a value
        std::vector<std::unordered_map<int, dnnl::memory>> args;
        std::unique_ptr<dnnl::stream> stream;
        dnnl::memory own; ///< a workspace, where the caller has none
    };
    [[nodiscard]] std::unique_ptr<Instance> instance() const;

    mutable std::mutex mutex_;
    mutable std::vector<std::unique_ptr<Instance>> free_;
};

} // namespace orrery::onednn
