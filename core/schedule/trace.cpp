// The text of traces, and applying their steps.

#include "core/schedule/trace.hpp"

#include "core/schedule/primitives.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace orrery::schedule {

using tensor::Program;
using tensor::Scope;

namespace {

using Ints = std::vector<std::int64_t>;
using Names = std::vector<std::string>;

/// Typed access to a step's operands; remembers the first mistake.
class Args {
  public:
    explicit Args(const TraceStep& step) : step_(step) {}

    std::string name(std::size_t i) { return get<std::string>(i, "a name"); }
    Ints ints(std::size_t i) { return get<Ints>(i, "a list of integers"); }
    Names names(std::size_t i) { return get<Names>(i, "a list of names"); }
    Scope scope(std::size_t i) {
        const std::string text = name(i);
        if (text == "global") return Scope::Global;
        if (text == "stack") return Scope::Stack;
        if (text != "registers") wrong("operand " + std::to_string(i + 1) + " is a scope: global, stack or registers");
        return Scope::Registers;
    }
    Result<void> done(std::size_t count) {
        if (step_.args.size() != count) wrong("it takes " + std::to_string(count) + " operands");
        if (error_) return *error_;
        return {};
    }

  private:
    template <class T> T get(std::size_t i, const char* what) {
        if (i < step_.args.size())
            if (const T* value = std::get_if<T>(&step_.args[i])) return *value;
        wrong("operand " + std::to_string(i + 1) + " is " + what);
        return {};
    }
    void wrong(const std::string& what) {
        if (!error_)
            error_ =
                Diagnostic{Code::BadArgument, step_.primitive + ": " + what, {}, "write it as " + to_string(step_)};
    }
    const TraceStep& step_;
    std::optional<Diagnostic> error_;
};

struct Row {
    PrimitiveInfo info;
    Result<Rewritten> (*apply)(const Program&, Args&);
};

#define ORRERY_OPERANDS(count) ORRERY_CHECK_OK(args.done(count))

const std::array<Row, 11>& table() {
    static const std::array<Row, 11> rows{{
        {{"cache_write", "cache_write(block, scope)",
          "writes through a buffer of that scope, copied by a block of its own"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string block = args.name(0);
             const Scope scope = args.scope(1);
             ORRERY_OPERANDS(2);
             return cache_write(p, block, scope);
         }},
        {{"compute_at", "compute_at(block, block.loop)",
          "computes a block inside a loop of its consumers, just what an iteration needs"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string block = args.name(0), loop = args.name(1);
             ORRERY_OPERANDS(2);
             return compute_at(p, block, loop);
         }},
        {{"compute_inline", "compute_inline(block)", "puts a block's expression where its buffer is read"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string block = args.name(0);
             ORRERY_OPERANDS(1);
             return compute_inline(p, block);
         }},
        {{"decompose_reduction", "decompose_reduction(block, block.loop)",
          "makes a block of its own of a reduction's initial value"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string block = args.name(0), loop = args.name(1);
             ORRERY_OPERANDS(2);
             return decompose_reduction(p, block, loop);
         }},
        {{"fuse", "fuse([block.loop, ...])", "makes one loop of loops directly inside each other"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const Names loops = args.names(0);
             ORRERY_OPERANDS(1);
             return fuse(p, loops);
         }},
        {{"parallel", "parallel(block.loop)", "runs iterations on several threads"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string loop = args.name(0);
             ORRERY_OPERANDS(1);
             return parallel(p, loop);
         }},
        {{"reorder", "reorder([block.loop, ...])", "puts loops around a block in the given order"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const Names loops = args.names(0);
             ORRERY_OPERANDS(1);
             return reorder(p, loops);
         }},
        {{"set_scope", "set_scope(block, scope)", "gives the buffer a block writes another scope"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string block = args.name(0);
             const Scope scope = args.scope(1);
             ORRERY_OPERANDS(2);
             return set_scope(p, block, scope);
         }},
        {{"split", "split(block.loop, [factor, ...])", "splits a loop into a nest; one factor may be -1"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string loop = args.name(0);
             const Ints factors = args.ints(1);
             ORRERY_OPERANDS(2);
             return split(p, loop, factors);
         }},
        {{"unroll", "unroll(block.loop)", "writes out all iterations"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string loop = args.name(0);
             ORRERY_OPERANDS(1);
             return unroll(p, loop);
         }},
        {{"vectorize", "vectorize(block.loop)", "runs iterations as lanes of vectors"},
         [](const Program& p, Args& args) -> Result<Rewritten> {
             const std::string loop = args.name(0);
             ORRERY_OPERANDS(1);
             return vectorize(p, loop);
         }},
    }};
    return rows;
}

std::string text_of(const Arg& arg) {
    if (const auto* value = std::get_if<std::int64_t>(&arg)) return std::to_string(*value);
    if (const auto* value = std::get_if<std::string>(&arg)) return *value;
    std::string text = "[";
    const auto item = [&text](const std::string& part) { text += (text.size() > 1 ? ", " : "") + part; };
    if (const auto* ints = std::get_if<Ints>(&arg))
        for (std::int64_t v : *ints) item(std::to_string(v));
    if (const auto* names = std::get_if<Names>(&arg))
        for (const std::string& v : *names) item(v);
    return text + "]";
}

/// One line of a trace: name ( arg, ... ). Names hold letters, digits, '_' and '.'.
class LineParser {
  public:
    LineParser(std::string_view text, int line) : text_(text), line_(line) {}

