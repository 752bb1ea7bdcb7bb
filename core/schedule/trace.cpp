// The text of traces, and applying their steps.

#include "core/schedule/trace.hpp"

#include "core/schedule/catalog.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace orrery::schedule {

using tensor::Program;

namespace {

constexpr std::size_t kMostItems = 4096; ///< of a list; our choice, far beyond any schedule

std::optional<std::int64_t> number_of(std::string_view word) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || code != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return value;
}

bool in_word(char c, bool first) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || (c == '-' && first);
}

/// As it stands when it reads back as a name, in quotes otherwise.
std::string text_of(const std::string& name) {
    bool plain = !name.empty() && !number_of(name) && name.front() != '-';
    for (const char c : name) plain = plain && in_word(c, false);
    if (plain) return name;
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"' || c == '\\') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out + "\"";
}

template <class T, class F> std::string list_text(const std::vector<T>& items, const F& text) {
    std::string out = "[";
    for (std::size_t i = 0; i < items.size(); ++i) out += (i ? ", " : "") + text(items[i], i);
    return out + "]";
}

std::string numbers_text(const Ints& numbers) {
    return list_text(numbers, [](std::int64_t value, std::size_t) { return std::to_string(value); });
}

std::string arg_text(const Arg& arg) {
    if (const auto* value = std::get_if<std::int64_t>(&arg)) return std::to_string(*value);
    if (const auto* value = std::get_if<std::string>(&arg)) return text_of(*value);
    if (const auto* ints = std::get_if<Ints>(&arg)) return numbers_text(*ints);
    return list_text(std::get<Names>(arg), [](const std::string& name, std::size_t) { return text_of(name); });
}

std::string choice_text(const Knob& knob, std::int64_t value) {
    const bool first = !knob.candidates.empty() && value == knob.candidates.front();
    const std::string decision = first ? "" : ", " + std::to_string(value);
    if (knob.weights.empty()) return "knob(" + knob.name + ", " + numbers_text(knob.candidates) + decision + ")";
    return "sample_categorical(" + knob.name + ", " + numbers_text(knob.candidates) + ", " +
           numbers_text(knob.weights) + decision + ")";
}

const OpenArg* open_at(const TraceStep& step, std::size_t arg, std::ptrdiff_t item) {
    for (const OpenArg& open : step.open)
        if (open.arg == arg && open.item == item) return &open;
    return nullptr;
}

std::string operand_text(const TraceStep& step, std::size_t i) {
    const Arg& arg = step.args[i];
    if (const OpenArg* open = open_at(step, i, -1)) {
        const Knob& knob = open->knob;
        switch (knob.kind) {
        case Knob::Kind::Choice: return choice_text(knob, std::get<std::int64_t>(arg));
        case Knob::Kind::PerfectTile: {
            const Ints& factors = std::get<Ints>(arg);
            return "sample_perfect_tile(" + knob.name + ", " + std::to_string(knob.parts) + ", " +
                   std::to_string(knob.max_innermost) + (factors.empty() ? "" : ", " + numbers_text(factors)) + ")";
        }
        case Knob::Kind::ComputeLocation: {
            const std::string& loop = std::get<std::string>(arg);
            return "sample_compute_location(" + knob.name + (loop.empty() ? "" : ", " + text_of(loop)) + ")";
        }
        }
    }
    const auto* list = std::get_if<Ints>(&arg);
    if (!list) return arg_text(arg);
    return list_text(*list, [&](std::int64_t value, std::size_t item) {
        const OpenArg* open = open_at(step, i, static_cast<std::ptrdiff_t>(item));
        return open ? choice_text(open->knob, value) : std::to_string(value);
    });
}

