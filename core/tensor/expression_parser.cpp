// Tensor expressions from text. Outline: Value (an expression and whether it is still a plain number), ExpressionParser
// (declarations, stages, expressions). The first error ends parsing. Text is untrusted: recursion, sizes and counts are
// bounded.

#include "core/tensor/expression_text.hpp"

#include "core/base/ndarray.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/in_bounds.hpp"
#include "core/tensor/lexer.hpp"
#include "core/tensor/notation.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace orrery::tensor {

namespace {

constexpr int kMaxNesting = 200;     ///< parentheses, brackets, prefixes. Source: our choice
constexpr int kMaxDepth = 1000;      ///< of an expression's tree, which others walk by recursion. Source: our choice
constexpr std::size_t kMaxAxes = 10; ///< of one stage, reduced ones included. Source: our choice

struct Reducer {
    std::string_view word;
    Combiner combiner;
};
constexpr std::array<Reducer, 6> kReducers{{{"sum", Combiner::Sum},
                                            {"prod", Combiner::Product},
                                            {"min", Combiner::Min},
                                            {"max", Combiner::Max},
                                            {"all", Combiner::And},
                                            {"any", Combiner::Or}}};
/// Words that begin a line.
constexpr std::array<std::string_view, 3> kDeclarations{"kernel", "input", "output"};

std::string quoted(std::string_view word) { return "`" + std::string(word.substr(0, 40)) + "`"; }
std::string type_name(DType dtype) { return std::string(to_string(dtype)); }

bool is_function(std::string_view word) {
    if (word == "select" || parse_dtype(word)) return true;
    for (const Reducer& reducer : kReducers)
        if (reducer.word == word) return true;
    for (const OperatorNotation& candidate : kOperators)
        if (candidate.precedence == 0 && candidate.token == word) return true;
    return std::ranges::find(kIntrinsics, word) != kIntrinsics.end();
}

/// An expression as it is read. A number without a dtype takes that of what it meets.
struct Value {
    Expr expr;
    bool plain = false; ///< a number whose dtype is not settled
    double exact = 0;   ///< of a plain float: before it was rounded
    int depth = 1;
    explicit operator bool() const { return expr != nullptr; }
};

/// A reduction inside a stage's expression: `stand_in` stands for its result until the stage is complete.
struct Reduction {
    Combiner combiner = Combiner::Sum;
    std::vector<VarRef> axes;
    std::vector<std::int64_t> extents;
    Expr body;
    VarRef stand_in;
    std::string_view word;
};

/// What a name stands for.
struct Named {
    Buffer buffer;
    VarRef axis;
    std::int64_t extent = 0; ///< of an axis
    Value constant;
};

class Uses final : public Visitor {
  public:
    std::set<VarRef> vars;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { vars.insert(handle(node)); }
};

std::set<VarRef> vars_of(const Expr& expr) {
    Uses uses;
    uses.visit(expr);
    return std::move(uses.vars);
}

class ExpressionParser {
  public:
    explicit ExpressionParser(std::string_view text) : lexer_(text) { advance(); }

    Result<TypedProgram> run() {
        while (token_.kind != TokenKind::End && declaration()) {}
        if (!error_ && definitions_.empty())
            error_at(token_.at, "there is no definition", "write one, as in: y[i: 8] = 2 * x[i]");
        if (error_) return *std::move(error_);
        if (outputs_.empty()) outputs_.push_back(last_);
        std::vector<SourceId> all;
        for (std::size_t i = 0; i < definitions_.size(); ++i) all.push_back(static_cast<SourceId>(i));
        return TypedProgram{builder_.program(name_, inputs_, outputs_, OriginSet(std::move(all))),
                            std::move(definitions_)};
    }

