// Expressions are printed from a list of pending pieces instead of by recursion, so that no depth overflows the
// stack. Statements recurse: their nesting is bounded by what schedules build.

#include "core/tensor/notation.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <charconv>
#include <cmath>
#include <unordered_set>

namespace orrery::tensor {

namespace {

constexpr std::size_t kHeaderWidth = 100; ///< Units: columns. Source: our choice, a header that fits a pane.

bool is_plain_name(std::string_view name) {
    if (name.empty() || !is_word_start(name.front()) || is_reserved(name)) return false;
    for (char c : name)
        if (!is_word_char(c)) return false;
    return true;
}

/// Distinct identifiers close to the hints: "x", "x_1", "x_2".
class Names {
  public:
    const std::string& of(const void* key, const std::string& hint) {
        const auto [entry, fresh] = names_.try_emplace(key);
        if (fresh) entry->second = unique(hint);
        return entry->second;
    }

  private:
    std::string unique(const std::string& hint) {
        std::string base;
        for (char c : hint) base += is_word_char(c) ? c : '_';
        if (base.empty() || is_digit(base.front())) base.insert(base.begin(), 'v');
        if (is_reserved(base)) base += '_';
        std::string name = base;
        int& suffix = suffixes_[base];
        while (!used_.insert(name).second) name = base + "_" + std::to_string(++suffix);
        return name;
    }

    std::unordered_map<const void*, std::string> names_;
    std::unordered_map<std::string, int> suffixes_;
    std::unordered_set<std::string> used_;
};

/// The variables a program uses and does not bind, in the order met.
class FreeVars final : public Visitor {
  public:
    std::vector<const Var*> vars;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override {
        if (known_.insert(&node).second) vars.push_back(&node);
    }
    void visit_node(const For& node) override {
        visit(node.extent);
        known_.insert(node.var.get());
        visit(node.body);
    }
    void visit_node(const Let& node) override {
        visit(node.value);
        known_.insert(node.var.get());
        visit(node.body);
    }
    void visit_node(const Block& node) override {
        for (const BlockIter& iter : node.fields.iters) {
            visit(iter.extent);
            visit(iter.binding);
        }
        if (node.fields.predicate) visit(node.fields.predicate);
        for (const BlockIter& iter : node.fields.iters) known_.insert(iter.var.get());
        Visitor::visit_node(node);
    }

