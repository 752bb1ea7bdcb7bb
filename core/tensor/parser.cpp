// Outline: Names (lexical scopes), Parser (programs, statements, expressions). The first error ends parsing: it is kept
// in `error_`, and a null handle says that there is one.
// Text is untrusted: recursion and the depth of the tree are bounded.

#include "core/tensor/lexer.hpp"
#include "core/tensor/notation.hpp"
#include "core/tensor/text.hpp"

#include <algorithm>
#include <optional>

namespace orrery::tensor {

namespace {

/// Nested braces, parentheses, brackets and prefixes. Source: our choice; also under sanitizers they take less than
/// half of a thread's 8 MiB of stack.
constexpr int kMaxNesting = 500;
/// Depth of an expression or statement tree, which others walk by recursion. Source: our choice, well above what
/// schedules build.
constexpr int kMaxDepth = 2000;
/// Units: elements. Source: the bytes of the widest type still fit 63 bits.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 59;

/// What a name stands for here.
struct Symbol {
    VarRef var;
    Buffer buffer;
};

/// Names by lexical scope; an inner one hides an outer one.
class Names {
  public:
    [[nodiscard]] std::size_t mark() const { return log_.size(); }
    void define(std::string_view name, Symbol symbol) {
        log_.emplace_back(name);
        table_[log_.back()].push_back(std::move(symbol));
    }
    /// Forgets everything defined since the mark.
    void restore(std::size_t mark) {
        for (; log_.size() > mark; log_.pop_back()) table_[log_.back()].pop_back();
    }
    [[nodiscard]] const Symbol* find(std::string_view name) const {
        const auto found = table_.find(std::string(name));
        return found == table_.end() || found->second.empty() ? nullptr : &found->second.back();
    }

  private:
    std::vector<std::string> log_;
    std::unordered_map<std::string, std::vector<Symbol>> table_;
};

class Parser {
  public:
    explicit Parser(std::string_view text) : lexer_(text) { advance(); }

    Program program();
    [[nodiscard]] bool at_end() const { return token_.kind == TokenKind::End && !error_; }
    void expect_end() {
        if (!at_end()) fail("the end of the text");
    }
    Diagnostic take_error() { return *std::move(error_); }

  private:
    // Tokens.
    void advance() { token_ = lexer_.next(); }
    [[nodiscard]] bool at(std::string_view text) const {
        return (token_.kind == TokenKind::Symbol || token_.kind == TokenKind::Word) && token_.text == text;
    }
    bool accept(std::string_view text) {
        if (!at(text)) return false;
        advance();
        return true;
    }
    bool expect(std::string_view text) { return accept(text) || fail("`" + std::string(text) + "`"); }

    /// Keeps the first error: something else was expected here. Always false.
    bool fail(const std::string& expected) {
        std::string found =
            token_.kind == TokenKind::End ? "the end" : "`" + std::string(token_.text.substr(0, 40)) + "`";
        return error_at(token_.at, "expected " + expected + ", found " + found);
    }
    bool error_at(TextPosition at, std::string message) {
        if (!error_) error_ = Diagnostic{Code::BadText, std::move(message), {at}, {}};
        token_ = {TokenKind::End, {}, token_.at};
        return false;
    }
    /// Guards every recursion.
    class Nested {
      public:
        explicit Nested(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
        ~Nested() { --parser_.nesting_; }
        Nested(const Nested&) = delete;
        Nested& operator=(const Nested&) = delete;
        [[nodiscard]] bool ok() const { return parser_.nesting_ <= kMaxNesting || parser_.too_deep(parser_.token_.at); }

      private:
        Parser& parser_;
    };
    bool too_deep(TextPosition at) { return error_at(at, "nested too deeply"); }

    // Names and small things.
    std::optional<std::string_view> name();
    std::optional<std::string> quoted_or_name();
    std::optional<std::string> quoted();
    std::optional<DType> dtype();
    std::optional<Scope> scope();
    std::optional<Annotations> annotations();
    Buffer buffer_declaration();
    bool sane(const std::vector<Expr>& shape, TextPosition at);
    bool buffer_list(std::vector<Buffer>& out);
    Buffer buffer_use();
    bool size_parameters();

