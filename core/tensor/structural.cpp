// Equality walks two trees side by side and pairs what they bind; the hash numbers what is bound in the order it is
// met. Both leave out names (except those of blocks, by which schedules find them) and origins.

#include "core/tensor/analysis.hpp"
#include "core/tensor/visitor.hpp"

#include <bit>
#include <cmath>
#include <unordered_map>

namespace orrery::tensor {

namespace {

/// What makes two float constants the same: all NaN are one, 0.0 and -0.0 are two.
std::uint64_t float_bits(double value) {
    return std::bit_cast<std::uint64_t>(std::isnan(value) ? std::nan("") : value);
}

/// A one-to-one pairing of nodes of the left with nodes of the right.
class Pairing {
  public:
    /// True when the two are paired with each other; `fresh` decides for two that are not paired with anything.
    template <class F> bool match(const void* a, const void* b, const F& fresh) {
        const auto left = to_right_.find(a);
        const auto right = to_left_.find(b);
        if (left == to_right_.end() && right == to_left_.end()) return fresh();
        return left != to_right_.end() && right != to_left_.end() && left->second == b && right->second == a;
    }
    void bind(const void* a, const void* b) {
        if (const auto old = to_right_.find(a); old != to_right_.end()) to_left_.erase(old->second);
        if (const auto old = to_left_.find(b); old != to_left_.end()) to_right_.erase(old->second);
        to_right_[a] = b;
        to_left_[b] = a;
    }

  private:
    std::unordered_map<const void*, const void*> to_right_, to_left_;
};

enum class Free { ByIdentity, Paired };

class Equality final : public StrictVisitor<bool, const Node&> {
  public:
    explicit Equality(Free free) : free_(free) {}

    bool same(const Expr& a, const Expr& b) { return a->kind == b->kind && a->dtype == b->dtype && dispatch(*a, *b); }
    bool same(const Stmt& a, const Stmt& b) { return a->kind == b->kind && dispatch(*a, *b); }

    bool same_definition(const Buffer& a, const Buffer& b) {
        if (a->dtype != b->dtype || a->scope != b->scope || !same(a->shape, b->shape)) return false;
        buffers_.bind(a.get(), b.get());
        return true;
    }

  protected:
    bool visit_node(const IntImm& a, const Node& b) override { return a.value == as<IntImm>(&b)->value; }
    bool visit_node(const FloatImm& a, const Node& b) override {
        return float_bits(a.value) == float_bits(as<FloatImm>(&b)->value);
    }
    bool visit_node(const Var& a, const Node& b) override {
        return vars_.match(&a, &b, [&] {
            if (free_ == Free::ByIdentity) return static_cast<const Node*>(&a) == &b;
            vars_.bind(&a, &b);
            return true;
        });
    }
    bool visit_node(const Binary& a, const Node& other) override {
        const Binary& b = *as<Binary>(&other);
        return a.op == b.op && same(a.a, b.a) && same(a.b, b.b);
    }
    bool visit_node(const Call& a, const Node& other) override {
        const Call& b = *as<Call>(&other);
        return a.intrinsic == b.intrinsic && same(a.args, b.args);
    }
    bool visit_node(const Cast& a, const Node& b) override { return same(a.value, as<Cast>(&b)->value); }
    bool visit_node(const Select& a, const Node& other) override {
        const Select& b = *as<Select>(&other);
        return same(a.condition, b.condition) && same(a.then_value, b.then_value) && same(a.else_value, b.else_value);
    }
    bool visit_node(const Load& a, const Node& other) override {
        const Load& b = *as<Load>(&other);
        return same_buffer(a.buffer, b.buffer) && same(a.indices, b.indices);
    }
    bool visit_node(const Store& a, const Node& other) override {
        const Store& b = *as<Store>(&other);
        return same_buffer(a.buffer, b.buffer) && same(a.indices, b.indices) && same(a.value, b.value);
    }
    bool visit_node(const ExternCall& a, const Node& other) override {
        const ExternCall& b = *as<ExternCall>(&other);
        return a.symbol == b.symbol && same(a.operands, b.operands);
    }
    bool visit_node(const Prefetch& a, const Node& other) override {
        const Prefetch& b = *as<Prefetch>(&other);
        return same_buffer(a.buffer, b.buffer) && same(a.indices, b.indices);
    }
    bool visit_node(const For& a, const Node& other) override {
        const For& b = *as<For>(&other);
        if (a.loop != b.loop || a.annotations != b.annotations || !same(a.extent, b.extent)) return false;
        vars_.bind(a.var.get(), b.var.get());
        return same(a.body, b.body);
    }
    bool visit_node(const If& a, const Node& other) override {
        const If& b = *as<If>(&other);
        return same(a.condition, b.condition) && same(a.then_body, b.then_body) &&
               same_or_null(a.else_body, b.else_body);
    }
    bool visit_node(const Let& a, const Node& other) override {
        const Let& b = *as<Let>(&other);
        if (!same(a.value, b.value)) return false;
        vars_.bind(a.var.get(), b.var.get());
        return same(a.body, b.body);
    }
    bool visit_node(const Alloc& a, const Node& other) override {
        const Alloc& b = *as<Alloc>(&other);
        return same_definition(a.buffer, b.buffer) && same(a.body, b.body);
    }
    bool visit_node(const Block& node, const Node& other) override {
        const Block::Fields& a = node.fields;
        const Block::Fields& b = as<Block>(&other)->fields;
        if (a.name != b.name || a.annotations != b.annotations || a.iters.size() != b.iters.size()) return false;
        for (std::size_t i = 0; i < a.iters.size(); ++i)
            if (a.iters[i].kind != b.iters[i].kind || !same(a.iters[i].extent, b.iters[i].extent) ||
                !same(a.iters[i].binding, b.iters[i].binding))
                return false;
        if (!same_or_null(a.predicate, b.predicate)) return false;
        for (std::size_t i = 0; i < a.iters.size(); ++i) vars_.bind(a.iters[i].var.get(), b.iters[i].var.get());
        return same(a.reads, b.reads) && same(a.writes, b.writes) && same_or_null(a.init, b.init) &&
               same(a.body, b.body);
    }
    bool visit_node(const Seq& a, const Node& b) override { return same(a.stmts, as<Seq>(&b)->stmts); }