    Result<TraceStep> step() {
        TraceStep out;
        out.primitive = word();
        if (out.primitive.empty()) return error("a primitive's name is expected");
        if (!take('(')) return error("'(' is expected");
        while (!take(')')) {
            if (!out.args.empty() && !take(',')) return error("',' or ')' is expected");
            ORRERY_TRY(Arg arg, argument());
            out.args.push_back(std::move(arg));
        }
        skip();
        if (at_ != text_.size()) return error("nothing more is expected on this line");
        return out;
    }

  private:
    void skip() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
    }
    bool take(char c) {
        skip();
        if (at_ >= text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }
    std::string word() {
        skip();
        const std::size_t start = at_;
        while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' ||
                                      text_[at_] == '.' || (text_[at_] == '-' && at_ == start)))
            ++at_;
        return std::string(text_.substr(start, at_ - start));
    }
    static std::optional<std::int64_t> number(const std::string& word) {
        std::int64_t value = 0;
        const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (word.empty() || code != std::errc{} || end != word.data() + word.size()) return std::nullopt;
        return value;
    }
    Result<Arg> argument() {
        if (!take('[')) {
            const std::string text = word();
            if (text.empty()) return error("a name, a number or a list is expected");
            if (const auto value = number(text)) return Arg(*value);
            return Arg(text);
        }
        Ints ints;
        Names names;
        while (!take(']')) {
            if (!(ints.empty() && names.empty()) && !take(',')) return error("',' or ']' is expected");
            const std::string text = word();
            if (text.empty()) return error("a name or a number is expected");
            if (const auto value = number(text))
                ints.push_back(*value);
            else
                names.push_back(text);
            if (!ints.empty() && !names.empty()) return error("a list holds names or numbers, not both");
        }
        if (names.empty()) return Arg(ints);
        return Arg(names);
    }
    Diagnostic error(const std::string& what) const {
        return {Code::BadText, what, {TextPosition{line_, static_cast<int>(at_) + 1}}, {}};
    }
    std::string_view text_;
    int line_;
    std::size_t at_ = 0;
};

} // namespace

Hash Trace::hash() const {
    const std::string text = to_string(*this);
    return hash_bytes(text.data(), text.size());
}

std::string to_string(const TraceStep& step) {
    std::string text = step.primitive + "(";
    for (std::size_t i = 0; i < step.args.size(); ++i) text += (i ? ", " : "") + text_of(step.args[i]);
    return text + ")";
}

std::string to_string(const Trace& trace) {
    std::string text;
    for (const TraceStep& step : trace.steps) text += to_string(step) + "\n";
    return text;
}

Result<Trace> parse_trace(std::string_view text) {
    Trace trace;
    int line = 0;
    while (!text.empty()) {
        ++line;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view one = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::size_t start = one.find_first_not_of(" \t\r");
        if (start == std::string_view::npos || one[start] == '#') continue;
        ORRERY_TRY(TraceStep step, LineParser(one, line).step());
        trace.steps.push_back(std::move(step));
    }
    return trace;
}

Result<Rewritten> apply_step(const Program& program, const TraceStep& step) {
    for (const Row& row : table()) {
        if (row.info.name != step.primitive) continue;
        Args args(step);
        return row.apply(program, args);
    }
    return Diagnostic{Code::UnknownName,
                      "there is no primitive named " + step.primitive,
                      {ProgramPlace{program->name, to_string(step)}},
                      {}};
}

Result<Replay> replay(const Program& program, const Trace& trace) {
    Replay out{{program}};
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
        Result<Rewritten> next = apply_step(out.result(), trace.steps[i]);
        if (!next) {
            next.error().locations.push_back(
                ProgramPlace{program->name, "step " + std::to_string(i + 1) + ": " + to_string(trace.steps[i])});
            return std::move(next.error());
        }
        out.programs.push_back(std::move(next->program));
    }
    return out;
}

std::span<const PrimitiveInfo> primitives() {
    static const std::vector<PrimitiveInfo> infos = [] {
        std::vector<PrimitiveInfo> out;
        for (const Row& row : table()) out.push_back(row.info);
        return out;
    }();
    return infos;
}

} // namespace orrery::schedule
