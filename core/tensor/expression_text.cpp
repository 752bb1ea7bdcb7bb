// Reading either form of typed programs: places of definitions, origins, what has to hold before they are run.

#include "core/tensor/expression_text.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/in_bounds.hpp"
#include "core/tensor/lexer.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <map>

namespace orrery::tensor {

namespace {

/// Where the text says what errors and definitions name: "block conv", "buffer x", "loop i", for each program.
class Places {
  public:
    explicit Places(std::string_view text) {
        Lexer lexer(text);
        Token before;
        for (Token token = lexer.next(); token.kind != TokenKind::End; before = token, token = lexer.next()) {
            if (token.kind == TokenKind::Word && token.text == "fn") programs_.push_back({{"", token.at}});
            if (programs_.empty()) continue;
            std::map<std::string, TextPosition>& known = programs_.back();
            std::string_view title = token.text;
            if (token.kind == TokenKind::String) title = title.substr(1, title.size() - 2);
            if (before.text == "block") known.emplace("block " + std::string(title), token.at);
            if (token.text == ":") known.emplace("buffer " + std::string(before.text), before.at);
            if (token.text == "in") known.emplace("loop " + std::string(before.text), before.at);
        }
    }
    /// The program's own place when there is none of that name.
    [[nodiscard]] TextPosition find(std::size_t program, const std::string& place) const {
        if (program >= programs_.size()) return {1, 1};
        const auto found = programs_[program].find(place);
        return found == programs_[program].end() ? programs_[program].at("") : found->second;
    }

  private:
    std::vector<std::map<std::string, TextPosition>> programs_;
};

/// Gives the error of a check a place in the text.
Diagnostic placed(Diagnostic error, const Places& places, std::size_t program) {
    TextPosition at = places.find(program, "");
    for (const Location& location : error.locations)
        if (const auto* place = std::get_if<ProgramPlace>(&location)) at = places.find(program, place->place);
    error.locations.insert(error.locations.begin(), at);
    if (error.hint.empty()) error.hint = "docs/text-forms.md says what a tensor program has to be";
    return error;
}

/// A program's blocks with origins, and with regions where they declare none.
class Prepare final : public Rewriter {
  public:
    struct Numbers {
        std::size_t program = 0, first = 0; ///< which program of the text; how many definitions stand before it
    };
    Prepare(const Places& places, Numbers numbers, TypedProgram& out)
        : places_(places), numbers_(numbers), out_(out), origin_(origin_of(0)) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const Store& node) override { return with_origin(handle(node), origin_); }
    Stmt rewrite_node(const Block& node) override {
        const OriginSet outside = origin_;
        const TextPosition at = places_.find(numbers_.program, "block " + node.fields.name);
        out_.definitions.push_back({node.fields.name, at.line});
        origin_ = origin_of(out_.definitions.size() - 1);
        Block::Fields fields = node.fields;
        if (fields.init != nullptr) fields.init = rewrite(fields.init);
        fields.body = rewrite(fields.body);
        if (fields.reads.empty() && fields.writes.empty()) {
            Accesses found = find_accesses(fields.init == nullptr ? fields.body : Seq::make({fields.init, fields.body}),
                                           fields.iters);
            fields.reads = std::move(found.reads);
            fields.writes = std::move(found.writes);
        }
        Stmt made = Block::make(std::move(fields), origin_);
        origin_ = outside;
        return made;
    }

  private:
    [[nodiscard]] OriginSet origin_of(std::size_t definition) const {
        return OriginSet(static_cast<SourceId>(numbers_.first + definition));
    }

    const Places& places_;
    const Numbers numbers_;
    TypedProgram& out_;
    OriginSet origin_; ///< the program's own, then the block's
};

Result<std::vector<TypedProgram>> parse_programs_typed(std::string_view text, const Places& places) {
    ORRERY_TRY(const std::vector<Program> programs, parse_programs(text));
    std::vector<TypedProgram> out;
    std::size_t first = 0;
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const Program& read = programs[i];
        const TextPosition start = places.find(i, "");
        if (i == kMaxTypedPrograms)
            return Diagnostic{Code::LimitExceeded, "there are too many programs", {start}, "write fewer"};
        if (read->params.size() == read->input_count)
            return Diagnostic{Code::BadShape, read->name + " has no result", {start}, "name what it writes behind ->"};
        TypedProgram typed;
        typed.definitions.push_back({read->name, start.line});
        Prepare prepare(places, {i, first}, typed);
        const Stmt body = prepare.rewrite(read->body);
        std::vector<SourceId> all;
        for (std::size_t k = 0; k < typed.definitions.size(); ++k) all.push_back(static_cast<SourceId>(first + k));
        first += typed.definitions.size();
        typed.program = make_program(read->name, read->params, read->input_count, body, OriginSet(std::move(all)));
        out.push_back(std::move(typed));
    }
    return out;
}

} // namespace

TextPosition place_in_text(std::string_view text, std::size_t index, const std::string& place) {
    return Places(text).find(index, place);
}

Result<std::vector<TypedProgram>> parse_typed(std::string_view text) {
    if (text.size() > kMaxTypedText)
        return Diagnostic{Code::LimitExceeded, "the text is larger than 1 MiB", {TextPosition{1, 1}}, "write less"};
    const Token first = Lexer(text).next();
    if (first.kind == TokenKind::End)
        return Diagnostic{Code::BadText,
                          "there is no program here",
                          {TextPosition{1, 1}},
                          "write one, as in: input x: f32[8]  y[i: 8] = 2 * x[i]"};
    std::vector<TypedProgram> out;
    const bool programs = first.kind == TokenKind::Word && first.text == "fn";
    const Places places(programs ? text : std::string_view());
    if (programs) {
        ORRERY_TRY(out, parse_programs_typed(text, places));
    } else {
        ORRERY_TRY(TypedProgram one, parse_expressions(text));
        out.push_back(std::move(one));
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        Result<void> good = verify(out[i].program);
        if (good) good = prove_in_bounds(out[i].program);
        if (good) continue;
        if (programs) return placed(std::move(good.error()), places, i);
        // A stage's block has its name; what was taken out of one has the name of the definition before its own.
        TextPosition at{out[i].definitions.back().line, 1};
        for (const Location& location : good.error().locations)
            if (const auto* place = std::get_if<ProgramPlace>(&location))
                for (const Definition& definition : out[i].definitions)
                    if (const std::string block = "block " + definition.name;
                        place->place == block || place->place.starts_with(block + "_"))
                        at.line = definition.line;
        good.error().locations.insert(good.error().locations.begin(), at);
        return std::move(good.error());
    }
    return out;
}

} // namespace orrery::tensor
