// Tensor expressions back from a program: the nests that ComputeBuilder makes are read stage by stage. What does not
// parse back equal is no expression.

#include "core/tensor/expression_text.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/notation.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <map>
#include <optional>
#include <set>

namespace orrery::tensor {

namespace {

class ExpressionPrinter {
  public:
    explicit ExpressionPrinter(const ProgramNode& program) : program_(program) {
        class Makers final : public Visitor {
          public:
            explicit Makers(std::map<const BufferNode*, std::string>& found) : found_(found) {}

          protected:
            using Visitor::visit_node;
            void visit_node(const Block& node) override {
                if (const Store* store = as<Store>(node.fields.body))
                    found_.emplace(store->buffer.get(), node.fields.name);
            }

          private:
            std::map<const BufferNode*, std::string>& found_;
        } makers(makers_);
        makers.visit(program.body);
    }

    std::string run() {
        std::string out = "kernel " + cleaned(program_.name) + "\n";
        for (std::size_t i = 0; i < program_.params.size(); ++i) {
            const Buffer renamed = name(program_.params[i]);
            if (i < program_.input_count) out += "input " + renamed->name + ": " + type_text(renamed) + "\n";
        }
        Stmt body = program_.body;
        for (const Alloc* alloc = as<Alloc>(body); alloc; alloc = as<Alloc>(body)) {
            if (alloc->buffer->scope != Scope::Global) return {};
            name(alloc->buffer);
            body = alloc->body;
        }
        const Seq* all = as<Seq>(body);
        for (const Stmt& nest : all ? all->stmts : std::vector<Stmt>{body}) {
            const std::optional<std::string> line = stage(nest);
            if (!line) return {};
            out += *line;
        }
        out += "output ";
        for (std::size_t i = program_.input_count; i < program_.params.size(); ++i)
            out += (i > program_.input_count ? ", " : "") + buffers_.at(program_.params[i])->name;
        return out + "\n";
    }

  private:
    static std::string type_text(const Buffer& buffer) {
        std::string text(to_string(buffer->dtype));
        text += "[";
        for (std::size_t d = 0; d < buffer->rank(); ++d) text += (d ? ", " : "") + to_string(buffer->shape[d]);
        return text + "]";
    }
    static std::string cleaned(const std::string& name) {
        std::string out;
        for (const char c : name) out += is_word_char(c) ? c : '_';
        return out.empty() || !is_word_start(out[0]) ? "k" + out : out;
    }
    /// A word that nothing else has and that means nothing.
    std::string fresh(const std::string& wanted, const std::set<std::string>& taken) const {
        const std::string base = cleaned(wanted);
        std::string word = base;
        for (int n = 1; taken.contains(word) || names_.contains(word) || !is_free_word(word); ++n)
            word = base + "_" + std::to_string(n);
        return word;
    }
    /// After the block that makes it: a stage's block has its name.
    Buffer name(const Buffer& buffer) {
        const auto block = makers_.find(buffer.get());
        const std::string word = fresh(block == makers_.end() ? buffer->name : block->second, {});
        names_.insert(word);
        return buffers_[buffer] = make_ref<const BufferNode>(word, buffer->dtype, buffer->shape, buffer->scope);
    }

    /// One line, or nothing when the nest is no stage.
    std::optional<std::string> stage(Stmt nest) {
        std::vector<VarRef> loops;
        for (const For* loop = as<For>(nest); loop; loop = as<For>(nest)) {
            if (loop->loop != LoopKind::Serial || !loop->annotations.empty()) return std::nullopt;
            loops.push_back(loop->var);
            nest = loop->body;
        }
        const Block* block = as<Block>(nest);
        const Store* store = block ? as<Store>(block->fields.body) : nullptr;
        if (!store || block->fields.predicate != nullptr || block->fields.iters.size() != loops.size())
            return std::nullopt;
        VarMap axes;
        std::set<std::string> taken;
        std::string spatial, reduced;
        for (std::size_t i = 0; i < loops.size(); ++i) {
            const BlockIter& iter = block->fields.iters[i];
            if (iter.binding != Expr(loops[i])) return std::nullopt;
            const std::string word = fresh(loops[i]->name, taken);
            taken.insert(word);
            axes[iter.var] = Var::make(word);
            std::string& list = iter.kind == IterKind::Spatial ? spatial : reduced;
            list += (list.empty() ? "" : ", ") + word + ": " + to_string(iter.extent);
        }
        if (!is_stage(*block, *store, reduced.empty())) return std::nullopt;
        const Stmt renamed = substitute(substitute_buffers(handle(*store), buffers_), axes);
        const Expr value = as<Store>(renamed)->value;
        std::string text = buffers_.at(store->buffer)->name + "[" + spatial + "] = ";
        if (reduced.empty()) return text + to_string(value) + "\n";
        text += std::string(reducer(*store)) + "[" + reduced + "](";
        return text + to_string(as<Binary>(value)->b) + ")\n";
    }

    /// Whether the block stores one element for each value of its spatial iterators.
    bool is_stage(const Block& block, const Store& store, bool plain) const {
        std::size_t spatial = 0;
        for (const BlockIter& iter : block.fields.iters) spatial += iter.kind == IterKind::Spatial ? 1 : 0;
        if (!buffers_.contains(store.buffer) || store.indices.size() != spatial) return false;
        for (std::size_t i = 0; i < spatial; ++i)
            if (store.indices[i] != Expr(block.fields.iters[i].var)) return false;
        return plain ? block.fields.init == nullptr : block.fields.init != nullptr && !reducer(store).empty();
    }

    static std::string_view reducer(const Store& store) {
        const Binary* update = as<Binary>(store.value);
        const Load* old = update ? as<Load>(update->a) : nullptr;
        if (!old || old->buffer != store.buffer || old->indices != store.indices) return {};
        switch (update->op) {
        case BinaryOp::Add: return "sum";
        case BinaryOp::Mul: return "prod";
        case BinaryOp::Min: return "min";
        case BinaryOp::Max: return "max";
        case BinaryOp::And: return "all";
        case BinaryOp::Or: return "any";
        default: return {};
        }
    }

    const ProgramNode& program_;
    BufferMap buffers_;
    std::map<const BufferNode*, std::string> makers_; ///< names of the blocks that store into buffers
    std::set<std::string> names_;
};

} // namespace

std::string to_expressions(const Program& program) {
    for (const Buffer& param : program->params)
        for (const Expr& extent : param->shape)
            if (!as_int(extent)) return {};
    std::string text = ExpressionPrinter(*program).run();
    if (text.empty()) return {};
    const Result<TypedProgram> back = parse_expressions(text);
    return back && structural_equal(back->program, program) ? text : std::string();
}

} // namespace orrery::tensor
