// bind, virtual_thread, annotate, pragma: notes on loops and blocks.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

struct Axis {
    std::string_view name;
    std::int64_t most; ///< iterations
};
/// Source: CUDA C++ Programming Guide, technical specifications per compute capability, the same from 3.0 on.
constexpr std::array<Axis, 6> kAxes = {{{"blockIdx.x", (std::int64_t{1} << 31) - 1},
                                        {"blockIdx.y", 65535},
                                        {"blockIdx.z", 65535},
                                        {"threadIdx.x", 1024},
                                        {"threadIdx.y", 1024},
                                        {"threadIdx.z", 64}}};
constexpr std::int64_t kMostThreads = 1024; ///< of one block, over its three axes. Source: as above.
/// Every virtual thread repeats each statement. Source: our choice; VTA has two, and registers are few.
constexpr std::int64_t kMostVirtual = 64;

Result<Rewritten> note_loop(const Program& program, const LoopPlace& place, const std::string& key,
                            const std::string& value) {
    const For& loop = place.loop();
    Annotations notes = loop.annotations;
    notes[key] = value;
    const Stmt made = For::make(loop.var, loop.extent, loop.loop, loop.body, std::move(notes));
    return Rewritten{replace_stmt(program, place.block.path[place.at], made), {}};
}

/// Loops below that are bound to an axis.
class BoundLoops final : public StmtVisitor {
  public:
    std::vector<const For*> found;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const For& node) override {
        if (node.annotations.contains("thread")) found.push_back(&node);
        StmtVisitor::visit_node(node);
    }
};

bool is_thread(std::string_view axis) { return axis.starts_with("threadIdx"); }

/// What other loops of the nest are bound to decides about the axis; nothing when it may be bound.
std::optional<Diagnostic> refuse_axis(const LoopPlace& place, const Axis& axis, const Refusal& refuse) {
    const std::int64_t extent = extent_of(place.loop().extent);
    if (extent > axis.most)
        return refuse("it has " + std::to_string(extent) + " iterations, and " + std::string(axis.name) + " at most " +
                          std::to_string(axis.most),
                      "split it and bind one part");
    BoundLoops inside;
    inside.visit(place.loop().body);
    std::vector<const For*> around;
    for (std::size_t i = 0; i < place.at; ++i)
        if (const For* loop = as<For>(place.block.path[i]); loop && loop->annotations.contains("thread"))
            around.push_back(loop);
    std::int64_t threads = is_thread(axis.name) ? extent : 1;
    for (const std::vector<const For*>& loops : {inside.found, around})
        for (const For* loop : loops) {
            const std::string& other = loop->annotations.at("thread");
            if (other == axis.name)
                return refuse("loop " + loop->var->name + " of the same nest is bound to " + other,
                              "choose another axis");
            const bool outside = std::ranges::find(around, loop) != around.end();
            const std::string where = outside ? "around" : "inside";
            if (other != "vthread" && is_thread(other) != is_thread(axis.name) && is_thread(other) == outside)
                return refuse("loop " + loop->var->name + ", bound to " + other + ", is " + where +
                                  " it: blocks hold threads",
                              "reorder so that loops bound to blockIdx are outside");
            if (is_thread(other) && is_thread(axis.name)) threads *= extent_of(loop->extent);
        }
    if (threads > kMostThreads)
        return refuse("a block would have " + std::to_string(threads) + " threads, more than " +
                          std::to_string(kMostThreads),
                      "split it and bind the outer part to blockIdx");
    return std::nullopt;
}

/// Pre: the place's loop has a constant extent. The note, once nothing speaks against it.
Result<Rewritten> bind_thread(const Program& program, const std::string& name, const Axis* axis,
                              const Refusal& refuse) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const For& loop = place.loop();
    if (!as_int(loop.extent))
        return refuse("its extent is not a constant", "give the size a value, or choose a loop of constant extent");
    if (loop.loop != LoopKind::Serial)
        return refuse("it is not a serial loop", "choose a loop that is neither parallel, vectorized nor unrolled");
    if (const auto note = loop.annotations.find("thread"); note != loop.annotations.end())
        return refuse("it is bound to " + note->second + " already", "choose a loop that is not bound");
    if (axis)
        if (auto refused = refuse_axis(place, *axis, refuse)) return *std::move(refused);
    if (!axis && extent_of(loop.extent) > kMostVirtual)
        return refuse("it has " + std::to_string(extent_of(loop.extent)) +
                          " iterations, and a virtual thread at most " + std::to_string(kMostVirtual),
                      "split it first");
    if (const auto conflict = carried_dependence(place)) {
        if (conflict->reduction)
            return refuse("it carries the reduction of block " + conflict->block + ": " + conflict->text,
                          "choose a spatial loop, or rfactor the reduction over this one");
        return refuse(conflict->text, "choose a loop whose iterations touch elements of their own");
    }
    return note_loop(program, place, "thread", axis ? std::string(axis->name) : "vthread");
}

} // namespace

Result<Rewritten> bind(const Program& program, const std::string& loop, const std::string& axis) {
    const Refusal refuse{"bind", program, "loop " + loop};
    const auto known = std::ranges::find(kAxes, axis, &Axis::name);
    if (known == kAxes.end())
        return Diagnostic{Code::BadArgument,
                          "bind: there is no thread axis " + axis,
                          {ProgramPlace{program->name, "loop " + loop}},
                          "the axes are blockIdx and threadIdx with .x, .y or .z"};
    return bind_thread(program, loop, &*known, refuse);
}

Result<Rewritten> virtual_thread(const Program& program, const std::string& loop) {
    return bind_thread(program, loop, nullptr, {"virtual_thread", program, "loop " + loop});
}

Result<Rewritten> annotate(const Program& program, const std::string& place, const std::string& key,
                           const std::string& value) {
    if (key.empty())
        return Diagnostic{Code::BadArgument,
                          "annotate: the key is empty",
                          {ProgramPlace{program->name, place}},
                          "give the note a key"};
    const Refusal refuse{"annotate", program, place};
    if (key == "thread" || key == "tensorize")
        return refuse("the key " + key + " has a meaning that must be checked",
                      key == "thread" ? "use bind" : "use tensorize");
    if (place.find('.') != std::string::npos && !has_block(program, place)) {
        ORRERY_TRY(const LoopPlace loop, find_loop(program, place));
        return note_loop(program, loop, key, value);
    }
    ORRERY_TRY(const BlockPlace block, find_block(program, place));
    Block::Fields fields = block.block->fields;
    fields.annotations[key] = value;
    return Rewritten{replace_stmt(program, block.path.back(), Block::make(std::move(fields), block.block->origin)), {}};
}

Result<Rewritten> pragma(const Program& program, const std::string& loop, const std::string& key,
                         const std::string& value) {
    if (loop.find('.') == std::string::npos)
        return Diagnostic{Code::BadArgument,
                          "pragma: a loop is named block.loop, not \"" + loop + "\"",
                          {ProgramPlace{program->name, loop}},
                          "write \"" + loop + ".LOOP\""};
    return annotate(program, loop, "pragma_" + key, value);
}

} // namespace orrery::schedule
