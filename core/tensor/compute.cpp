#include "core/tensor/compute.hpp"

#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace orrery::tensor {

namespace {

std::string axis_name(const std::vector<std::string>& names, std::size_t axis) {
    if (axis < names.size() && !names[axis].empty()) return names[axis];
    constexpr const char* kDefault[] = {"i", "j", "k", "l", "m", "n"};
    return axis < std::size(kDefault) ? kDefault[axis] : "i" + std::to_string(axis);
}

std::string reduction_name(const std::vector<std::string>& names, std::size_t axis, std::size_t count) {
    if (axis < names.size() && !names[axis].empty()) return names[axis];
    return count == 1 ? "r" : "r" + std::to_string(axis);
}

/// The loops and block iterators of a stage under construction. Iterator `c` of loop `c` is called `vc`.
struct Nest {
    std::vector<VarRef> loops;
    std::vector<BlockIter> iters;

    Expr add(const std::string& name, const Expr& extent, IterKind kind) {
        loops.push_back(Var::make(name));
        iters.push_back({Var::make("v" + name), extent, kind, loops.back()});
        return iters.back().var;
    }
    /// One block within the loops, outermost first.
    Stmt close(const std::string& name, Stmt init, Stmt body, const OriginSet& origin) const {
        Block::Fields fields;
        fields.name = name;
        fields.iters = iters;
        Accesses accesses = find_accesses(init == nullptr ? body : Seq::make({init, body}), iters);
        fields.reads = std::move(accesses.reads);
        fields.writes = std::move(accesses.writes);
        fields.init = std::move(init);
        fields.body = std::move(body);
        Stmt nest = Block::make(std::move(fields), origin);
        for (std::size_t i = loops.size(); i-- > 0;)
            nest = For::make(loops[i], iters[i].extent, LoopKind::Serial, std::move(nest));
        return nest;
    }
};

/// Gives an origin to the stores that have none.
class Stamper final : public Rewriter {
  public:
    explicit Stamper(const OriginSet& origin) : origin_(origin) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const Store& node) override {
        return node.origin.empty() ? with_origin(handle(node), origin_) : Stmt(handle(node));
    }

  private:
    const OriginSet& origin_;
};

/// Gives every block a name of its own: "add", "add_1", "add_2".
class BlockNamer final : public Rewriter {
  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const Block& node) override {
        std::string name = node.fields.name;
        for (int suffix = 1; !used_.insert(name).second; ++suffix)
            name = node.fields.name + "_" + std::to_string(suffix);
        const Stmt inside = Rewriter::rewrite_node(node);
        if (name == node.fields.name) return inside;
        Block::Fields fields = as<Block>(inside)->fields;
        fields.name = std::move(name);
        return Block::make(std::move(fields), inside->origin);
    }

  private:
    std::set<std::string> used_;
};

Stmt copy_nest(const Buffer& from, const Buffer& to, const OriginSet& origin) {
    Nest nest;
    std::vector<Expr> indices;
    for (std::size_t d = 0; d < from->rank(); ++d)
        indices.push_back(nest.add(axis_name({}, d), from->shape[d], IterKind::Spatial));
    return nest.close(to->name, nullptr, Store::make(to, indices, load(from, indices), origin), origin);
}

bool contains(const std::vector<Buffer>& buffers, const Buffer& buffer) {
    return std::find(buffers.begin(), buffers.end(), buffer) != buffers.end();
}

} // namespace

Expr identity(Combiner combiner, DType dtype) {
    switch (combiner) {
    case Combiner::Sum: return constant_int(dtype, 0);
    case Combiner::Product: return constant_int(dtype, 1);
    case Combiner::Min: return highest(dtype);
    case Combiner::Max: return lowest(dtype);
    case Combiner::And: return boolean(true);
    case Combiner::Or: return boolean(false);
    }
    fail_internal("every combiner has an identity");
}

Expr combine(Combiner combiner, const Expr& a, const Expr& b) {
    switch (combiner) {
    case Combiner::Sum: return a + b;
    case Combiner::Product: return a * b;
    case Combiner::Min: return min(a, b);
    case Combiner::Max: return max(a, b);
    case Combiner::And: return a && b;
    case Combiner::Or: return a || b;
    }
    fail_internal("every combiner combines");
}

Buffer ComputeBuilder::compute(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape,
                               const Body& body) {
    Buffer buffer = make_buffer(name, dtype, shape);
    Nest nest;
    Spatial spatial;
    const std::vector<std::string> names = take_axes(shape);
    for (std::size_t d = 0; d < shape.size(); ++d)
        spatial.push_back(nest.add(axis_name(names, d), buffer->shape[d], IterKind::Spatial));
    Stmt store = Store::make(buffer, spatial, body(spatial), origin_);
    return add_stage(buffer, nest.close(name, nullptr, std::move(store), origin_));
}