  private:
    template <class T> bool same(const std::vector<T>& a, const std::vector<T>& b) {
        if (a.size() != b.size()) return false;
        for (std::size_t i = 0; i < a.size(); ++i)
            if (!same(a[i], b[i])) return false;
        return true;
    }
    bool same(const Region& a, const Region& b) {
        return same_buffer(a.buffer, b.buffer) && same(a.min, b.min) && same(a.extent, b.extent);
    }
    bool same(const ExternCall::Operand& a, const ExternCall::Operand& b) {
        if (a.number != nullptr || b.number != nullptr) return same_or_null(a.number, b.number);
        return a.mode == b.mode && same(a.region, b.region);
    }
    template <class T> bool same_or_null(const T& a, const T& b) {
        if (a == nullptr || b == nullptr) return a == b;
        return same(a, b);
    }
    bool same_buffer(const Buffer& a, const Buffer& b) {
        return buffers_.match(a.get(), b.get(),
                              [&] { return free_ == Free::ByIdentity ? a == b : same_definition(a, b); });
    }

    Free free_;
    Pairing vars_, buffers_;
};

/// Serializes a program, names left out, into words that are hashed at once.
class Words final : public StrictVisitor<void> {
  public:
    void add(std::uint64_t word) { words_.push_back(word); }
    template <class T> void add_all(const std::vector<T>& items) {
        add(items.size());
        for (const T& item : items) add(item);
    }
    void add(const Expr& expr) {
        add(static_cast<std::uint64_t>(expr->kind) << 8 | static_cast<std::uint64_t>(expr->dtype));
        dispatch(*expr);
    }
    void add(const Stmt& stmt) {
        add(static_cast<std::uint64_t>(stmt->kind));
        dispatch(*stmt);
    }
    void define(const Buffer& buffer) {
        add(static_cast<std::uint64_t>(buffer->dtype) << 8 | static_cast<std::uint64_t>(buffer->scope));
        add_all(buffer->shape);
        number(buffer.get());
    }
    [[nodiscard]] Hash finish() const { return hash_bytes(words_.data(), words_.size() * sizeof(std::uint64_t)); }