    // Statements.
    struct Opened { ///< an alloc or a let, which holds what follows it in its braces
        Buffer buffer;
        VarRef var;
        Expr value;
        std::size_t at = 0; ///< how many statements stand before it
    };
    Stmt braced();
    Stmt statements();
    [[gnu::noinline]] Stmt statement(); ///< apart, so that the frames of a recursion stay small
    bool opened(std::vector<Opened>& out, std::size_t before);
    Stmt loop(LoopKind kind);
    Stmt conditional();
    Stmt block();
    bool block_iters(std::vector<BlockIter>& out);
    bool region(Region& out, bool or_all = false);
    bool regions(std::vector<Region>& out);
    Stmt extern_call();
    Stmt prefetch();
    bool access_pointer(ExternCall::Operand& out);
    Stmt store();

    // Expressions; `depth_` is the depth of the tree last returned.
    Expr expression() { return binary(1); }
    Expr expression(DType wanted, std::string_view what);
    Expr binary(int least_precedence);
    Expr unary();
    Expr primary();
    Expr word();
    Expr function(std::string_view word, TextPosition at);
    Expr apply(std::string_view word, std::vector<Expr> args, TextPosition at);
    Expr make_binary(BinaryOp op, Expr a, Expr b, TextPosition at);
    Expr make_call(Intrinsic intrinsic, std::vector<Expr> args, TextPosition at);
    Expr number(bool negative);
    bool indices(const Buffer& buffer, std::vector<Expr>& out);
    bool deeper(int children, TextPosition at) {
        depth_ = children + 1;
        return depth_ <= kMaxDepth || too_deep(at);
    }