Buffer ComputeBuilder::reduce(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape,
                              const Reduction& reduction, const ReduceBody& body) {
    const Expr start = identity(reduction.combiner, dtype);
    // Without iterations nothing would run the init.
    if (std::find(reduction.extents.begin(), reduction.extents.end(), 0) != reduction.extents.end())
        return compute(name, dtype, shape, [&start](const Spatial&) { return start; });
    Buffer buffer = make_buffer(name, dtype, shape);
    Nest nest;
    Spatial spatial, reduced;
    const std::vector<std::string> names = take_axes(shape);
    for (std::size_t d = 0; d < shape.size(); ++d)
        spatial.push_back(nest.add(axis_name(names, d), buffer->shape[d], IterKind::Spatial));
    for (std::size_t r = 0; r < reduction.extents.size(); ++r)
        reduced.push_back(nest.add(reduction_name(reduction.names, r, reduction.extents.size()),
                                   imm(reduction.extents[r]), IterKind::Reduce));
    const Expr value = cast(dtype, body(spatial, reduced));
    Stmt init = Store::make(buffer, spatial, start, origin_);
    Stmt update = Store::make(buffer, spatial, combine(reduction.combiner, load(buffer, spatial), value), origin_);
    return add_stage(buffer, nest.close(name, std::move(init), std::move(update), origin_));
}

std::vector<Buffer> ComputeBuilder::statement(const std::string& name, const std::vector<Buffer>& outputs,
                                              const Stmt& body) {
    const Stmt stamped = origin_.empty() ? body : Stamper(origin_).rewrite(body);
    stages_.push_back({outputs, Nest().close(name, nullptr, stamped, origin_)});
    axis_names_.clear();
    return outputs;
}

std::vector<Buffer> ComputeBuilder::splice(const Program& program, const std::vector<Buffer>& inputs) {
    ORRERY_ASSERT(inputs.size() == program->input_count, program->name + ": a buffer an input");
    BufferMap map;
    std::vector<Buffer> outputs;
    for (std::size_t i = 0; i < program->params.size(); ++i) {
        const Buffer& param = program->params[i];
        if (i < inputs.size()) {
            map[param] = inputs[i];
            continue;
        }
        outputs.push_back(make_ref<const BufferNode>(param->name, param->dtype, param->shape, param->scope));
        map[param] = outputs.back();
    }
    const Stmt body = substitute_buffers(program->body, map);
    stages_.push_back({outputs, origin_.empty() ? body : Stamper(origin_).rewrite(body)});
    axis_names_.clear();
    return outputs;
}

ComputeBuilder& ComputeBuilder::axes(std::vector<std::string> names) {
    axis_names_ = std::move(names);
    return *this;
}

ComputeBuilder& ComputeBuilder::origin(OriginSet origin) {
    origin_ = std::move(origin);
    return *this;
}

Buffer ComputeBuilder::add_stage(Buffer buffer, Stmt nest) {
    stages_.push_back({{buffer}, std::move(nest)});
    return buffer;
}

std::vector<std::string> ComputeBuilder::take_axes(const std::vector<std::int64_t>& shape) {
    std::vector<std::string> names = std::exchange(axis_names_, {});
    if (!names.empty())
        names_by_shape_[shape] = names;
    else if (const auto known = names_by_shape_.find(shape); known != names_by_shape_.end())
        names = known->second;
    return names;
}

Program ComputeBuilder::program(const std::string& name, const std::vector<Buffer>& inputs,
                                const std::vector<Buffer>& outputs, OriginSet origin) const {
    std::vector<Stmt> body;
    std::vector<Buffer> made;
    for (const Stage& stage : stages_) {
        body.push_back(stage.nest);
        made.insert(made.end(), stage.buffers.begin(), stage.buffers.end());
    }
    std::vector<Buffer> params = inputs;
    for (const Buffer& output : outputs) {
        if (!contains(params, output)) {
            ORRERY_ASSERT(contains(made, output), output->name + ": an output is a stage's buffer or an input");
            params.push_back(output);
            continue;
        }
        Buffer copy = make_ref<const BufferNode>(output->name + "_copy", output->dtype, output->shape, Scope::Global);
        body.push_back(copy_nest(output, copy, origin.empty() ? origin_ : origin));
        params.push_back(std::move(copy));
    }
    Stmt whole = BlockNamer().rewrite(Seq::make(std::move(body)));
    for (std::size_t i = made.size(); i-- > 0;)
        if (!contains(params, made[i])) whole = Alloc::make(made[i], std::move(whole));
    if (origin.empty()) origin = whole->origin;
    return make_program(name, std::move(params), inputs.size(), std::move(whole), std::move(origin));
}

} // namespace orrery::tensor
