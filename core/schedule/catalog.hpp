#pragma once
// Internal to core/schedule: the table of primitives. A row says how a step's operands are read, what the primitive's
// documentation is, and which operands are worth trying at a place.

#include "core/schedule/locate.hpp"
#include "core/schedule/trace.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace orrery::schedule {

using Ints = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

/// Typed access to a step's operands; remembers the first mistake.
class Args {
  public:
    explicit Args(const TraceStep& step) : step_(step) {}
    [[nodiscard]] bool has(std::size_t i) const { return i < step_.args.size(); }
    std::string name(std::size_t i);
    std::string text(std::size_t i); ///< a name, a number as it is written, or a quoted text
    std::int64_t integer(std::size_t i);
    Ints ints(std::size_t i);
    Names names(std::size_t i);
    tensor::Scope scope(std::size_t i);
    /// The mistake, or one of count. Pre: all operands were read.
    Result<void> done(std::size_t least, std::size_t most);
    Result<void> done(std::size_t count) { return done(count, count); }

  private:
    template <class T> T get(std::size_t i, const char* what);
    void wrong(const std::string& what);
    const TraceStep& step_;
    std::optional<Diagnostic> error_;
};

/// The operands that most primitives begin with.
inline const ArgInfo kBlock{"block", ArgKind::Block}, kLoop{"block.loop", ArgKind::Loop};

/// Where a menu opens: a block, and one of its loops when `loop` is not empty.
struct MenuPlace {
    const tensor::Program& program;
    BlockPlace place;
    std::size_t at = 0;      ///< index of the loop in place.path; of the block when there is none
    std::string block, loop; ///< "conv", "conv.oc"
    [[nodiscard]] bool on_loop() const { return !loop.empty(); }
    [[nodiscard]] std::string loop_named(const tensor::For& other) const { return block + "." + other.var->name; }
};

/// Operands worth trying, the likeliest first; none when the primitive does not concern the place.
using Candidates = std::vector<std::vector<Arg>>;
/// The block, where a menu opens on one; the loop, where it opens on one.
[[nodiscard]] Candidates this_block(const MenuPlace& menu);
[[nodiscard]] Candidates this_loop(const MenuPlace& menu);

struct CatalogRow {
    PrimitiveInfo info;
    Result<Rewritten> (*apply)(const tensor::Program&, Args&);
    Candidates (*suggest)(const MenuPlace&);
};

/// What is known of a primitive: its name, its operands, then its meaning, preconditions, and an example before and
/// after.
template <class... Texts> PrimitiveInfo info(std::string name, std::vector<ArgInfo> args, const Texts&... texts) {
    static_assert(sizeof...(texts) == 4);
    PrimitiveInfo out;
    out.name = std::move(name);
    out.args = std::move(args);
    const std::array<std::string, 4> all = {texts...};
    out.summary = all[0];
    out.preconditions = all[1];
    out.before = all[2];
    out.after = all[3];
    return out;
}

// One list a family, joined by catalog().
[[nodiscard]] std::vector<CatalogRow> loop_rows();   ///< catalog_loops.cpp
[[nodiscard]] std::vector<CatalogRow> place_rows();  ///< catalog_places.cpp: where results are computed and live
[[nodiscard]] std::vector<CatalogRow> block_rows();  ///< catalog_blocks.cpp: reductions, layouts, intrinsics
[[nodiscard]] std::vector<CatalogRow> sample_rows(); ///< catalog_samples.cpp
/// All rows in alphabetical order.
[[nodiscard]] const std::vector<CatalogRow>& catalog();

} // namespace orrery::schedule
