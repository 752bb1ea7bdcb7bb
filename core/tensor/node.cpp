#include "core/tensor/node.hpp"

namespace orrery::tensor {

namespace {

/// First handle of a node made with a private constructor.
template <class T> Ref<const T> own(T* node) { return Ref<const T>(node); }

bool is_index(const Expr& e) { return e && e->dtype == DType::I64; }

bool all_indices(const std::vector<Expr>& indices) {
    for (const Expr& index : indices)
        if (!is_index(index)) return false;
    return true;
}

void check_access(const Buffer& buffer, const std::vector<Expr>& indices) {
    ORRERY_ASSERT(buffer != nullptr);
    ORRERY_ASSERT(indices.size() == buffer->rank(), buffer->name + ": one index per dimension");
    ORRERY_ASSERT(all_indices(indices), buffer->name + ": indices are i64");
}

} // namespace

BufferNode::BufferNode(std::string n, DType t, std::vector<Expr> s, Scope where)
    : name(std::move(n)), dtype(t), shape(std::move(s)), scope(where) {
    ORRERY_ASSERT(all_indices(shape), name + ": extents are i64");
}

std::vector<std::int64_t> BufferNode::static_shape() const {
    std::vector<std::int64_t> out;
    out.reserve(shape.size());
    for (const Expr& extent : shape) {
        const IntImm* imm = as<IntImm>(extent);
        ORRERY_ASSERT(imm != nullptr, name + ": the shape is static");
        out.push_back(imm->value);
    }
    return out;
}

std::int64_t BufferNode::static_size() const {
    std::int64_t size = 1;
    for (std::int64_t extent : static_shape()) size *= extent;
    return size;
}

Buffer make_buffer(std::string name, DType dtype, const std::vector<std::int64_t>& shape, Scope scope) {
    std::vector<Expr> extents;
    extents.reserve(shape.size());
    for (std::int64_t extent : shape) extents.push_back(IntImm::make(DType::I64, extent));
    return make_ref<const BufferNode>(std::move(name), dtype, std::move(extents), scope);
}

Expr IntImm::make(DType dtype, std::int64_t value) {
    ORRERY_ASSERT(!is_float(dtype), "an IntImm is an integer or Bool");
    return own(new IntImm(dtype, value));
}

Expr FloatImm::make(DType dtype, double value) {
    ORRERY_ASSERT(is_float(dtype), "a FloatImm is a float");
    return own(new FloatImm(dtype, rounded_to(dtype, value)));
}

VarRef Var::make(std::string name, DType dtype) { return own(new Var(dtype, std::move(name))); }

Expr Binary::make(BinaryOp op, Expr a, Expr b) {
    ORRERY_ASSERT(a && b, "operands are given");
    ORRERY_ASSERT(a->dtype == b->dtype, "operands of one dtype");
    const DType type = a->dtype;
    const bool logical = op == BinaryOp::And || op == BinaryOp::Or;
    const bool integral = op == BinaryOp::Rem || op == BinaryOp::FloorDiv || op == BinaryOp::FloorMod ||
                          (op >= BinaryOp::BitAnd && op <= BinaryOp::Shr);
    ORRERY_ASSERT(!logical || type == DType::Bool, "And, Or take Bool");
    ORRERY_ASSERT(!integral || !is_float(type), "an integer operation takes integers");
    ORRERY_ASSERT(is_arithmetic(type), "4-bit integers are converted before they are computed with");
    return own(new Binary(is_comparison(op) ? DType::Bool : type, op, std::move(a), std::move(b)));
}

int arity(Intrinsic intrinsic) { return intrinsic == Intrinsic::Pow || intrinsic == Intrinsic::Fmod ? 2 : 1; }

Expr Call::make(Intrinsic intrinsic, std::vector<Expr> args) {
    ORRERY_ASSERT(static_cast<int>(args.size()) == arity(intrinsic), "an intrinsic has its number of operands");
    const DType type = args.front()->dtype;
    for (const Expr& arg : args) ORRERY_ASSERT(arg->dtype == type, "operands of one dtype");
    const bool test = intrinsic == Intrinsic::IsNan || intrinsic == Intrinsic::IsInf;
    ORRERY_ASSERT(intrinsic != Intrinsic::Not || type == DType::Bool, "Not takes Bool");
    return own(new Call(test ? DType::Bool : type, intrinsic, std::move(args)));
}

Expr Cast::make(DType dtype, Expr value) {
    if (value->dtype == dtype) return value;
    return own(new Cast(dtype, std::move(value)));
}

Expr Select::make(Expr condition, Expr then_value, Expr else_value) {
    ORRERY_ASSERT(condition->dtype == DType::Bool, "a Select's condition is Bool");
    ORRERY_ASSERT(then_value->dtype == else_value->dtype, "both arms have one dtype");
    return own(new Select(std::move(condition), std::move(then_value), std::move(else_value)));
}

Expr Load::make(Buffer buffer, std::vector<Expr> indices) {
    check_access(buffer, indices);
    return own(new Load(std::move(buffer), std::move(indices)));
}

Stmt Store::make(Buffer buffer, std::vector<Expr> indices, Expr value, OriginSet origin) {
    check_access(buffer, indices);
    ORRERY_ASSERT(value->dtype == buffer->dtype, buffer->name + ": a stored value has the buffer's dtype");
    auto* node = new Store(std::move(buffer), std::move(indices), std::move(value));
    node->origin = std::move(origin);
    return own(node);
}

Stmt ExternCall::make(std::string symbol, std::vector<Operand> operands, OriginSet origin) {
    for (const Operand& operand : operands) {
        if (operand.number != nullptr) {
            ORRERY_ASSERT(is_index(operand.number), symbol + ": a number is i64");
            continue;
        }
        const Region& region = operand.region;
        ORRERY_ASSERT(region.buffer && region.min.size() == region.buffer->rank() &&
                          region.extent.size() == region.min.size(),
                      symbol + ": a box has one range a dimension");
        for (std::size_t d = 0; d < region.min.size(); ++d)
            ORRERY_ASSERT(is_index(region.min[d]) && is_index(region.extent[d]), symbol + ": a range is i64");
    }
    auto* node = new ExternCall(std::move(symbol), std::move(operands));
    node->origin = std::move(origin);
    return own(node);
}

Stmt Prefetch::make(Buffer buffer, std::vector<Expr> indices, OriginSet origin) {
    check_access(buffer, indices);
    auto* node = new Prefetch(std::move(buffer), std::move(indices));
    node->origin = std::move(origin);
    return own(node);
}

Stmt For::make(VarRef var, Expr extent, LoopKind loop, Stmt body, Annotations annotations) {
    ORRERY_ASSERT(var && body && is_index(var) && is_index(extent),
                  "a loop has an i64 variable, an i64 extent, a body");
    auto* node = new For(std::move(var), std::move(extent), loop, std::move(body), std::move(annotations));
    node->origin = node->body->origin;
    return own(node);
}

Stmt If::make(Expr condition, Stmt then_body, Stmt else_body) {
    ORRERY_ASSERT(condition->dtype == DType::Bool && then_body, "an If has a Bool condition and a body");
    auto* node = new If(std::move(condition), std::move(then_body), std::move(else_body));
    node->origin = node->then_body->origin;
    if (node->else_body) node->origin = unite(node->origin, node->else_body->origin);
    return own(node);
}

Stmt Let::make(VarRef var, Expr value, Stmt body) {
    ORRERY_ASSERT(var->dtype == value->dtype && body, "a Let binds a value of its variable's dtype");
    auto* node = new Let(std::move(var), std::move(value), std::move(body));
    node->origin = node->body->origin;
    return own(node);
}

Stmt Alloc::make(Buffer buffer, Stmt body) {
    ORRERY_ASSERT(buffer && body, "an Alloc has a buffer and a body");
    auto* node = new Alloc(std::move(buffer), std::move(body));
    node->origin = node->body->origin;
    return own(node);
}

Stmt Block::make(Fields fields, OriginSet origin) {
    ORRERY_ASSERT(fields.body != nullptr, fields.name + ": a block has a body");
    for (const BlockIter& iter : fields.iters)
        ORRERY_ASSERT(iter.var && is_index(iter.extent) && is_index(iter.binding),
                      fields.name + ": iterators are bound, i64");
    ORRERY_ASSERT(!fields.predicate || fields.predicate->dtype == DType::Bool, fields.name + ": a predicate is Bool");
    auto* node = new Block(std::move(fields));
    node->origin = origin.empty() ? node->fields.body->origin : std::move(origin);
    return own(node);
}

Stmt Seq::make(std::vector<Stmt> stmts) {
    std::vector<Stmt> flat;
    flat.reserve(stmts.size());
    for (Stmt& stmt : stmts) {
        ORRERY_ASSERT(stmt != nullptr, "a sequence holds statements");
        if (const Seq* inner = as<Seq>(stmt))
            flat.insert(flat.end(), inner->stmts.begin(), inner->stmts.end());
        else
            flat.push_back(std::move(stmt));
    }
    if (flat.size() == 1) return flat.front();
    auto* node = new Seq(std::move(flat));
    for (const Stmt& stmt : node->stmts) node->origin = unite(node->origin, stmt->origin);
    return own(node);
}

ProgramNode::ProgramNode(std::string n, std::vector<Buffer> p, std::size_t inputs, Stmt b, OriginSet o)
    : name(std::move(n)), params(std::move(p)), input_count(inputs), body(std::move(b)), origin(std::move(o)) {
    ORRERY_ASSERT(input_count <= params.size() && body, name + ": inputs are among the parameters; there is a body");
}

Program make_program(std::string name, std::vector<Buffer> params, std::size_t input_count, Stmt body,
                     OriginSet origin) {
    return make_ref<const ProgramNode>(std::move(name), std::move(params), input_count, std::move(body),
                                       std::move(origin));
}

Stmt with_origin(const Stmt& stmt, const OriginSet& origin) {
    if (stmt->origin == origin) return stmt;
    const auto marked = [&origin]<class T>(const T& node) -> Stmt {
        auto* copy = new T(node);
        copy->origin = origin;
        return own(copy);
    };
    switch (stmt->kind) {
    case NodeKind::Store: return marked(*as<Store>(stmt));
    case NodeKind::ExternCall: return marked(*as<ExternCall>(stmt));
    case NodeKind::Prefetch: return marked(*as<Prefetch>(stmt));
    case NodeKind::For: return marked(*as<For>(stmt));
    case NodeKind::If: return marked(*as<If>(stmt));
    case NodeKind::Let: return marked(*as<Let>(stmt));
    case NodeKind::Alloc: return marked(*as<Alloc>(stmt));
    case NodeKind::Block: return marked(*as<Block>(stmt));
    case NodeKind::Seq: return marked(*as<Seq>(stmt));
    default: fail_internal("with_origin is given a statement");
    }
}

} // namespace orrery::tensor
