#include "core/schedule/trace_writer.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostOuterLoops = 1 << 20;

const Refusal kNoRefusal(const Program& program) { return {"rule", program, ""}; }

} // namespace

bool TraceWriter::step(const std::string& primitive, std::vector<Arg> args) {
    TraceStep next{primitive, std::move(args)};
    Result<Rewritten> done = apply_step(program_, next);
    if (!done) return false;
    program_ = std::move(done->program);
    programs_.resize(trace_.steps.size() + 1); // steps may have been taken back
    programs_.push_back(program_);
    trace_.steps.push_back(std::move(next));
    return true;
}

void TraceWriter::take_back(const Mark& to) {
    program_ = to.program;
    trace_.steps.resize(to.steps);
}

std::vector<std::string> TraceWriter::block_names() const {
    std::vector<std::string> names;
    for (const Block* block : blocks_of(program_->body)) names.push_back(block->fields.name);
    return names;
}
const Block* TraceWriter::find(const std::string& name) const {
    for (const Block* block : blocks_of(program_->body))
        if (block->fields.name == name) return block;
    return nullptr;
}
std::vector<std::string> TraceWriter::loop_names(const std::string& block) const {
    std::vector<std::string> names;
    if (const Result<BlockPlace> place = find_block(program_, block))
        for (const For* loop : place->loops()) names.push_back(loop->var->name);
    return names;
}
std::vector<std::int64_t> TraceWriter::loop_extents(const std::string& block) const {
    std::vector<std::int64_t> extents;
    if (const Result<BlockPlace> place = find_block(program_, block))
        for (const For* loop : place->loops()) extents.push_back(extent_of(loop->extent));
    return extents;
}
bool TraceWriter::is_param(const Buffer& buffer) const {
    return std::ranges::find(program_->params, buffer) != program_->params.end();
}
std::optional<ElementBlock> TraceWriter::element(const Block& block) const {
    Result<ElementBlock> found = element_block(block, kNoRefusal(program_));
    if (!found) return std::nullopt;
    return *std::move(found);
}
std::vector<const Block*> TraceWriter::readers_of(const Buffer& buffer, const Block& but) const {
    std::vector<const Block*> out;
    for (const Block* block : blocks_of(program_->body)) {
        const std::vector<Buffer> read = buffers_read(block->fields.body);
        if (block != &but && std::ranges::find(read, buffer) != read.end()) out.push_back(block);
    }
    return out;
}
std::string TraceWriter::epilogue_of(const Block& block, const ElementBlock& reduction) const {
    const std::vector<const Block*> readers = readers_of(reduction.buffer, block);
    if (readers.size() != 1) return {};
    const std::optional<ElementBlock> consumer = element(*readers.front());
    if (!consumer || consumer->reduces || consumer->buffer->static_shape() != reduction.buffer->static_shape())
        return {};
    LoadCollector collector;
    collector.visit(consumer->value);
    for (const Load* load : collector.loads) {
        if (load->buffer == reduction.buffer)
            for (std::size_t d = 0; d < load->indices.size(); ++d)
                if (load->indices[d].get() != consumer->iters[d].get()) return {};
    }
    return readers.front()->fields.name;
}

std::string TraceWriter::copy_for(const std::string& name) const {
    for (const Buffer& read : buffers_read(find(name)->fields.body)) {
        for (const Block* block : blocks_of(program_->body)) {
            const std::optional<ElementBlock> made = element(*block);
            if (block->fields.name == name || !made || made->buffer != read || made->reduces || is_param(read))
                continue;
            const std::vector<const Block*> readers = readers_of(read, *block);
            if (readers.size() == 1 && readers.front()->fields.name == name && !done_.contains(block->fields.name))
                return block->fields.name;
        }
    }
    return {};
}

bool TraceWriter::owns_nest(const std::string& name) const {
    const Result<BlockPlace> place = find_block(program_, name);
    const std::vector<const For*> loops = place->loops();
    return !loops.empty() && blocks_of(loops.front()->body).size() == 1;
}
std::size_t TraceWriter::spatial_prefix(const Block& block) const {
    const Result<BlockPlace> place = find_block(program_, block.fields.name);
    std::size_t count = 0;
    for (const For* loop : place->loops()) {
        for (const BlockIter& iter : block.fields.iters)
            if (iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var)) return count;
        ++count;
    }
    return count;
}
double TraceWriter::work_of(const std::string& name) const {
    double work = 1;
    for (std::int64_t extent : loop_extents(name)) work *= static_cast<double>(extent);
    return work;
}

void TraceWriter::spread_outer(const std::string& name, std::size_t count, double work, std::size_t least) {
    if (work < kParallelWork || target_.cores < 2 || count == 0) return;
    const std::vector<std::string> loops = loop_names(name);
    const std::vector<std::int64_t> extents = loop_extents(name);
    std::vector<std::string> together;
    std::int64_t total = 1;
    for (std::size_t i = 0; i < count && i < loops.size(); ++i) {
        // Enough pieces for every core to get its share; further loops stay inside, where addresses are simple.
        const bool enough = i >= least && total >= std::int64_t{target_.cores} * 16;
        if (enough || total * extents[i] > kMostOuterLoops) break;
        together.push_back(name + "." + loops[i]);
        total *= extents[i];
    }
    if (total < 2) return;
    if (together.size() > 1 && !step("fuse", {together})) return;
    step("parallel", {name + "." + loop_names(name).front()});
}

bool reduces(const Block& block) {
    return std::ranges::any_of(block.fields.iters, [](const BlockIter& i) { return i.kind == IterKind::Reduce; });
}
Buffer element_of(const Block& block) {
    const Store* store = as<Store>(block.fields.body);
    return store ? store->buffer : nullptr;
}

} // namespace orrery::schedule