  private:
    // Tokens.
    void advance() { token_ = error_ ? Token{TokenKind::End, {}, token_.at} : lexer_.next(); }
    [[nodiscard]] bool at(std::string_view text) const {
        return (token_.kind == TokenKind::Symbol || token_.kind == TokenKind::Word) && token_.text == text;
    }
    bool accept(std::string_view text) {
        if (!at(text)) return false;
        advance();
        return true;
    }
    bool expect(std::string_view text, std::string hint = {}) {
        return accept(text) || fail("`" + std::string(text) + "`", std::move(hint));
    }
    bool fail(const std::string& expected, std::string hint = {}) {
        const std::string found = token_.kind == TokenKind::End ? "the end" : quoted(token_.text);
        return error_at(token_.at, "expected " + expected + ", found " + found, std::move(hint));
    }
    bool error_at(TextPosition at, std::string message, std::string hint, Code code = Code::BadText) {
        if (!error_) error_ = Diagnostic{code, std::move(message), {at}, std::move(hint)};
        token_ = {TokenKind::End, {}, token_.at};
        return false;
    }
    Value refuse(TextPosition at, std::string message, std::string hint, Code code = Code::BadText) {
        error_at(at, std::move(message), std::move(hint), code);
        return {};
    }

    // Declarations.
    bool declaration();
    bool kernel_name();
    bool constant();
    bool input();
    bool output();
    bool stage();
    std::optional<std::string_view> new_name();
    std::optional<std::int64_t> extent();
    bool axes(std::vector<VarRef>& vars, std::vector<std::int64_t>& extents, std::string_view close);
    bool finish_stage(const std::string& name, const std::vector<VarRef>& vars,
                      const std::vector<std::int64_t>& extents, Value value);
    void add_reduction(const std::string& name, const Reduction& reduction, const std::vector<VarRef>& vars,
                       const std::vector<std::int64_t>& extents);
    Expr hoisted(const std::string& stage, const Reduction& reduction, const std::vector<VarRef>& vars,
                 const std::vector<std::int64_t>& extents);
    void keep(const std::string& name, const Buffer& buffer) {
        names_[name] = {buffer, nullptr, 0, {}};
        last_ = buffer;
    }

    // Expressions.
    Value expression() { return binary_chain(1); }
    Value binary_chain(int least_precedence);
    Value unary();
    Value primary();
    Value number(bool negative);
    Value word();
    Value named(const Named& known, std::string_view word, TextPosition at);
    Value function(std::string_view word, TextPosition at);
    Value apply(std::string_view word, std::vector<Value> args, TextPosition at);
    Value reduction(const Reducer& reducer, TextPosition at);
    Value make_binary(BinaryOp op, Value a, Value b, TextPosition at);
    Value make_call(Intrinsic intrinsic, std::vector<Value> args, TextPosition at);
    bool settle(Value& value, DType dtype, TextPosition at);
    bool agree(Value& a, Value& b, TextPosition at, std::string_view what);
    bool index(Value value, TextPosition at, std::vector<Expr>& out);
    Value deeper(Value value, int children, TextPosition at) {
        value.depth = children + 1;
        if (value.depth > kMaxDepth) return refuse(at, "the expression is too long", "define a part of it by itself");
        return value;
    }

