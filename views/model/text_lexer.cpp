#include "views/model/text_view.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

// One hand-written scanner for all languages: words, numbers, strings, comments; what a word means depends on the
// language. A line is coloured on its own, so that only visible lines are ever scanned.

namespace orrery::views {
namespace {

constexpr std::string_view kTensorWords[] = {
    "alloc",  "and",       "block",      "buffer",   "else",      "evaluate", "false",     "fn",
    "for",    "if",        "in",         "init",     "intrinsic", "let",      "max",       "min",
    "not",    "or",        "parallel",   "prefetch", "reads",     "reduce",   "registers", "scope",
    "select", "serial",    "spatial",    "stack",    "step",      "true",     "unroll",    "unrolled",
    "vector", "vectorize", "vectorized", "where",    "while",     "writes"};
constexpr std::string_view kGraphWords[] = {"const",     "else",   "false", "fn",    "function",
                                            "if",        "let",    "loop",  "model", "module",
                                            "primitive", "return", "then",  "true",  "tuple"};
constexpr std::string_view kLlvmWords[] = {"add",
                                           "align",
                                           "alloca",
                                           "and",
                                           "ashr",
                                           "attributes",
                                           "bitcast",
                                           "br",
                                           "call",
                                           "constant",
                                           "declare",
                                           "define",
                                           "dso_local",
                                           "exact",
                                           "extractelement",
                                           "extractvalue",
                                           "fadd",
                                           "false",
                                           "fast",
                                           "fcmp",
                                           "fdiv",
                                           "fmul",
                                           "fneg",
                                           "fpext",
                                           "fptosi",
                                           "fptoui",
                                           "fptrunc",
                                           "fsub",
                                           "getelementptr",
                                           "global",
                                           "icmp",
                                           "inbounds",
                                           "insertelement",
                                           "insertvalue",
                                           "internal",
                                           "label",
                                           "load",
                                           "local_unnamed_addr",
                                           "lshr",
                                           "mul",
                                           "noalias",
                                           "noundef",
                                           "nsw",
                                           "null",
                                           "nuw",
                                           "or",
                                           "phi",
                                           "poison",
                                           "private",
                                           "ret",
                                           "sdiv",
                                           "select",
                                           "sext",
                                           "shl",
                                           "shufflevector",
                                           "sitofp",
                                           "source_filename",
                                           "splat",
                                           "srem",
                                           "store",
                                           "sub",
                                           "switch",
                                           "tail",
                                           "target",
                                           "to",
                                           "true",
                                           "trunc",
                                           "udiv",
                                           "uitofp",
                                           "undef",
                                           "unnamed_addr",
                                           "unreachable",
                                           "urem",
                                           "xor",
                                           "zeroinitializer",
                                           "zext"};
constexpr std::string_view kTypes[] = {"bf16", "bool", "double", "f16", "f32", "f64",  "float",
                                       "half", "i1",   "i128",   "i16", "i32", "i64",  "i8",
                                       "ptr",  "u16",  "u32",    "u64", "u8",  "void", "x"};

static_assert(std::is_sorted(std::begin(kTensorWords), std::end(kTensorWords)));
static_assert(std::is_sorted(std::begin(kGraphWords), std::end(kGraphWords)));
static_assert(std::is_sorted(std::begin(kLlvmWords), std::end(kLlvmWords)));
static_assert(std::is_sorted(std::begin(kTypes), std::end(kTypes)));

template <std::size_t N> bool among(const std::string_view (&words)[N], std::string_view word) {
    return std::binary_search(std::begin(words), std::end(words), word);
}

bool word_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool word_part(char c) { return word_start(c) || digit(c) || c == '.' || c == '$'; }

bool is_register(std::string_view word) {
    if (word.size() < 2) return false;
    if (word[0] == 'r' && (digit(word[1]) || (word.size() == 3 && word[2] != '.'))) return true;
    if (word[0] == 'e' && word.size() == 3) return word[2] == 'x' || word[2] == 'i' || word[2] == 'p';
    if ((word[0] == 'x' || word[0] == 'y' || word[0] == 'z') && word.substr(1, 2) == "mm") return true;
    if (word[0] == 'k' && word.size() == 2 && digit(word[1])) return true;
    static constexpr std::string_view kByteRegisters[] = {"ah", "al", "ax", "bh",  "bl", "bp", "bpl",
                                                          "bx", "ch", "cl", "cx",  "dh", "di", "dil",
                                                          "dl", "dx", "si", "sil", "sp", "spl"};
    return among(kByteRegisters, word);
}

class Scanner {
  public:
    Scanner(std::string_view line, TextLanguage language) : line_(line), language_(language) {}

    std::vector<TextSpan> run() {
        while (at_ < line_.size()) step();
        return std::move(spans_);
    }

