// The text form of patterns. Grammar: docs/text-forms.md.

#include "core/graph/pattern_node.hpp"

#include "core/base/check.hpp"
#include "core/graph/lexical.hpp"
#include "core/graph/reader.hpp"

#include <charconv>

namespace orrery::graph {

namespace {

// ------------------------------------------------------------------------------ printing

std::string print(const Pattern& pattern);

std::string list(const std::vector<Pattern>& patterns, const char* separator) {
    std::string text;
    for (std::size_t i = 0; i < patterns.size(); ++i) text += (i ? separator : "") + print(patterns[i]);
    return text;
}

std::string print_core(const Pattern::Node& node) {
    switch (node.kind) {
    case PatternKind::Any: return "*";
    case PatternKind::Missing: return "_";
    case PatternKind::Constant: return "const";
    case PatternKind::Parameter: return "param";
    case PatternKind::Op:
        if (node.any_operands) return node.op;
        return node.op + (node.either_order ? "~(" : "(") + list(node.children, ", ") + ")";
    case PatternKind::AnyOf: return "(" + list(node.children, " | ") + ")";
    case PatternKind::Dominated: return "flow(" + list(node.children, ", ") + ")";
    }
    fail_internal("the printer covers every kind of pattern");
}

std::string print_type(const Pattern::Node& node) {
    std::string text = node.dtype || node.shape ? ":" : "";
    if (node.dtype) text += to_string(*node.dtype);
    if (!node.shape) return text;
    text += "[";
    for (std::size_t i = 0; i < node.shape->size(); ++i)
        text += (i ? "," : "") + ((*node.shape)[i] == -1 ? std::string("*") : std::to_string((*node.shape)[i]));
    return text + "]";
}

std::string print(const Pattern& pattern) {
    const Pattern::Node& node = pattern.node();
    std::string text = node.capture.empty() ? "" : "$" + node.capture + "=";
    text += print_core(node);
    if (!node.attrs.empty()) {
        text += "{";
        for (std::size_t i = 0; i < node.attrs.size(); ++i)
            text += (i ? ", " : "") + node.attrs[i].name + (node.attrs[i].may_be_absent ? "?=" : "=") +
                    to_string(node.attrs[i].value);
        text += "}";
    }
    text += print_type(node);
    if (node.once) text += " once";
    if (node.test) text += " where " + node.what;
    return text;
}

// ------------------------------------------------------------------------------ parsing

constexpr int kDeepest = 64; ///< nesting of a pattern's text; our choice, far beyond any that is written by hand

class PatternParser {
  public:
    explicit PatternParser(std::string_view text) : in_(text) {}

    Result<Pattern> run() {
        ORRERY_TRY(Pattern pattern, alternatives(0));
        if (!in_.at_end()) return in_.error("expected the pattern's end");
        return pattern;
    }

  private:
    Result<Pattern> alternatives(int depth) {
        if (depth > kDeepest) return in_.error("the pattern is nested too deeply");
        std::vector<Pattern> all;
        do {
            ORRERY_TRY(Pattern next, qualified(depth));
            all.push_back(std::move(next));
        } while (in_.accept("|"));
        return any_of(std::move(all));
    }

    Result<Pattern> qualified(int depth) {
        std::string capture;
        bool bare = false;
        if (in_.accept("$")) {
            ORRERY_TRY(capture, in_.name("a capture's name"));
            bare = !in_.accept("=");
        }
        Result<Pattern> core = bare ? Result<Pattern>(any()) : primary(depth);
        if (!core) return core;
        Pattern pattern = *std::move(core);
        if (in_.accept("{")) { ORRERY_TRY(pattern, attributes(pattern)); }
        if (in_.accept(":")) { ORRERY_TRY(pattern, typed(pattern)); }
        if (in_.accept_word("once")) pattern = pattern.single_use();
        return capture.empty() ? pattern : pattern.as(std::move(capture));
    }