    Lexer lexer_;
    Token token_;
    std::optional<Diagnostic> error_;
    std::string name_ = "scratch";
    ComputeBuilder builder_;
    std::vector<Buffer> inputs_, outputs_;
    Buffer last_; ///< of the latest stage
    std::vector<Definition> definitions_;
    std::map<std::string, Named, std::less<>> names_;
    std::vector<Reduction> reductions_; ///< of the stage being read, inner ones first
    std::size_t stages_ = 0;
    int nesting_ = 0;
};

// --------------------------------------------------------------------------------- declarations

bool ExpressionParser::declaration() {
    if (accept("kernel")) return kernel_name();
    if (accept("let")) return constant();
    if (accept("input")) return input();
    if (accept("output")) return output();
    return stage();
}

std::optional<std::string_view> ExpressionParser::new_name() {
    const Token word = token_;
    if (word.kind == TokenKind::Word && !is_free_word(word.text))
        error_at(word.at, quoted(word.text) + " has a meaning already", "take another name");
    else if (word.kind != TokenKind::Word)
        fail("a name", "a line is `input`, `let`, `kernel`, `output` or a definition, as in: y[i: 8] = 2 * x[i]");
    else if (names_.contains(word.text))
        error_at(word.at, quoted(word.text) + " is defined twice", "take another name");
    if (error_) return std::nullopt;
    advance();
    return word.text;
}

bool ExpressionParser::kernel_name() {
    if (token_.kind != TokenKind::Word) return fail("the kernel's name", "as in: kernel matmul");
    name_ = token_.text;
    advance();
    return true;
}

bool ExpressionParser::constant() {
    const auto word = new_name();
    if (!word || !expect("=")) return false;
    const TextPosition at = token_.at;
    Value value = expression();
    if (!value) return false;
    if (as<IntImm>(value.expr) == nullptr && as<FloatImm>(value.expr) == nullptr)
        return error_at(at, "`let` names a number", "define what depends on inputs, as in: y[i: 8] = 2 * x[i]");
    names_[std::string(*word)] = {nullptr, nullptr, 0, std::move(value)};
    return true;
}

std::optional<std::int64_t> ExpressionParser::extent() {
    const TextPosition at = token_.at;
    const Value value = expression();
    if (!value) return std::nullopt;
    const auto known = as_int(value.expr);
    if (!known || value.expr->dtype != DType::I64)
        return error_at(at, "an extent is a whole number", "write a number or a name given by `let`"), std::nullopt;
    if (*known < 1 || *known > kMaxTypedBytes)
        return error_at(at, "an extent of " + std::to_string(*known) + " is not from 1 to 2^32", "change the number",
                        *known < 1 ? Code::BadShape : Code::LimitExceeded),
               std::nullopt;
    return known;
}

bool ExpressionParser::input() {
    do {
        const TextPosition at = token_.at;
        const auto word = new_name();
        if (!word || !expect(":", "as in: input x: f32[8, 4]")) return false;
        const auto dtype = token_.kind == TokenKind::Word ? parse_dtype(token_.text) : std::nullopt;
        if (!dtype) return fail("an element type", "bool, i8 to i64, u8 to u64, f16, bf16, f32 or f64");
        advance();
        std::vector<std::int64_t> shape;
        if (!expect("[", "a single number is f32[]")) return false;
        if (!this->at("]")) do {
                const auto one = extent();
                if (!one) return false;
                shape.push_back(*one);
            } while (accept(","));
        if (!expect("]")) return false;
        if (!checked_elements(shape, *dtype, kMaxTypedBytes))
            return error_at(at, std::string(*word) + " is larger than 4 GiB", "make its extents smaller",
                            Code::LimitExceeded);
        if (inputs_.size() == kMaxTypedStages)
            return error_at(at, "there are too many inputs", "join some", Code::LimitExceeded);
        inputs_.push_back(make_buffer(std::string(*word), *dtype, shape));
        names_[std::string(*word)] = {inputs_.back(), nullptr, 0, {}};
    } while (accept(","));
    return true;
}

bool ExpressionParser::output() {
    do {
        const Token word = token_;
        const auto known = names_.find(word.text);
        if (word.kind != TokenKind::Word || known == names_.end() || known->second.buffer == nullptr)
            return fail("the name of a definition above", "put `output` below what it names");
        if (std::ranges::find(outputs_, known->second.buffer) != outputs_.end())
            return error_at(word.at, quoted(word.text) + " is an output already", "name it once");
        outputs_.push_back(known->second.buffer);
        advance();
    } while (accept(","));
    return true;
}

/// Axes up to `close`, which is taken too. Their names hold until the caller takes them back.
bool ExpressionParser::axes(std::vector<VarRef>& vars, std::vector<std::int64_t>& extents, std::string_view close) {
    if (accept(close)) return true;
    do {
        const TextPosition at = token_.at;
        const auto word = new_name();
        if (!word || !expect(":", "an axis has an extent, as in: i: 8")) return false;
        const auto one = extent();
        if (!one) return false;
        if (vars.size() == kMaxAxes)
            return error_at(at, "there are too many axes", "join some of them", Code::LimitExceeded);
        vars.push_back(Var::make(std::string(*word)));
        extents.push_back(*one);
        names_[std::string(*word)] = {nullptr, vars.back(), *one, {}};
    } while (accept(","));
    return expect(close);
}

bool ExpressionParser::stage() {
    const Token start = token_;
    const auto word = new_name();
    if (!word || !expect("[", "a definition has axes, as in: y[i: 8] = 2 * x[i]; of one number: y[] = ..."))
        return false;
    const std::string name(*word);
    if (definitions_.size() == kMaxTypedStages)
        return error_at(start.at, "there are more than " + std::to_string(kMaxTypedStages) + " definitions",
                        "write several kernels", Code::LimitExceeded);
    names_[name] = {}; // an axis may not have its name
    std::vector<VarRef> vars;
    std::vector<std::int64_t> extents;
    if (!axes(vars, extents, "]") || !expect("=")) return false;
    definitions_.push_back({name, start.at.line});
    builder_.origin(OriginSet(static_cast<SourceId>(definitions_.size() - 1)));
    reductions_.clear();
    Value value = expression();
    if (!value) return false;
    for (const VarRef& var : vars) names_.erase(var->name);
    if (!checked_elements(extents, value.expr->dtype, kMaxTypedBytes))
        return error_at(start.at, name + " is larger than 4 GiB", "make its extents smaller", Code::LimitExceeded);
    return finish_stage(name, vars, extents, std::move(value));
}

std::vector<std::string> hints(const std::vector<VarRef>& vars) {
    std::vector<std::string> names;
    for (const VarRef& var : vars) names.push_back(var->name);
    return names;
}

void bind(VarMap& map, const std::vector<VarRef>& vars, const std::vector<Expr>& iters) {
    for (std::size_t i = 0; i < vars.size(); ++i) map[vars[i]] = iters[i];
}

void ExpressionParser::add_reduction(const std::string& name, const Reduction& reduction,
                                     const std::vector<VarRef>& vars, const std::vector<std::int64_t>& extents) {
    ++stages_;
    keep(name, builder_.axes(hints(vars))
                   .reduce(name, reduction.body->dtype, extents,
                           {reduction.combiner, reduction.extents, hints(reduction.axes)},
                           [&](const ComputeBuilder::Spatial& i, const ComputeBuilder::Spatial& k) {
                               VarMap map;
                               bind(map, vars, i);
                               bind(map, reduction.axes, k);
                               return substitute(reduction.body, map);
                           }));
}

/// A stage of its own for a reduction that is a part of a larger expression, over those axes of the stage that it uses;
/// its element.
Expr ExpressionParser::hoisted(const std::string& stage, const Reduction& reduction, const std::vector<VarRef>& vars,
                               const std::vector<std::int64_t>& extents) {
    const std::set<VarRef> used = vars_of(reduction.body);
    std::vector<VarRef> own;
    std::vector<std::int64_t> shape;
    for (std::size_t i = 0; i < vars.size(); ++i)
        if (used.contains(vars[i])) own.push_back(vars[i]), shape.push_back(extents[i]);
    std::string name = stage + "_" + std::string(reduction.word);
    for (int n = 1; names_.contains(name); ++n) name = stage + "_" + std::string(reduction.word) + std::to_string(n);
    add_reduction(name, reduction, own, shape);
    return load(last_, std::vector<Expr>(own.begin(), own.end()));
}

bool ExpressionParser::finish_stage(const std::string& name, const std::vector<VarRef>& vars,
                                    const std::vector<std::int64_t>& extents, Value value) {
    const bool whole = !reductions_.empty() && value.expr == reductions_.back().stand_in;
    VarMap results;
    for (std::size_t i = 0; i < reductions_.size(); ++i) {
        Reduction& reduction = reductions_[i];
        reduction.body = substitute(reduction.body, results);
        if (whole && i + 1 == reductions_.size())
            add_reduction(name, reduction, vars, extents);
        else
            results[reduction.stand_in] = hoisted(name, reduction, vars, extents);
    }
    if (whole) return true;
    const Expr body = substitute(value.expr, results);
    ++stages_;
    keep(name, builder_.axes(hints(vars)).compute(name, body->dtype, extents, [&](const ComputeBuilder::Spatial& i) {
        VarMap map;
        bind(map, vars, i);
        return substitute(body, map);
    }));
    return true;
}

// ---------------------------------------------------------------------------------- expressions

Value ExpressionParser::binary_chain(int least_precedence) {
    Value left = unary();
    bool compared = false;
    while (left && token_.kind == TokenKind::Symbol) {
        const OperatorNotation* found = nullptr;
        for (const OperatorNotation& candidate : kOperators)
            if (candidate.precedence >= least_precedence && candidate.token == token_.text) found = &candidate;
        if (!found) break;
        const TextPosition at = token_.at;
        if (found->precedence == kComparison && compared)
            return refuse(at, "comparisons do not chain", "write a < b && b < c");
        compared = found->precedence == kComparison;
        advance();
        Value right = binary_chain(found->precedence + 1);
        if (!right) return {};
        const int depth = std::max(left.depth, right.depth);
        left = make_binary(found->op, std::move(left), std::move(right), at);
        if (left) left = deeper(std::move(left), depth, at);
    }
    return left;
}

Value ExpressionParser::unary() {
    struct Nested {
        int& depth;
        explicit Nested(int& d) : depth(++d) {}
        ~Nested() { --depth; }
    } nested(nesting_);
    const TextPosition at = token_.at;
    if (nesting_ > kMaxNesting) return refuse(at, "nested too deeply", "define a part of it by itself");
    Intrinsic prefix = Intrinsic::Neg;
    if (accept("-")) {
        if (token_.kind == TokenKind::Number || (token_.kind == TokenKind::Word && non_finite_dtype(token_.text)))
            return number(true);
    } else if (accept("!")) {
        prefix = Intrinsic::Not;
    } else if (accept("~")) {
        prefix = Intrinsic::BitNot;
    } else {
        return primary();
    }
    Value value = unary();
    if (!value) return {};
    const int depth = value.depth;
    if (prefix == Intrinsic::Neg && value.plain) return {call(Intrinsic::Neg, value.expr), true, -value.exact, depth};
    Value made = make_call(prefix, {std::move(value)}, at);
    return made ? deeper(std::move(made), depth, at) : made;
}

Value ExpressionParser::primary() {
    if (accept("(")) {
        Value value = expression();
        return value && expect(")") ? value : Value{};
    }
    if (token_.kind == TokenKind::Number) return number(false);
    if (token_.kind == TokenKind::Word) return word();
    fail("a value");
    return {};
}

Value ExpressionParser::number(bool negative) {
    const Token token = token_;
    advance();
    const NumberText read = read_number(token.text, negative);
    if (read.value == nullptr)
        return refuse(token.at, quoted(token.text) + " " + read.problem, "a type may follow the digits: 3i8, 0.5f16");
    return {read.value, !read.typed, read.exact, 1};
}

Value ExpressionParser::word() {
    const std::string_view text = token_.text;
    const TextPosition at = token_.at;
    if (accept("true")) return {boolean(true), false, 0, 1};
    if (accept("false")) return {boolean(false), false, 0, 1};
    if (non_finite_dtype(text)) return number(false);
    advance();
    for (const Reducer& reducer : kReducers)
        if (reducer.word == text && this->at("[")) return reduction(reducer, at);
    if (this->at("(")) return function(text, at);
    const auto known = names_.find(text);
    if (known == names_.end())
        return refuse(at, quoted(text) + " is not defined",
                      "inputs, definitions and axes are defined above where they are used");
    return named(known->second, text, at);
}

Value ExpressionParser::named(const Named& known, std::string_view word, TextPosition at) {
    if (known.axis) return {known.axis, false, 0, 1};
    if (known.constant) return known.constant;
    if (known.buffer == nullptr)
        return refuse(at, quoted(word) + " is defined by itself", "write a scan as a tensor program (fn ...)");
    std::vector<Expr> indices;
    int depth = 0;
    if (known.buffer->rank() > 0 || this->at("[")) {
        if (!expect("[", quoted(word) + " takes one index per dimension")) return {};
        if (!this->at("]")) do {
                const TextPosition place = token_.at;
                Value value = expression();
                if (!value) return {};
                depth = std::max(depth, value.depth);
                if (!index(std::move(value), place, indices)) return {};
            } while (accept(","));
        if (!expect("]")) return {};
    }
    if (indices.size() != known.buffer->rank())
        return refuse(at,
                      quoted(word) + " has " + std::to_string(known.buffer->rank()) + " dimensions, not " +
                          std::to_string(indices.size()),
                      "write one index per dimension", Code::BadShape);
    return deeper({load(known.buffer, std::move(indices)), false, 0, 1}, depth, at);
}

bool ExpressionParser::index(Value value, TextPosition at, std::vector<Expr>& out) {
    if (value.expr->dtype == DType::I64) return out.push_back(std::move(value.expr)), true;
    if (value.plain || is_float(value.expr->dtype) || value.expr->dtype == DType::Bool)
        return error_at(at, "an index is a whole number, not " + type_name(value.expr->dtype), "convert it: i64(...)",
                        Code::BadType);
    return out.push_back(cast(DType::I64, value.expr)), true;
}

Value ExpressionParser::function(std::string_view word, TextPosition at) {
    std::vector<Value> args;
    int depth = 0;
    if (!expect("(")) return {};
    do {
        args.push_back(expression());
        if (!args.back()) return {};
        depth = std::max(depth, args.back().depth);
    } while (accept(","));
    if (!expect(")")) return {};
    Value value = apply(word, std::move(args), at);
    return value ? deeper(std::move(value), depth, at) : value;
}

Value ExpressionParser::apply(std::string_view word, std::vector<Value> args, TextPosition at) {
    const auto takes = [&](std::size_t count) {
        return args.size() == count ||
               error_at(at, quoted(word) + " takes " + std::to_string(count) + " operands", "count them again");
    };
    if (const auto dtype = parse_dtype(word)) {
        if (!takes(1)) return {};
        if (args[0].plain && is_float(args[0].expr->dtype) && is_float(*dtype))
            return {FloatImm::make(*dtype, args[0].exact), false, 0, 1};
        return {cast(*dtype, args[0].expr), false, 0, 1};
    }
    if (word == "select") {
        if (!takes(3) || !agree(args[1], args[2], at, "select")) return {};
        if (args[0].expr->dtype != DType::Bool)
            return refuse(at, "select asks a condition first", "as in: select(i < 8, x[i], 0.0)", Code::BadType);
        return {select(args[0].expr, args[1].expr, args[2].expr), args[1].plain && args[2].plain, 0, 1};
    }
    for (const OperatorNotation& candidate : kOperators)
        if (candidate.precedence == 0 && candidate.token == word)
            return takes(2) ? make_binary(candidate.op, std::move(args[0]), std::move(args[1]), at) : Value{};
    for (std::size_t i = 0; i < kIntrinsics.size(); ++i) {
        if (kIntrinsics[i] != word || is_prefix(static_cast<Intrinsic>(i))) continue;
        const auto intrinsic = static_cast<Intrinsic>(i);
        return takes(static_cast<std::size_t>(arity(intrinsic))) ? make_call(intrinsic, std::move(args), at) : Value{};
    }
    for (const Reducer& reducer : kReducers)
        if (reducer.word == word)
            return refuse(at, quoted(word) + " goes over axes", "as in: " + std::string(word) + "[k: 8](x[k])");
    return refuse(at, "there is no function " + quoted(word),
                  names_.contains(word) ? "elements are taken with brackets: " + std::string(word) + "[i]"
                                        : "docs/text-forms.md lists them");
}

Value ExpressionParser::reduction(const Reducer& reducer, TextPosition at) {
    if (reductions_.size() == kMaxTypedStages)
        return refuse(at, "there are too many reductions in one definition", "define some by themselves",
                      Code::LimitExceeded);
    Reduction made;
    made.combiner = reducer.combiner;
    made.word = reducer.word;
    const std::size_t first = reductions_.size();
    if (!expect("[") || !axes(made.axes, made.extents, "]") || !expect("(")) return {};
    if (made.axes.empty()) return refuse(at, quoted(reducer.word) + " goes over no axis", "as in: sum[k: 8](x[k])");
    Value body = expression();
    if (!body || !expect(")")) return {};
    for (const VarRef& axis : made.axes) names_.erase(axis->name);
    const bool logical = reducer.combiner == Combiner::And || reducer.combiner == Combiner::Or;
    if (logical != (body.expr->dtype == DType::Bool) || !is_arithmetic(body.expr->dtype))
        return refuse(at, quoted(reducer.word) + " does not take " + type_name(body.expr->dtype),
                      logical ? "ask something: any[k: 8](x[k] > 0.0)" : "convert it: f32(...)", Code::BadType);
    for (std::size_t i = first; i < reductions_.size(); ++i) {
        const std::set<VarRef> used = vars_of(reductions_[i].body);
        for (const VarRef& axis : made.axes)
            if (used.contains(axis))
                return refuse(at, "a reduction inside goes over " + quoted(axis->name) + " of this one",
                              "define the inner one by itself, or reduce over both axes at once");
    }
    made.body = std::move(body.expr);
    made.stand_in = Var::make(std::string(reducer.word), made.body->dtype);
    reductions_.push_back(std::move(made));
    return {reductions_.back().stand_in, false, 0, 1};
}

/// Gives a plain number a dtype.
bool ExpressionParser::settle(Value& value, DType dtype, TextPosition at) {
    if (value.expr->dtype == dtype) return true;
    const bool from_float = is_float(value.expr->dtype);
    const IntImm* whole = as<IntImm>(value.expr);
    Expr made;
    if (dtype == DType::Bool || (from_float && !is_float(dtype)))
        made = nullptr;
    else if (from_float)
        made = FloatImm::make(dtype, value.exact);
    else if (whole)
        made = constant_int(dtype, whole->value);
    const IntImm* kept = as<IntImm>(made);
    if (made == nullptr ||
        (kept && whole && (kept->value != whole->value || (dtype == DType::U64 && whole->value < 0))))
        return error_at(at, "the number is no " + type_name(dtype), "convert the other side: f32(...)", Code::BadType);
    value.expr = std::move(made);
    return true;
}

/// A plain number takes the other side's dtype; of two, the whole one becomes a float.
bool ExpressionParser::agree(Value& a, Value& b, TextPosition at, std::string_view what) {
    if (a.expr->dtype == b.expr->dtype) return true;
    if (a.plain && b.plain)
        return is_float(a.expr->dtype) ? settle(b, a.expr->dtype, at) : settle(a, b.expr->dtype, at);
    if (a.plain) return settle(a, b.expr->dtype, at);
    if (b.plain) return settle(b, a.expr->dtype, at);
    return error_at(
        at, "the sides of " + quoted(what) + " are " + type_name(a.expr->dtype) + " and " + type_name(b.expr->dtype),
        "convert one of them, as in: " + type_name(a.expr->dtype) + "(...)", Code::BadType);
}

std::optional<double> folded_exactly(BinaryOp op, const Value& a, const Value& b) {
    const auto number = [](const Value& v) {
        const IntImm* whole = as<IntImm>(v.expr);
        return whole ? static_cast<double>(whole->value) : v.exact;
    };
    const double x = number(a), y = number(b);
    switch (op) {
    case BinaryOp::Add: return x + y;
    case BinaryOp::Sub: return x - y;
    case BinaryOp::Mul: return x * y;
    case BinaryOp::Div: return x / y;
    default: return std::nullopt;
    }
}

Value ExpressionParser::make_binary(BinaryOp op, Value a, Value b, TextPosition at) {
    const std::string_view token = notation(op).token;
    const bool plain = a.plain && b.plain;
    const std::optional<double> exact = plain ? folded_exactly(op, a, b) : std::nullopt;
    if (!agree(a, b, at, token)) return {};
    const DType dtype = a.expr->dtype;
    const bool logical = op == BinaryOp::And || op == BinaryOp::Or;
    const bool integral = op == BinaryOp::Rem || op == BinaryOp::FloorDiv || op == BinaryOp::FloorMod ||
                          (op >= BinaryOp::BitAnd && op <= BinaryOp::Shr);
    const bool bits = op == BinaryOp::BitAnd || op == BinaryOp::BitOr || op == BinaryOp::BitXor;
    const bool truths = dtype == DType::Bool && !logical && !bits && !is_comparison(op);
    if ((logical && dtype != DType::Bool) || (integral && is_float(dtype)) || !is_arithmetic(dtype) || truths)
        return refuse(at, quoted(token) + " does not take " + type_name(dtype),
                      logical ? "join conditions: i > 0 && i < 8" : "convert both sides first", Code::BadType);
    Value made{binary(op, a.expr, b.expr), false, exact.value_or(0), 1};
    made.plain = plain && (is_float(made.expr->dtype) ? exact && as<FloatImm>(made.expr) != nullptr
                                                      : as<IntImm>(made.expr) != nullptr && !is_comparison(op));
    return made;
}

Value ExpressionParser::make_call(Intrinsic intrinsic, std::vector<Value> args, TextPosition at) {
    const std::string_view word = notation(intrinsic);
    if (args.size() == 2 && !agree(args[0], args[1], at, word)) return {};
    const DType dtype = args.front().expr->dtype;
    const bool integral = intrinsic == Intrinsic::BitNot || intrinsic == Intrinsic::CountOnes;
    const bool any_number = intrinsic == Intrinsic::Neg || intrinsic == Intrinsic::Abs || intrinsic == Intrinsic::Sign;
    const bool fits = intrinsic == Intrinsic::Not ? dtype == DType::Bool
                      : integral                  ? !is_float(dtype)
                                                  : is_float(dtype) || (any_number && dtype != DType::Bool);
    if (!fits || !is_arithmetic(dtype))
        return refuse(at, quoted(word) + " does not take " + type_name(dtype),
                      intrinsic == Intrinsic::Not ? "ask something: !(x[i] > 0.0)"
                      : integral                  ? "convert it: i32(...)"
                                                  : "convert it: f32(...)",
                      Code::BadType);
    return {args.size() == 2 ? call(intrinsic, args[0].expr, args[1].expr) : call(intrinsic, args[0].expr), false, 0,
            1};
}

} // namespace

bool is_free_word(std::string_view word) {
    return !is_reserved(word) && !is_function(word) && std::ranges::find(kDeclarations, word) == kDeclarations.end();
}

Result<TypedProgram> parse_expressions(std::string_view text) { return ExpressionParser(text).run(); }

} // namespace orrery::tensor