  protected:
    void visit_node(const IntImm& node) override { add(static_cast<std::uint64_t>(node.value)); }
    void visit_node(const FloatImm& node) override { add(float_bits(node.value)); }
    void visit_node(const Var& node) override {
        const auto found = numbers_.find(&node);
        add(found == numbers_.end() ? number(&node) : found->second);
    }
    void visit_node(const Binary& node) override {
        add(static_cast<std::uint64_t>(node.op));
        add(node.a);
        add(node.b);
    }
    void visit_node(const Call& node) override {
        add(static_cast<std::uint64_t>(node.intrinsic));
        add_all(node.args);
    }
    void visit_node(const Cast& node) override { add(node.value); }
    void visit_node(const Select& node) override {
        add(node.condition);
        add(node.then_value);
        add(node.else_value);
    }
    void visit_node(const Load& node) override {
        add(node.buffer);
        add_all(node.indices);
    }
    void visit_node(const Store& node) override {
        add(node.buffer);
        add_all(node.indices);
        add(node.value);
    }
    void visit_node(const ExternCall& node) override {
        add(node.symbol);
        add_all(node.operands);
    }
    void visit_node(const Prefetch& node) override {
        add(node.buffer);
        add_all(node.indices);
    }
    void visit_node(const For& node) override {
        add(static_cast<std::uint64_t>(node.loop));
        add(node.annotations);
        add(node.extent);
        number(node.var.get());
        add(node.body);
    }
    void visit_node(const If& node) override {
        add(node.condition);
        add(node.then_body);
        add_or_null(node.else_body);
    }
    void visit_node(const Let& node) override {
        add(node.value);
        number(node.var.get());
        add(node.body);
    }
    void visit_node(const Alloc& node) override {
        define(node.buffer);
        add(node.body);
    }
    void visit_node(const Block& node) override {
        add(node.fields.name);
        add(node.fields.annotations);
        add(node.fields.iters.size());
        for (const BlockIter& iter : node.fields.iters) {
            add(static_cast<std::uint64_t>(iter.kind));
            add(iter.extent);
            add(iter.binding);
        }
        add_or_null(node.fields.predicate);
        for (const BlockIter& iter : node.fields.iters) number(iter.var.get());
        add_all(node.fields.reads);
        add_all(node.fields.writes);
        add_or_null(node.fields.init);
        add(node.fields.body);
    }
    void visit_node(const Seq& node) override { add_all(node.stmts); }

  private:
    /// A null is told from every node by a word no kind has.
    template <class T> void add_or_null(const T& handle) {
        if (handle == nullptr) return add(~std::uint64_t{0});
        add(handle);
    }
    void add(const Region& region) {
        add(region.buffer);
        add_all(region.min);
        add_all(region.extent);
    }
    void add(const ExternCall::Operand& operand) {
        add_or_null(operand.number);
        if (operand.number != nullptr) return;
        add(static_cast<std::uint64_t>(operand.mode));
        add(operand.region);
    }
    void add(const Buffer& buffer) {
        const auto found = numbers_.find(buffer.get());
        if (found != numbers_.end()) return add(found->second);
        add(next_);
        define(buffer);
    }
    void add(const std::string& text) {
        add(text.size());
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            word = word << 8 | static_cast<unsigned char>(text[i]);
            if (i % 8 == 7 || i + 1 == text.size()) add(std::exchange(word, 0));
        }
    }
    void add(const Annotations& annotations) {
        add(annotations.size());
        for (const auto& [key, value] : annotations) {
            add(key);
            add(value);
        }
    }
    std::uint64_t number(const void* bound) { return numbers_[bound] = next_++; }

    std::vector<std::uint64_t> words_;
    std::unordered_map<const void*, std::uint64_t> numbers_;
    std::uint64_t next_ = 0;
};

} // namespace

bool structural_equal(const Expr& a, const Expr& b) { return a == b || Equality(Free::ByIdentity).same(a, b); }

bool structural_equal(const Stmt& a, const Stmt& b) { return a == b || Equality(Free::ByIdentity).same(a, b); }

bool structural_equal(const Program& a, const Program& b) {
    if (a == b) return true;
    if (a->input_count != b->input_count || a->params.size() != b->params.size()) return false;
    Equality equality(Free::Paired);
    for (std::size_t i = 0; i < a->params.size(); ++i)
        if (!equality.same_definition(a->params[i], b->params[i])) return false;
    return equality.same(a->body, b->body);
}

Hash structural_hash(const Program& program) {
    Words words;
    words.add(program->input_count);
    words.add(program->params.size());
    for (const Buffer& param : program->params) words.define(param);
    words.add(program->body);
    return words.finish();
}

} // namespace orrery::tensor
