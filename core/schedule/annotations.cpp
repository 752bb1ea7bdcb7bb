// bind, virtual_thread, annotate, pragma: notes on loops and blocks.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::array<std::string_view, 6> kAxes = {"blockIdx.x",  "blockIdx.y",  "blockIdx.z",
                                                   "threadIdx.x", "threadIdx.y", "threadIdx.z"};

Result<Rewritten> note_loop(const Program& program, const LoopPlace& place, const std::string& key,
                            const std::string& value) {
    const For& loop = place.loop();
    Annotations notes = loop.annotations;
    notes[key] = value;
    const Stmt made = For::make(loop.var, loop.extent, loop.loop, loop.body, std::move(notes));
    return Rewritten{replace_stmt(program, place.block.path[place.at], made), {}};
}

/// Loops inside and around that have the annotation.
class NotedLoops final : public Visitor {
  public:
    NotedLoops(std::string_view key, std::string_view value) : key_(key), value_(value) {}
    const For* found = nullptr;

  protected:
    using Visitor::visit_node;
    void visit_node(const For& node) override {
        const auto note = node.annotations.find(std::string(key_));
        if (note != node.annotations.end() && note->second == value_) found = &node;
        Visitor::visit_node(node);
    }

  private:
    std::string_view key_, value_;
};

Result<Rewritten> bind_thread(const Program& program, const std::string& name, const std::string& axis,
                              const Refusal& refuse) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const For& loop = place.loop();
    if (!as_int(loop.extent)) return refuse("its extent is not a constant");
    if (loop.loop != LoopKind::Serial)
        return refuse("it is not a serial loop", "choose a loop that is neither parallel, vectorized nor unrolled");
    if (const auto note = loop.annotations.find("thread"); note != loop.annotations.end())
        return refuse("it is bound to " + note->second + " already");
    if (axis != "vthread") {
        NotedLoops inside("thread", axis);
        inside.visit(loop.body);
        for (std::size_t i = 0; i < place.at; ++i)
            if (const For* around = as<For>(place.block.path[i]))
                if (const auto note = around->annotations.find("thread");
                    note != around->annotations.end() && note->second == axis)
                    inside.found = around;
        if (inside.found) return refuse("loop " + inside.found->var->name + " of the same nest is bound to " + axis);
    }
    if (const auto conflict = carried_dependence(place)) {
        if (conflict->reduction)
            return refuse("it carries the reduction of block " + conflict->block + ": " + conflict->text,
                          "choose a spatial loop, or rfactor the reduction over this one");
        return refuse(conflict->text, "choose a loop whose iterations touch elements of their own");
    }
    return note_loop(program, place, "thread", axis);
}

} // namespace

Result<Rewritten> bind(const Program& program, const std::string& loop, const std::string& axis) {
    const Refusal refuse{"bind", program, "loop " + loop};
    if (std::ranges::find(kAxes, axis) == kAxes.end())
        return Diagnostic{Code::BadArgument,
                          "bind: there is no thread axis " + axis,
                          {ProgramPlace{program->name, "loop " + loop}},
                          "the axes are blockIdx and threadIdx with .x, .y or .z"};
    return bind_thread(program, loop, axis, refuse);
}

Result<Rewritten> virtual_thread(const Program& program, const std::string& loop) {
    return bind_thread(program, loop, "vthread", {"virtual_thread", program, "loop " + loop});
}

Result<Rewritten> annotate(const Program& program, const std::string& place, const std::string& key,
                           const std::string& value) {
    if (key.empty())
        return Diagnostic{Code::BadArgument, "annotate: the key is empty", {ProgramPlace{program->name, place}}, {}};
    if (key == "thread" || key == "tensorize")
        return Refusal{"annotate", program, place}("the key " + key + " has a meaning that must be checked",
                                                   key == "thread" ? "use bind" : "use tensorize");
    if (place.find('.') != std::string::npos) {
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
                          {}};
    return annotate(program, loop, "pragma_" + key, value);
}

} // namespace orrery::schedule