  private:
    std::unordered_set<const Var*> known_;
};

template <class... Format> void append_number(std::string& out, Format... arguments) {
    char buffer[400];
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, arguments...);
    out.append(buffer, result.ptr);
}

/// The shortest digits that read back as the same value of type T.
template <class T> void append_shortest(std::string& out, T value) {
    const T magnitude = std::fabs(value);
    const bool fixed = magnitude == 0 || (magnitude >= T(1e-4) && magnitude < T(1e7));
    const std::size_t start = out.size();
    if (fixed)
        append_number(out, value, std::chars_format::fixed);
    else
        append_number(out, value, std::chars_format::scientific);
    if (out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

/// Narrow floats: the fewest digits that round to the value.
void append_narrow(std::string& out, DType dtype, float value) {
    const auto narrow = [dtype](float v) { return narrow_to_float(dtype, float_to_narrow(dtype, v)); };
    for (int digits = 1; digits < 9; ++digits) {
        std::string text;
        append_number(text, value, std::chars_format::general, digits);
        float read = 0;
        std::from_chars(text.data(), text.data() + text.size(), read);
        if (narrow(read) == value) return append_shortest(out, read);
    }
    append_shortest(out, value);
}

void append_float(std::string& out, DType dtype, double value) {
    if (!std::isfinite(value)) {
        out += std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
        if (dtype != DType::F32) out += to_string(dtype);
        return;
    }
    if (dtype == DType::F64)
        append_shortest(out, value);
    else if (dtype == DType::F32)
        append_shortest(out, static_cast<float>(value));
    else
        append_narrow(out, dtype, static_cast<float>(value));
    if (dtype != DType::F32) out += to_string(dtype);
}

void append_quoted(std::string& out, std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (byte < 0x20 || byte == 0x7f)
            ((out += "\\x") += kHex[byte >> 4]) += kHex[byte & 15];
        else
            out += c;
    }
    out += '"';
}

void append_name(std::string& out, std::string_view name) {
    if (is_plain_name(name))
        out += name;
    else
        append_quoted(out, name);
}

/// Visits expressions with the least precedence their place allows, statements with their nesting depth.
class Printer final : public StrictVisitor<void, int> {
  public:
    PrintedProgram result;

    void print(const Program& program) {
        FreeVars free;
        for (const Buffer& param : program->params)
            for (const Expr& extent : param->shape) free.visit(extent);
        free.visit(program->body);
        print_header(*program, free.vars);
        dispatch(*program->body, 1);
        close(program->origin, 0);
    }

    void print(const Expr& expr, int least_precedence = 0) {
        const std::size_t base = pending_.size();
        push(expr, least_precedence);
        while (pending_.size() > base) {
            const Piece piece = pending_.back();
            pending_.pop_back();
            if (piece.node)
                dispatch(*piece.node, piece.precedence);
            else
                text_ += piece.text;
        }
    }
    void print(const Stmt& stmt) { dispatch(*stmt, 0); }
    [[nodiscard]] std::string take_text() { return std::move(text_); }

  protected:
    void visit_node(const IntImm& node, int) override {
        if (node.dtype == DType::Bool) {
            text_ += node.value ? "true" : "false";
            return;
        }
        if (node.dtype == DType::U64)
            append_number(text_, static_cast<std::uint64_t>(node.value));
        else
            append_number(text_, node.value);
        if (node.dtype != DType::I64) text_ += to_string(node.dtype);
    }
    void visit_node(const FloatImm& node, int) override { append_float(text_, node.dtype, node.value); }
    void visit_node(const Var& node, int) override { text_ += names_.of(&node, node.name); }
    void visit_node(const Binary& node, int least) override {
        const OperatorNotation& how = notation(node.op);
        if (how.precedence == 0) {
            text_ += how.token;
            push_list("(", {node.a, node.b}, ")");
            return;
        }
        const bool parenthesized = how.precedence < least;
        if (parenthesized) {
            text_ += '(';
            push(")");
        }
        push(node.b, how.precedence + 1);
        push(" ");
        push(how.token);
        push(" ");
        push(node.a, how.precedence == kComparison ? how.precedence + 1 : how.precedence);
    }
    void visit_node(const Call& node, int least) override {
        text_ += notation(node.intrinsic);
        if (!is_prefix(node.intrinsic)) return push_list("(", node.args, ")");
        // `-3` is a constant; the negation of the constant 3 is `-(3)`.
        const Expr& arg = node.args.front();
        const bool constant = arg->kind == NodeKind::IntImm || arg->kind == NodeKind::FloatImm;
        if (least > kUnary || constant)
            push_list("(", node.args, ")");
        else
            push(arg, kUnary);
    }
    void visit_node(const Cast& node, int) override {
        text_ += to_string(node.dtype);
        push_list("(", {node.value}, ")");
    }
    void visit_node(const Select& node, int) override {
        text_ += "select";
        push_list("(", {node.condition, node.then_value, node.else_value}, ")");
    }
    void visit_node(const Load& node, int) override {
        text_ += name_of(node.buffer);
        push_list("[", node.indices, "]");
    }

    void visit_node(const Store& node, int depth) override {
        begin(node, depth);
        store_text(node);
        end();
    }
    void visit_node(const ExternCall& node, int depth) override {
        begin(node, depth);
        text_ += "call_extern(";
        append_quoted(text_, node.symbol);
        for (const ExternCall::Operand& operand : node.operands) {
            text_ += ", ";
            if (operand.number != nullptr) {
                print(operand.number);
                continue;
            }
            text_ += "access_ptr(";
            print(operand.region);
            text_ += ", \"";
            text_ += kAccessModes[static_cast<std::size_t>(operand.mode)];
            text_ += "\")";
        }
        text_ += ')';
        end();
    }
    void visit_node(const Prefetch& node, int depth) override {
        begin(node, depth);
        text_ += "prefetch ";
        text_ += name_of(node.buffer);
        text_ += '[';
        print_list(node.indices, ", ");
        text_ += ']';
        end();
    }
    void visit_node(const For& node, int depth) override {
        begin(node, depth);
        text_ += kLoops[static_cast<std::size_t>(node.loop)];
        text_ += ' ';
        print_var_declaration(node.var, node.extent, [&] { text_ += " in "; });
        print(node.annotations);
        text_ += " {";
        end();
        dispatch(*node.body, depth + 1);
        close(node.origin, depth);
    }
    void visit_node(const If& node, int depth) override {
        begin(node, depth);
        text_ += "if ";
        print(node.condition);
        text_ += " {";
        end();
        dispatch(*node.then_body, depth + 1);
        if (node.else_body) {
            begin(node.origin, depth);
            text_ += "} else {";
            end();
            dispatch(*node.else_body, depth + 1);
        }
        close(node.origin, depth);
    }
    void visit_node(const Let& node, int depth) override {
        begin(node, depth);
        text_ += "let ";
        print_var_declaration(node.var, node.value, [&] { text_ += " = "; });
        end();
        dispatch(*node.body, depth);
    }
    void visit_node(const Alloc& node, int depth) override {
        begin(node, depth);
        text_ += "alloc ";
        declare(node.buffer);
        text_ += " scope ";
        text_ += kScopes[static_cast<std::size_t>(node.buffer->scope)];
        end();
        dispatch(*node.body, depth);
    }
    void visit_node(const Block& node, int depth) override {
        begin(node, depth);
        print_block_header(node.fields);
        end();
        print_regions("reads ", node.fields.reads, node.origin, depth + 1);
        print_regions("writes ", node.fields.writes, node.origin, depth + 1);
        if (node.fields.init) print_init(node, depth + 1);
        dispatch(*node.fields.body, depth + 1);
        close(node.origin, depth);
    }
    void visit_node(const Seq& node, int depth) override {
        if (!node.stmts.empty()) result.line_of.emplace(&node, static_cast<int>(result.lines.size()) + 1);
        for (std::size_t i = 0; i < node.stmts.size(); ++i) {
            const Stmt& stmt = node.stmts[i];
            // What an alloc or a let holds ends with its braces: before another statement it needs its own.
            const bool open = stmt->kind == NodeKind::Alloc || stmt->kind == NodeKind::Let;
            if (!open || i + 1 == node.stmts.size()) {
                dispatch(*stmt, depth);
                continue;
            }
            begin(stmt->origin, depth);
            text_ += '{';
            end();
            dispatch(*stmt, depth + 1);
            close(stmt->origin, depth);
        }
    }

  private:
    struct Piece {
        const ExprNode* node = nullptr;
        int precedence = 0;
        std::string_view text = {};
    };

    void push(const Expr& expr, int precedence) { pending_.push_back({expr.get(), precedence}); }
    void push(std::string_view text) { pending_.push_back({nullptr, 0, text}); }
    void push_list(std::string_view open, std::initializer_list<Expr> items, std::string_view close) {
        push_list(open, std::vector<Expr>(items), close);
    }
    void push_list(std::string_view open, const std::vector<Expr>& items, std::string_view close) {
        text_ += open;
        push(close);
        for (std::size_t i = items.size(); i-- > 0;) {
            push(items[i], 0);
            if (i > 0) push(", ");
        }
    }
    void print_list(const std::vector<Expr>& items, std::string_view separator) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) text_ += separator;
            print(items[i]);
        }
    }

    const std::string& name_of(const Buffer& buffer) { return names_.of(buffer.get(), buffer->name); }

    /// A variable is named before its value is printed, so that names run in reading order.
    template <class F> void print_var_declaration(const VarRef& var, const Expr& value, const F& between) {
        text_ += names_.of(var.get(), var->name);
        between();
        print(value);
    }
    void declare(const Buffer& buffer) {
        text_ += name_of(buffer);
        text_ += ": ";
        text_ += to_string(buffer->dtype);
        text_ += '[';
        print_list(buffer->shape, ",");
        text_ += ']';
    }
    void store_text(const Store& node) {
        text_ += name_of(node.buffer);
        text_ += '[';
        print_list(node.indices, ", ");
        text_ += "] = ";
        print(node.value);
    }
    void print(const Annotations& annotations) {
        for (const auto& [key, value] : annotations) {
            text_ += " @";
            append_name(text_, key);
            if (value.empty()) continue;
            text_ += '=';
            append_quoted(text_, value);
        }
    }
    void print(const Region& region) {
        text_ += name_of(region.buffer);
        text_ += '[';
        for (std::size_t d = 0; d < region.min.size(); ++d) {
            if (d > 0) text_ += ", ";
            print(region.min[d]);
            const IntImm* extent = as<IntImm>(region.extent.at(d));
            if (extent && extent->value == 1) continue;
            text_ += " +: ";
            print(region.extent[d]);
        }
        text_ += ']';
    }
    void print_regions(std::string_view word, const std::vector<Region>& regions, const OriginSet& origin, int depth) {
        if (regions.empty()) return;
        begin(origin, depth);
        text_ += word;
        for (std::size_t i = 0; i < regions.size(); ++i) {
            if (i > 0) text_ += ", ";
            print(regions[i]);
        }
        end();
    }
    void print_block_header(const Block::Fields& fields) {
        text_ += "block ";
        append_name(text_, fields.name);
        text_ += '(';
        for (std::size_t i = 0; i < fields.iters.size(); ++i) {
            const BlockIter& iter = fields.iters[i];
            if (i > 0) text_ += ", ";
            if (iter.kind == IterKind::Reduce) text_ += "reduce ";
            print_var_declaration(iter.var, iter.binding, [&] { text_ += " = "; });
            text_ += " in ";
            print(iter.extent);
        }
        text_ += ')';
        if (fields.predicate) {
            text_ += " where ";
            print(fields.predicate);
        }
        print(fields.annotations);
        text_ += " {";
    }
    /// An init of one store, the usual one, stands on one line.
    void print_init(const Block& node, int depth) {
        if (const Store* store = as<Store>(node.fields.init)) {
            begin(*store, depth);
            text_ += "init { ";
            store_text(*store);
            text_ += " }";
            return end();
        }
        begin(node.origin, depth);
        text_ += "init {";
        end();
        dispatch(*node.fields.init, depth + 1);
        close(node.origin, depth);
    }
    void print_header(const ProgramNode& program, const std::vector<const Var*>& sizes) {
        std::vector<std::string> pieces; ///< the header may break before any piece but the first
        text_ = "fn ";
        append_name(text_, program.name);
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            text_ += i == 0 ? "<" : ", ";
            text_ += names_.of(sizes[i], sizes[i]->name);
            text_ += ": ";
            text_ += to_string(sizes[i]->dtype);
        }
        if (!sizes.empty()) text_ += '>';
        text_ += '(';
        const std::size_t indent = std::min<std::size_t>(text_.size(), 24);
        if (program.input_count == 0) text_ += ") -> (";
        for (std::size_t i = 0; i < program.params.size(); ++i) {
            pieces.push_back(std::exchange(text_, {}));
            const Buffer& param = program.params[i];
            declare(param);
            if (param->scope != Scope::Global) (text_ += " scope ") += kScopes[static_cast<std::size_t>(param->scope)];
            if (i + 1 == program.input_count)
                text_ += ") -> (";
            else if (i + 1 < program.params.size())
                text_ += ", ";
        }
        pieces.push_back(std::exchange(text_, {}) + ") {");
        std::string line;
        for (std::string& piece : pieces) {
            if (line.size() > indent && line.size() + piece.size() > kHeaderWidth) {
                while (line.back() == ' ') line.pop_back();
                add_line(std::move(line), program.origin);
                line = std::string(indent, ' ');
            }
            line += piece;
        }
        add_line(std::move(line), program.origin);
    }

    void add_line(std::string text, const OriginSet& origin) {
        result.lines.push_back({std::move(text), 0, nullptr, origin});
    }
    void begin(const Node& node, int depth) {
        begin(node.origin, depth);
        result.lines.back().node = &node;
        result.line_of.emplace(&node, static_cast<int>(result.lines.size()));
    }
    void begin(const OriginSet& origin, int depth) {
        result.lines.push_back({{}, depth, nullptr, origin});
        text_.assign(static_cast<std::size_t>(depth) * 2, ' ');
    }
    void end() { result.lines.back().text = text_; }
    void close(const OriginSet& origin, int depth) {
        begin(origin, depth);
        text_ += '}';
        end();
    }

    Names names_;
    std::string text_;
    std::vector<Piece> pending_;
};

} // namespace

std::string PrintedProgram::text() const {
    std::size_t size = 0;
    for (const PrintedLine& line : lines) size += line.text.size() + 1;
    std::string out;
    out.reserve(size);
    for (const PrintedLine& line : lines) (out += line.text) += '\n';
    return out;
}

PrintedProgram print_program(const Program& program) {
    Printer printer;
    printer.print(program);
    return std::move(printer.result);
}

std::string to_string(const Program& program) { return print_program(program).text(); }

std::string to_string(const Expr& expr) {
    Printer printer;
    printer.print(expr);
    return printer.take_text();
}

std::string to_string(const Stmt& stmt) {
    Printer printer;
    printer.print(stmt);
    return printer.result.text();
}

} // namespace orrery::tensor