    Lexer lexer_;
    Token token_;
    std::optional<Diagnostic> error_;
    Names names_;
    int nesting_ = 0, depth_ = 0;
    int open_statements_ = 0; ///< depth of the statement being read
};

std::optional<std::string_view> Parser::name() {
    if (token_.kind != TokenKind::Word || is_reserved(token_.text)) return fail("a name"), std::nullopt;
    const std::string_view text = token_.text;
    advance();
    return text;
}

std::optional<std::string> Parser::quoted() {
    if (token_.kind != TokenKind::String) return fail("a text in quotes"), std::nullopt;
    const std::string_view body = token_.text.substr(1, token_.text.size() - 2);
    const auto hex = [](char c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    std::string out;
    for (std::size_t i = 0; i < body.size(); ++i) {
        if (body[i] != '\\') {
            out += body[i];
            continue;
        }
        const char escape = body[++i];
        if (escape == '"' || escape == '\\')
            out += escape;
        else if (escape == 'n')
            out += '\n';
        else if (escape == 'x' && i + 2 < body.size() && hex(body[i + 1]) >= 0 && hex(body[i + 2]) >= 0) {
            out += static_cast<char>(hex(body[i + 1]) * 16 + hex(body[i + 2]));
            i += 2;
        } else
            return error_at(token_.at, "an escape is one of \\\" \\\\ \\n \\x00"), std::nullopt;
    }
    advance();
    return out;
}

std::optional<std::string> Parser::quoted_or_name() {
    if (token_.kind == TokenKind::String) return quoted();
    const auto word = name();
    return word ? std::optional<std::string>(*word) : std::nullopt;
}

std::optional<DType> Parser::dtype() {
    const auto found = token_.kind == TokenKind::Word ? parse_dtype(token_.text) : std::nullopt;
    if (!found) return fail("an element type"), std::nullopt;
    advance();
    return found;
}

std::optional<Scope> Parser::scope() {
    for (std::size_t i = 0; i < kScopes.size(); ++i)
        if (accept(kScopes[i])) return static_cast<Scope>(i);
    return fail("a scope: global, stack or registers"), std::nullopt;
}

std::optional<Annotations> Parser::annotations() {
    Annotations out;
    while (accept("@")) {
        const TextPosition at = token_.at;
        const auto key = quoted_or_name();
        if (!key) return std::nullopt;
        std::optional<std::string> value = "";
        if (accept("=")) value = quoted();
        if (!value) return std::nullopt;
        if (!out.emplace(*key, *value).second) return error_at(at, "the annotation is given twice"), std::nullopt;
    }
    return out;
}

/// Extents that are known are not negative, and their product can be counted.
bool Parser::sane(const std::vector<Expr>& shape, TextPosition at) {
    std::int64_t elements = 1;
    for (const Expr& extent : shape) {
        const IntImm* known = as<IntImm>(extent);
        if (!known || known->value == 0) continue;
        if (known->value < 0) return error_at(at, "an extent is negative");
        if (__builtin_mul_overflow(elements, known->value, &elements) || elements > kMaxElements)
            return error_at(at, "the buffer is too large");
    }
    return true;
}

Buffer Parser::buffer_declaration() {
    const auto word = name();
    if (!word || !expect(":")) return nullptr;
    const auto type = dtype();
    if (!type || !expect("[")) return nullptr;
    std::vector<Expr> shape;
    if (!at("]")) do {
            shape.push_back(expression(DType::I64, "an extent"));
            if (shape.back() == nullptr) return nullptr;
        } while (accept(","));
    if (!expect("]") || !sane(shape, token_.at)) return nullptr;
    std::optional<Scope> where = Scope::Global;
    if (accept("scope")) where = scope();
    if (!where) return nullptr;
    Buffer buffer = make_ref<const BufferNode>(std::string(*word), *type, std::move(shape), *where);
    names_.define(*word, {nullptr, buffer});
    return buffer;
}

bool Parser::buffer_list(std::vector<Buffer>& out) {
    if (!expect("(")) return false;
    if (accept(")")) return true;
    do {
        const TextPosition at = token_.at;
        const std::string_view word = token_.text;
        for (const Buffer& known : out)
            if (known->name == word) return error_at(at, "two parameters have one name");
        out.push_back(buffer_declaration());
        if (out.back() == nullptr) return false;
    } while (accept(","));
    return expect(")");
}

Buffer Parser::buffer_use() {
    const TextPosition at = token_.at;
    const auto word = name();
    if (!word) return nullptr;
    const Symbol* symbol = names_.find(*word);
    if (symbol && symbol->buffer) return symbol->buffer;
    error_at(at, "`" + std::string(*word) + "` is no buffer here");
    return nullptr;
}

bool Parser::size_parameters() {
    if (!accept("<")) return true;
    do {
        const auto word = name();
        if (!word || !expect(":")) return false;
        const auto type = dtype();
        if (!type) return false;
        names_.define(*word, {Var::make(std::string(*word), *type), nullptr});
    } while (accept(","));
    return expect(">");
}

Program Parser::program() {
    const std::size_t mark = names_.mark();
    if (!expect("fn")) return nullptr;
    const auto title = quoted_or_name();
    std::vector<Buffer> params;
    if (!title || !size_parameters() || !buffer_list(params)) return nullptr;
    const std::size_t inputs = params.size();
    if (!expect("->") || !buffer_list(params)) return nullptr;
    Stmt body = braced();
    names_.restore(mark);
    if (body == nullptr) return nullptr;
    return make_program(*title, std::move(params), inputs, std::move(body));
}

// ----------------------------------------------------------------------------------- statements

Stmt Parser::braced() {
    const Nested nested(*this);
    if (!nested.ok() || !expect("{")) return nullptr;
    const std::size_t mark = names_.mark();
    Stmt body = statements();
    names_.restore(mark);
    return body != nullptr && expect("}") ? body : nullptr;
}

/// Up to the closing brace. An alloc or a let holds all that follows it.
Stmt Parser::statements() {
    std::vector<Stmt> stmts;
    std::vector<Opened> open;
    const int depth = open_statements_;
    while (!at("}")) {
        if (++open_statements_ > kMaxDepth) return too_deep(token_.at), nullptr;
        if (at("alloc") || at("let")) {
            if (!opened(open, stmts.size())) return nullptr;
            continue;
        }
        stmts.push_back(statement());
        --open_statements_;
        if (stmts.back() == nullptr) return nullptr;
    }
    open_statements_ = depth;
    for (; !open.empty(); open.pop_back()) {
        const Opened& last = open.back();
        const auto first = stmts.begin() + static_cast<std::ptrdiff_t>(last.at);
        Stmt held = Seq::make(std::vector<Stmt>(first, stmts.end()));
        stmts.erase(first, stmts.end());
        stmts.push_back(last.buffer ? Alloc::make(last.buffer, std::move(held))
                                    : Let::make(last.var, last.value, std::move(held)));
    }
    return Seq::make(std::move(stmts));
}

bool Parser::opened(std::vector<Opened>& out, std::size_t before) {
    if (accept("alloc")) {
        Buffer buffer = buffer_declaration();
        if (buffer == nullptr) return false;
        out.push_back({std::move(buffer), nullptr, nullptr, before});
        return true;
    }
    if (!expect("let")) return false;
    const auto word = name();
    if (!word || !expect("=")) return false;
    Expr value = expression();
    if (value == nullptr) return false;
    VarRef var = Var::make(std::string(*word), value->dtype);
    names_.define(*word, {var, nullptr});
    out.push_back({nullptr, std::move(var), std::move(value), before});
    return true;
}

Stmt Parser::statement() {
    for (std::size_t i = 0; i < kLoops.size(); ++i)
        if (accept(kLoops[i])) return loop(static_cast<LoopKind>(i));
    if (accept("if")) return conditional();
    if (accept("block")) return block();
    if (accept("call_extern")) return extern_call();
    if (accept("prefetch")) return prefetch();
    if (at("{")) return braced();
    if (token_.kind != TokenKind::Word || is_reserved(token_.text)) return fail("a statement"), nullptr;
    return store();
}

Stmt Parser::loop(LoopKind kind) {
    const auto word = name();
    if (!word || !expect("in")) return nullptr;
    Expr extent = expression(DType::I64, "a loop's extent");
    if (extent == nullptr) return nullptr;
    auto notes = annotations();
    if (!notes) return nullptr;
    const std::size_t mark = names_.mark();
    VarRef var = Var::make(std::string(*word));
    names_.define(*word, {var, nullptr});
    Stmt body = braced();
    names_.restore(mark);
    if (body == nullptr) return nullptr;
    return For::make(std::move(var), std::move(extent), kind, std::move(body), *std::move(notes));
}

Stmt Parser::conditional() {
    Expr condition = expression(DType::Bool, "a condition");
    if (condition == nullptr) return nullptr;
    Stmt then_body = braced(), else_body;
    if (then_body == nullptr) return nullptr;
    if (accept("else")) {
        else_body = braced();
        if (else_body == nullptr) return nullptr;
    }
    return If::make(std::move(condition), std::move(then_body), std::move(else_body));
}

bool Parser::block_iters(std::vector<BlockIter>& out) {
    if (!expect("(")) return false;
    if (accept(")")) return true;
    do {
        BlockIter iter;
        if (accept("reduce")) iter.kind = IterKind::Reduce;
        const TextPosition at = token_.at;
        const auto word = name();
        if (!word) return false;
        for (const BlockIter& known : out)
            if (known.var->name == *word) return error_at(at, "two iterators have one name");
        iter.var = Var::make(std::string(*word));
        if (!expect("=")) return false;
        iter.binding = expression(DType::I64, "a binding");
        if (iter.binding == nullptr || !expect("in")) return false;
        iter.extent = expression(DType::I64, "an iterator's extent");
        if (iter.extent == nullptr) return false;
        out.push_back(std::move(iter));
    } while (accept(","));
    return expect(")");
}

bool Parser::region(Region& out, bool or_all) {
    const TextPosition start = token_.at;
    out.buffer = buffer_use();
    if (out.buffer != nullptr && or_all && !at("[")) {
        out.min.assign(out.buffer->rank(), IntImm::make(DType::I64, 0));
        out.extent = out.buffer->shape;
        return true;
    }
    if (out.buffer == nullptr || !expect("[")) return false;
    if (!at("]")) do {
            out.min.push_back(expression(DType::I64, "the start of a region"));
            if (out.min.back() == nullptr) return false;
            out.extent.push_back(accept("+:") ? expression(DType::I64, "the extent of a region")
                                              : IntImm::make(DType::I64, 1));
            if (out.extent.back() == nullptr) return false;
        } while (accept(","));
    if (!expect("]")) return false;
    return out.min.size() == out.buffer->rank() || error_at(start, "a region has one range per dimension");
}

bool Parser::regions(std::vector<Region>& out) {
    do {
        Region next;
        if (!region(next)) return false;
        out.push_back(std::move(next));
    } while (accept(","));
    return true;
}

Stmt Parser::block() {
    const Nested nested(*this);
    Block::Fields fields;
    const auto title = quoted_or_name();
    if (!nested.ok() || !title || !block_iters(fields.iters)) return nullptr;
    fields.name = *title;
    if (accept("where")) {
        fields.predicate = expression(DType::Bool, "a predicate");
        if (fields.predicate == nullptr) return nullptr;
    }
    auto notes = annotations();
    if (!notes || !expect("{")) return nullptr;
    fields.annotations = *std::move(notes);
    const std::size_t mark = names_.mark();
    for (const BlockIter& iter : fields.iters) names_.define(iter.var->name, {iter.var, nullptr});
    if (accept("reads") && !regions(fields.reads)) return nullptr;
    if (accept("writes") && !regions(fields.writes)) return nullptr;
    if (accept("init")) {
        fields.init = braced();
        if (fields.init == nullptr) return nullptr;
    }
    fields.body = statements();
    names_.restore(mark);
    if (fields.body == nullptr || !expect("}")) return nullptr;
    return Block::make(std::move(fields));
}

Stmt Parser::extern_call() {
    if (!expect("(")) return nullptr;
    const auto symbol = quoted();
    if (!symbol) return nullptr;
    std::vector<ExternCall::Operand> operands;
    while (accept(",")) {
        ExternCall::Operand operand;
        if (accept("access_ptr")) {
            if (!access_pointer(operand)) return nullptr;
        } else {
            operand.number = expression(DType::I64, "a number given to an extern function");
            if (operand.number == nullptr) return nullptr;
        }
        operands.push_back(std::move(operand));
    }
    return expect(")") ? ExternCall::make(*symbol, std::move(operands)) : nullptr;
}

Stmt Parser::prefetch() {
    Buffer buffer = buffer_use();
    std::vector<Expr> where;
    if (buffer == nullptr || !indices(buffer, where)) return nullptr;
    return Prefetch::make(std::move(buffer), std::move(where));
}

/// access_ptr(buffer[box], "rw"); without a box, all of the buffer.
bool Parser::access_pointer(ExternCall::Operand& out) {
    if (!expect("(") || !region(out.region, true) || !expect(",")) return false;
    const TextPosition where = token_.at;
    const auto mode = quoted();
    if (!mode) return false;
    for (std::size_t i = 0; i < kAccessModes.size(); ++i)
        if (*mode == kAccessModes[i]) {
            out.mode = static_cast<AccessMode>(i);
            return expect(")");
        }
    return error_at(where, "an access is \"r\", \"w\" or \"rw\"");
}

Stmt Parser::store() {
    Buffer buffer = buffer_use();
    std::vector<Expr> where;
    if (buffer == nullptr || !indices(buffer, where) || !expect("=")) return nullptr;
    Expr value = expression(buffer->dtype, "a value stored in `" + buffer->name + "`");
    if (value == nullptr) return nullptr;
    return Store::make(std::move(buffer), std::move(where), std::move(value));
}

// ---------------------------------------------------------------------------------- expressions

bool Parser::indices(const Buffer& buffer, std::vector<Expr>& out) {
    const TextPosition start = token_.at;
    if (!expect("[")) return false;
    int depth = 0;
    if (!at("]")) do {
            out.push_back(expression(DType::I64, "an index"));
            if (out.back() == nullptr) return false;
            depth = std::max(depth, depth_);
        } while (accept(","));
    if (!expect("]")) return false;
    if (out.size() != buffer->rank()) return error_at(start, "`" + buffer->name + "` takes one index per dimension");
    return deeper(depth, start);
}

Expr Parser::expression(DType wanted, std::string_view what) {
    const TextPosition at = token_.at;
    Expr value = expression();
    if (value == nullptr || value->dtype == wanted) return value;
    error_at(at, std::string(what) + " is " + std::string(to_string(wanted)) + ", not " +
                     std::string(to_string(value->dtype)));
    return nullptr;
}

Expr Parser::binary(int least_precedence) {
    Expr left = unary();
    int depth = depth_;
    bool compared = false;
    while (left != nullptr && token_.kind == TokenKind::Symbol) {
        const OperatorNotation* found = nullptr;
        for (const OperatorNotation& candidate : kOperators)
            if (candidate.precedence >= least_precedence && candidate.token == token_.text) found = &candidate;
        if (!found) break;
        const TextPosition at = token_.at;
        if (found->precedence == kComparison && compared) {
            error_at(at, "comparisons do not chain: put one in parentheses");
            return nullptr;
        }
        compared = found->precedence == kComparison;
        advance();
        Expr right = binary(found->precedence + 1);
        if (right == nullptr || !deeper(std::max(depth, depth_), at)) return nullptr;
        depth = depth_;
        left = make_binary(found->op, std::move(left), std::move(right), at);
    }
    depth_ = depth;
    return left;
}

Expr Parser::unary() {
    const Nested nested(*this);
    if (!nested.ok()) return nullptr;
    const TextPosition at = token_.at;
    Intrinsic prefix = Intrinsic::Neg;
    if (accept("-")) {
        const bool non_finite = token_.kind == TokenKind::Word && non_finite_dtype(token_.text);
        if (token_.kind == TokenKind::Number || non_finite) return number(true);
    } else if (accept("!")) {
        prefix = Intrinsic::Not;
    } else if (accept("~")) {
        prefix = Intrinsic::BitNot;
    } else {
        return primary();
    }
    Expr value = unary();
    if (value == nullptr || !deeper(depth_, at)) return nullptr;
    return make_call(prefix, {std::move(value)}, at);
}

Expr Parser::primary() {
    depth_ = 1;
    if (accept("(")) {
        Expr value = expression();
        return value != nullptr && expect(")") ? value : nullptr;
    }
    if (token_.kind == TokenKind::Number) return number(false);
    if (token_.kind == TokenKind::Word) return word();
    fail("a value");
    return nullptr;
}

Expr Parser::word() {
    const std::string_view text = token_.text;
    const TextPosition at = token_.at;
    if (accept("true")) return IntImm::make(DType::Bool, 1);
    if (accept("false")) return IntImm::make(DType::Bool, 0);
    if (non_finite_dtype(text)) return number(false);
    if (is_reserved(text)) return fail("a value"), nullptr;
    advance();
    if (this->at("(")) return function(text, at);
    const Symbol* symbol = names_.find(text);
    if (!symbol) {
        error_at(at, "`" + std::string(text) + "` is not defined here");
        return nullptr;
    }
    if (symbol->var) return symbol->var;
    const Buffer buffer = symbol->buffer;
    std::vector<Expr> where;
    return indices(buffer, where) ? Load::make(buffer, std::move(where)) : nullptr;
}

Expr Parser::function(std::string_view word, TextPosition at) {
    std::vector<Expr> args;
    int depth = 0;
    if (!expect("(")) return nullptr;
    do {
        args.push_back(expression());
        if (args.back() == nullptr) return nullptr;
        depth = std::max(depth, depth_);
    } while (accept(","));
    if (!expect(")") || !deeper(depth, at)) return nullptr;
    return apply(word, std::move(args), at);
}

Expr Parser::apply(std::string_view word, std::vector<Expr> args, TextPosition at) {
    const auto takes = [&](std::size_t count) {
        return args.size() == count ||
               error_at(at, "`" + std::string(word) + "` takes " + std::to_string(count) + " operands");
    };
    if (const auto type = parse_dtype(word)) return takes(1) ? Cast::make(*type, std::move(args.front())) : nullptr;
    if (word == "select") {
        if (!takes(3)) return nullptr;
        if (args[0]->dtype != DType::Bool || args[1]->dtype != args[2]->dtype)
            return error_at(at, "select takes a bool and two values of one type"), nullptr;
        return Select::make(std::move(args[0]), std::move(args[1]), std::move(args[2]));
    }
    for (const OperatorNotation& candidate : kOperators)
        if (candidate.precedence == 0 && candidate.token == word)
            return takes(2) ? make_binary(candidate.op, std::move(args[0]), std::move(args[1]), at) : nullptr;
    for (std::size_t i = 0; i < kIntrinsics.size(); ++i) {
        if (kIntrinsics[i] != word) continue;
        const auto intrinsic = static_cast<Intrinsic>(i);
        return takes(static_cast<std::size_t>(arity(intrinsic))) ? make_call(intrinsic, std::move(args), at) : nullptr;
    }
    error_at(at, "there is no function `" + std::string(word) + "`");
    return nullptr;
}

Expr Parser::make_binary(BinaryOp op, Expr a, Expr b, TextPosition at) {
    const std::string token(notation(op).token);
    if (a->dtype != b->dtype) {
        error_at(at, "the operands of `" + token + "` are " + std::string(to_string(a->dtype)) + " and " +
                         std::string(to_string(b->dtype)));
        return nullptr;
    }
    const bool logical = op == BinaryOp::And || op == BinaryOp::Or;
    const bool integral = op == BinaryOp::Rem || op == BinaryOp::FloorDiv || op == BinaryOp::FloorMod ||
                          (op >= BinaryOp::BitAnd && op <= BinaryOp::Shr);
    if ((logical && a->dtype != DType::Bool) || (integral && is_float(a->dtype)) || !is_arithmetic(a->dtype)) {
        error_at(at, "`" + token + "` does not take " + std::string(to_string(a->dtype)));
        return nullptr;
    }
    return Binary::make(op, std::move(a), std::move(b));
}

Expr Parser::make_call(Intrinsic intrinsic, std::vector<Expr> args, TextPosition at) {
    const DType type = args.front()->dtype;
    const bool one_type = args.back()->dtype == type;
    const bool integral = intrinsic == Intrinsic::BitNot || intrinsic == Intrinsic::CountOnes;
    if (!one_type || (intrinsic == Intrinsic::Not && type != DType::Bool) || (integral && is_float(type)) ||
        !is_arithmetic(type)) {
        error_at(at, "`" + std::string(notation(intrinsic)) + "` does not take " + std::string(to_string(type)));
        return nullptr;
    }
    return Call::make(intrinsic, std::move(args));
}

/// A number, with what follows its digits as its dtype; `nan` and `inf` too.
Expr Parser::number(bool negative) {
    const Token token = token_;
    advance();
    depth_ = 1;
    NumberText number = read_number(token.text, negative);
    if (number.value == nullptr)
        error_at(token.at, "`" + std::string(token.text.substr(0, 40)) + "` " + number.problem);
    return std::move(number.value);
}

} // namespace

Result<Program> parse_program(std::string_view text) {
    Parser parser(text);
    Program program = parser.program();
    if (program) parser.expect_end();
    if (program == nullptr || !parser.at_end()) return parser.take_error();
    return program;
}

Result<std::vector<Program>> parse_programs(std::string_view text) {
    Parser parser(text);
    std::vector<Program> programs;
    while (!parser.at_end()) {
        Program program = parser.program();
        if (program == nullptr) return parser.take_error();
        programs.push_back(std::move(program));
    }
    return programs;
}

} // namespace orrery::tensor
