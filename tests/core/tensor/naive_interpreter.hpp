#pragma once
// A second interpreter, as plain as can be: every value is a constant expression, arithmetic is the folding of
// build.hpp. It knows nothing of lanes, strips or plans.

#include "core/base/ndarray.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"

#include <bit>
#include <cmath>
#include <map>
#include <span>
#include <stdexcept>
#include <vector>

namespace orrery::tensor::testing {

class NaiveInterpreter {
  public:
    void set(const VarRef& var, const Expr& value) { vars_[var.get()] = value; }

    void run(const Program& program, std::span<NDArray> args) {
        for (std::size_t p = 0; p < args.size(); ++p) {
            std::vector<Expr>& memory = memory_[program->params[p].get()];
            for (std::int64_t i = 0; i < args[p].size(); ++i) memory.push_back(element(args[p], i));
        }
        run(program->body);
        for (std::size_t p = program->input_count; p < args.size(); ++p) {
            const std::vector<Expr>& memory = memory_[program->params[p].get()];
            for (std::int64_t i = 0; i < args[p].size(); ++i) put(args[p], i, memory[static_cast<std::size_t>(i)]);
        }
    }

    Expr eval(const Expr& expr) {
        switch (expr->kind) {
        case NodeKind::Var: return vars_.at(as<Var>(expr));
        case NodeKind::Binary: return eval_binary(*as<Binary>(expr));
        case NodeKind::Call: return eval_call(*as<Call>(expr));
        case NodeKind::Cast: return cast(expr->dtype, eval(as<Cast>(expr)->value));
        case NodeKind::Select: {
            const Select& node = *as<Select>(expr);
            return eval(truth(node.condition) ? node.then_value : node.else_value);
        }
        case NodeKind::Load: return at(as<Load>(expr)->buffer, as<Load>(expr)->indices);
        default: return expr;
        }
    }
    std::int64_t integer(const Expr& expr) { return as_int(eval(expr)).value(); }
    bool truth(const Expr& expr) { return integer(expr) != 0; }

  private:
    static Expr element(const NDArray& array, std::int64_t i) {
        if (is_float(array.dtype())) return FloatImm::make(array.dtype(), array.as_double(i));
        return IntImm::make(array.dtype(), array.as_int(i));
    }
    static void put(NDArray& array, std::int64_t i, const Expr& value) {
        if (const FloatImm* number = as<FloatImm>(value))
            array.set(i, number->value);
        else
            array.set_int(i, as_int(value).value());
    }

    Expr eval_binary(const Binary& node) {
        const Expr a = eval(node.a);
        if (node.op == BinaryOp::And && as_int(a) == 0) return a;
        if (node.op == BinaryOp::Or && as_int(a) != 0) return a;
        return binary(node.op, a, eval(node.b));
    }

    Expr eval_call(const Call& node) {
        const Expr a = eval(node.args[0]);
        const FloatImm* number = as<FloatImm>(a);
        if (number && node.intrinsic == Intrinsic::Sign) {
            const double x = number->value;
            return FloatImm::make(a->dtype, std::isnan(x) ? x : x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0);
        }
        if (node.intrinsic == Intrinsic::CountOnes) {
            const auto bits = static_cast<std::uint64_t>(as_int(a).value()) << (64 - bit_width(a->dtype));
            return constant_int(a->dtype, std::popcount(bits));
        }
        const Expr result = call(node.intrinsic, a);
        if (result->kind == NodeKind::Call) throw std::logic_error(to_string(result));
        return result;
    }

    Expr& at(const Buffer& buffer, const std::vector<Expr>& indices) {
        std::int64_t offset = 0;
        for (std::size_t d = 0; d < indices.size(); ++d) {
            const std::int64_t extent = integer(buffer->shape[d]), index = integer(indices[d]);
            if (index < 0 || index >= extent) throw std::out_of_range(buffer->name);
            offset = offset * extent + index;
        }
        return memory_.at(buffer.get())[static_cast<std::size_t>(offset)];
    }

    void run(const Stmt& stmt) {
        if (const Store* node = as<Store>(stmt)) {
            const Expr value = eval(node->value);
            at(node->buffer, node->indices) = value;
        } else if (const For* loop = as<For>(stmt)) {
            const std::int64_t extent = integer(loop->extent);
            for (std::int64_t i = 0; i < extent; ++i) {
                set(loop->var, imm(i));
                run(loop->body);
            }
        } else if (const If* branch = as<If>(stmt)) {
            if (truth(branch->condition))
                run(branch->then_body);
            else if (branch->else_body)
                run(branch->else_body);
        } else if (const Let* let = as<Let>(stmt)) {
            set(let->var, eval(let->value));
            run(let->body);
        } else if (const Alloc* alloc = as<Alloc>(stmt)) {
            memory_[alloc->buffer.get()].assign(static_cast<std::size_t>(alloc->buffer->static_size()), nullptr);
            run(alloc->body);
        } else if (const Block* block = as<Block>(stmt)) {
            run_block(*block);
        } else if (const Seq* seq = as<Seq>(stmt)) {
            for (const Stmt& child : seq->stmts) run(child);
        }
    }

    void run_block(const Block& block) {
        if (block.fields.predicate && !truth(block.fields.predicate)) return;
        bool first = true;
        for (const BlockIter& iter : block.fields.iters) {
            const Expr value = eval(iter.binding);
            set(iter.var, value);
            first = first && (iter.kind == IterKind::Spatial || as_int(value) == 0);
        }
        if (block.fields.init && first) run(block.fields.init);
        run(block.fields.body);
    }

    std::map<const Var*, Expr> vars_;
    std::map<const BufferNode*, std::vector<Expr>> memory_;
};

} // namespace orrery::tensor::testing