  private:
    void emit(std::size_t begin, SpanKind kind) {
        if (kind != SpanKind::Plain && begin < at_)
            spans_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_), kind});
    }

    [[nodiscard]] bool comment_here() const {
        const std::string_view rest = line_.substr(at_);
        switch (language_) {
        case TextLanguage::Llvm: return rest[0] == ';';
        case TextLanguage::Assembly: return rest[0] == '#' || rest[0] == ';';
        case TextLanguage::Tensor:
        case TextLanguage::Graph: return rest[0] == '#'; // "//" is floor division
        case TextLanguage::Plain: return false;
        }
        return false;
    }

    void step() {
        const std::size_t begin = at_;
        const char c = line_[at_];
        if (comment_here()) {
            at_ = line_.size();
            emit(begin, SpanKind::Comment);
        } else if (c == '"') {
            ++at_;
            while (at_ < line_.size() && line_[at_] != '"') at_ += line_[at_] == '\\' && at_ + 1 < line_.size() ? 2 : 1;
            at_ = std::min(at_ + 1, line_.size());
            emit(begin, SpanKind::String);
        } else if (digit(c)) {
            while (at_ < line_.size() &&
                   (word_part(line_[at_]) || ((line_[at_] == '-' || line_[at_] == '+') && exponent_before())))
                ++at_;
            emit(begin, SpanKind::Number);
        } else if (word_start(c) || ((c == '%' || c == '@' || c == '.' || c == '!') && at_ + 1 < line_.size() &&
                                     word_part(line_[at_ + 1]))) {
            ++at_;
            while (at_ < line_.size() &&
                   (word_part(line_[at_]) || (language_ == TextLanguage::Llvm && line_[at_] == '-')))
                ++at_;
            emit(begin, classify(begin));
            first_word_ = false;
        } else {
            ++at_;
        }
    }

    [[nodiscard]] bool exponent_before() const {
        return at_ > 0 && (line_[at_ - 1] == 'e' || line_[at_ - 1] == 'E') &&
               line_.substr(0, at_).find("0x") == std::string_view::npos;
    }

    [[nodiscard]] SpanKind classify(std::size_t begin) const {
        const std::string_view word = line_.substr(begin, at_ - begin);
        const char next = at_ < line_.size() ? line_[at_] : '\0';
        switch (language_) {
        case TextLanguage::Tensor:
            if (among(kTensorWords, word)) return SpanKind::Keyword;
            if (among(kTypes, word) && word != "x") return SpanKind::Type;
            return next == '(' ? SpanKind::Function : SpanKind::Plain;
        case TextLanguage::Graph:
            if (word[0] == '%') return SpanKind::Plain;
            if (word[0] == '@') return SpanKind::Function;
            if (among(kGraphWords, word)) return SpanKind::Keyword;
            if (among(kTypes, word) && word != "x") return SpanKind::Type;
            return next == '(' ? SpanKind::Function : SpanKind::Plain;
        case TextLanguage::Llvm: return llvm_word(word, next);
        case TextLanguage::Assembly: return assembly_word(word, next);
        case TextLanguage::Plain: return SpanKind::Plain;
        }
        return SpanKind::Plain;
    }

    [[nodiscard]] static SpanKind llvm_word(std::string_view word, char next) {
        if (word[0] == '%') return SpanKind::Register;
        if (word[0] == '@') return SpanKind::Function;
        if (word[0] == '!') return SpanKind::Comment;
        if (next == ':') return SpanKind::Label;
        if (among(kLlvmWords, word)) return SpanKind::Keyword;
        const bool integer = word.size() > 1 && word[0] == 'i' && std::all_of(word.begin() + 1, word.end(), digit);
        if (integer || among(kTypes, word)) return SpanKind::Type;
        return SpanKind::Plain;
    }

    [[nodiscard]] SpanKind assembly_word(std::string_view word, char next) const {
        if (next == ':') return SpanKind::Label;
        if (word[0] == '.') return word.substr(0, 2) == ".L" ? SpanKind::Label : SpanKind::Comment;
        if (first_word_) return SpanKind::Keyword;
        if (word[0] == '%' || is_register(word)) return SpanKind::Register;
        static constexpr std::string_view kSizes[] = {"byte", "dword",   "ptr",     "qword",
                                                      "word", "xmmword", "ymmword", "zmmword"};
        if (among(kSizes, word)) return SpanKind::Type;
        return SpanKind::Plain;
    }

    std::string_view line_;
    TextLanguage language_;
    std::size_t at_ = 0;
    bool first_word_ = true;
    std::vector<TextSpan> spans_;
};

} // namespace

std::vector<TextSpan> spans_of(std::string_view line, TextLanguage language) {
    if (language == TextLanguage::Plain) return {};
    return Scanner(line, language).run();
}

} // namespace orrery::views