    Result<Pattern> primary(int depth) {
        if (in_.accept("*")) return any();
        if (in_.accept("(")) {
            ORRERY_TRY(Pattern inner, alternatives(depth + 1));
            ORRERY_CHECK_OK(in_.expect(")"));
            return inner;
        }
        ORRERY_TRY(std::string name, in_.name("an operator, const, param, flow, * or _"));
        if (name == "_") return missing();
        if (name == "const") return constant();
        if (name == "param") return parameter();
        const bool either = in_.accept("~"), maybe = !either && in_.accept("?");
        if (!either && !maybe && in_.peek() != '(') return op(std::move(name));
        ORRERY_TRY(std::vector<Pattern> operands, operand_list(depth));
        const auto needs = [&](std::size_t count) -> Result<void> {
            if (operands.size() == count) return {};
            return in_.error(name + " takes " + std::to_string(count) + " patterns here");
        };
        if (name == "flow") {
            ORRERY_CHECK_OK(needs(3));
            return dominated(operands[0], operands[1], operands[2]);
        }
        if (either) {
            ORRERY_CHECK_OK(needs(2));
            return commutative(std::move(name), operands[0], operands[1]);
        }
        if (!maybe) return op(std::move(name), std::move(operands));
        if (operands.empty()) return in_.error("an optional call needs the pattern it stands around");
        return optional(name, operands[0], {operands.begin() + 1, operands.end()});
    }

    Result<std::vector<Pattern>> operand_list(int depth) {
        std::vector<Pattern> operands;
        ORRERY_CHECK_OK(in_.expect("("));
        while (!in_.accept(")")) {
            if (!operands.empty()) ORRERY_CHECK_OK(in_.expect(","));
            ORRERY_TRY(Pattern next, alternatives(depth + 1));
            operands.push_back(std::move(next));
        }
        return operands;
    }

    Result<Pattern> attributes(Pattern pattern) {
        bool first = true;
        while (!in_.accept("}")) {
            if (!first) ORRERY_CHECK_OK(in_.expect(","));
            first = false;
            ORRERY_TRY(std::string name, in_.name("an attribute's name"));
            const bool absent = in_.accept("?");
            ORRERY_CHECK_OK(in_.expect("="));
            ORRERY_TRY(AttrValue value, attr_value());
            pattern = absent ? pattern.attr_or_absent(std::move(name), std::move(value))
                             : pattern.attr(std::move(name), std::move(value));
        }
        return pattern;
    }

    Result<AttrValue> attr_value() {
        if (in_.accept("[")) {
            Ints ints;
            while (!in_.accept("]")) {
                if (!ints.empty()) ORRERY_CHECK_OK(in_.expect(","));
                ORRERY_TRY(const std::int64_t value, in_.integer("an integer"));
                ints.push_back(value);
            }
            return AttrValue(std::move(ints));
        }
        if (in_.peek() == '"') {
            ORRERY_TRY(std::string text, in_.string());
            return AttrValue(std::move(text));
        }
        if (in_.number_next()) {
            const TextPosition where = in_.here();
            ORRERY_TRY(const Reader::Number number, in_.number());
            const char *start = number.text.data(), *end = start + number.text.size();
            std::int64_t whole = 0;
            double real = 0;
            const std::from_chars_result read =
                number.whole ? std::from_chars(start, end, whole) : std::from_chars(start, end, real);
            if (read.ec != std::errc() || read.ptr != end)
                return Reader::error_at(where, Code::BadText, std::string(number.text) + " is no number that fits");
            return number.whole ? AttrValue(whole) : AttrValue(real);
        }
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string word, in_.name("an attribute's value"));
        if (word == "true" || word == "false") return AttrValue(word == "true");
        if (const std::optional<DType> dtype = parse_dtype(word)) return AttrValue(*dtype);
        return Reader::error_at(where, Code::BadText, word + " is no attribute's value");
    }

    Result<Pattern> typed(Pattern pattern) {
        if (in_.peek() != '[') {
            const TextPosition where = in_.here();
            ORRERY_TRY(const std::string word, in_.name("an element type"));
            const std::optional<DType> dtype = parse_dtype(word);
            if (!dtype) return Reader::error_at(where, Code::BadText, word + " is no element type");
            pattern = pattern.dtype(*dtype);
        }
        if (!in_.accept("[")) return pattern;
        Shape shape;
        bool first = true;
        while (!in_.accept("]")) {
            if (!first) ORRERY_CHECK_OK(in_.expect(","));
            first = false;
            if (in_.accept("*")) {
                shape.push_back(-1);
                continue;
            }
            ORRERY_TRY(const std::int64_t extent, in_.integer("an extent or *"));
            if (extent < 0) return in_.error("an extent is not negative");
            shape.push_back(extent);
        }
        return pattern.shape(std::move(shape));
    }

    Reader in_;
};

} // namespace

std::string to_string(const Pattern& pattern) { return print(pattern); }

Result<Pattern> parse_pattern(std::string_view text) { return PatternParser(text).run(); }

} // namespace orrery::graph