/// One line of a trace: name ( operand, ... ). Names hold letters, digits, '_' and '.'; anything else is quoted.
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
            ORRERY_CHECK_OK(operand(out));
        }
        skip();
        if (at_ != text_.size() && text_[at_] != '#') return error("nothing more is expected on this line");
        return out;
    }

  private:
    void skip() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
    }
    bool at(char c) {
        skip();
        return at_ < text_.size() && text_[at_] == c;
    }
    bool take(char c) {
        if (!at(c)) return false;
        ++at_;
        return true;
    }
    std::string word() {
        skip();
        const std::size_t start = at_;
        while (at_ < text_.size() && in_word(text_[at_], at_ == start)) ++at_;
        return std::string(text_.substr(start, at_ - start));
    }
    /// Pre: at a quote.
    Result<std::string> quoted() {
        std::string out;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
                ++at_;
                out += text_[at_] == 'n' ? '\n' : text_[at_];
            } else {
                out += text_[at_];
            }
        }
        if (!take('"')) return error("the text has no closing quote");
        return out;
    }
    static bool is_sample(const std::string& word) {
        return word == "knob" || word == "sample_categorical" || word == "sample_perfect_tile" ||
               word == "sample_compute_location";
    }

    Result<void> operand(TraceStep& out) {
        if (at('"')) {
            ORRERY_TRY(std::string text, quoted());
            out.args.emplace_back(std::move(text));
            return {};
        }
        if (take('[')) return list(out);
        const std::string text = word();
        if (text.empty()) return error("a name, a number or a list is expected");
        if (is_sample(text) && at('(')) {
            ORRERY_TRY(auto sampled, sample(text));
            out.open.push_back({out.args.size(), -1, std::move(sampled.first)});
            out.args.push_back(std::move(sampled.second));
        } else if (const auto value = number_of(text)) {
            out.args.emplace_back(*value);
        } else {
            out.args.emplace_back(text);
        }
        return {};
    }

    Result<void> list(TraceStep& out) {
        Ints ints;
        Names names;
        while (!take(']')) {
            if (!(ints.empty() && names.empty()) && !take(',')) return error("',' or ']' is expected");
            if (ints.size() + names.size() >= kMostItems) return error("the list is too long");
            if (at('"')) {
                ORRERY_TRY(std::string text, quoted());
                names.push_back(std::move(text));
            } else {
                const std::string text = word();
                if (text.empty()) return error("a name or a number is expected");
                if (is_sample(text) && at('(')) {
                    ORRERY_TRY(auto sampled, sample(text));
                    const auto* value = std::get_if<std::int64_t>(&sampled.second);
                    if (!value) return error("only numbers are open inside a list");
                    out.open.push_back(
                        {out.args.size(), static_cast<std::ptrdiff_t>(ints.size()), std::move(sampled.first)});
                    ints.push_back(*value);
                } else if (const auto value = number_of(text)) {
                    ints.push_back(*value);
                } else {
                    names.push_back(text);
                }
            }
            if (!ints.empty() && !names.empty()) return error("a list holds names or numbers, not both");
        }
        if (names.empty())
            out.args.emplace_back(std::move(ints));
        else
            out.args.emplace_back(std::move(names));
        return {};
    }

    Result<Ints> number_list() {
        if (!take('[')) return error("a list of numbers is expected");
        Ints out;
        while (!take(']')) {
            if (!out.empty() && !take(',')) return error("',' or ']' is expected");
            ORRERY_TRY(const std::int64_t value, number());
            if (out.size() >= kMostItems) return error("the list is too long");
            out.push_back(value);
        }
        return out;
    }
    Result<std::int64_t> number() {
        const auto value = number_of(word());
        if (!value) return error("a number is expected");
        return *value;
    }

    /// Pre: at the parenthesis after one of the sample words.
    Result<std::pair<Knob, Arg>> sample(const std::string& kind) {
        take('(');
        Knob knob;
        knob.name = word();
        if (knob.name.empty()) return error("a knob has a name first");
        Arg value;
        if (kind == "sample_compute_location") {
            knob.kind = Knob::Kind::ComputeLocation;
            value = take(',') ? word() : std::string();
        } else if (kind == "sample_perfect_tile") {
            knob.kind = Knob::Kind::PerfectTile;
            if (!take(',')) return error("',' is expected");
            ORRERY_TRY(knob.parts, number());
            if (!take(',')) return error("',' is expected");
            ORRERY_TRY(knob.max_innermost, number());
            if (knob.parts < 1 || knob.parts > 8 || knob.max_innermost < 1)
                return error("a tile has 1 to 8 parts and an innermost factor from 1");
            Ints factors;
            if (take(',')) { ORRERY_TRY(factors, number_list()); }
            value = std::move(factors);
        } else {
            ORRERY_CHECK_OK(choice(knob, kind == "sample_categorical"));
            value = knob.candidates.front();
            if (take(',')) { ORRERY_TRY(value, number()); }
            if (std::ranges::find(knob.candidates, std::get<std::int64_t>(value)) == knob.candidates.end())
                return error("the decision is none of the candidates");
        }
        if (!take(')')) return error("')' is expected");
        return std::pair(std::move(knob), std::move(value));
    }
    Result<void> choice(Knob& knob, bool weighted) {
        if (!take(',')) return error("',' is expected");
        ORRERY_TRY(knob.candidates, number_list());
        if (knob.candidates.empty()) return error("a knob has at least one candidate");
        if (!weighted) return {};
        if (!take(',')) return error("',' is expected");
        ORRERY_TRY(knob.weights, number_list());
        std::int64_t total = 0;
        for (const std::int64_t weight : knob.weights) {
            if (weight < 0 || weight > 1'000'000) return error("a weight is from 0 to 1000000");
            total += weight;
        }
        if (knob.weights.size() != knob.candidates.size() || total == 0)
            return error("there is one weight a candidate, and not all are 0");
        return {};
    }

    Diagnostic error(const std::string& what) const {
        return {Code::BadText,
                what,
                {TextPosition{line_, static_cast<int>(at_) + 1}},
                "a line is one step: split(block.loop, [-1, 8])"};
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
    for (std::size_t i = 0; i < step.args.size(); ++i) text += (i ? ", " : "") + operand_text(step, i);
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
    for (const OpenArg& open : step.open) {
        const auto* loop = std::get_if<std::string>(&step.args[open.arg]);
        const auto* list = std::get_if<Ints>(&step.args[open.arg]);
        if ((loop && loop->empty()) || (list && list->empty()))
            return Diagnostic{Code::BadArgument,
                              "knob " + open.knob.name + " of " + step.primitive + " is undecided",
                              {ProgramPlace{program->name, to_string(step)}},
                              "draw the trace first, or write its decision as the last operand"};
    }
    for (const CatalogRow& row : catalog()) {
        if (row.info.name != step.primitive) continue;
        Args args(step);
        return row.apply(program, args);
    }
    std::string names;
    for (const PrimitiveInfo& info : primitives()) names += (names.empty() ? "" : ", ") + info.name;
    return Diagnostic{Code::UnknownName,
                      "there is no primitive named " + step.primitive,
                      {ProgramPlace{program->name, to_string(step)}},
                      "there are " + names};
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

} // namespace orrery::schedule
