#include "core/tensor/externs.hpp"

#include "core/runtime/externs.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/notation.hpp"
#include "core/tensor/visitor.hpp"

#include <map>
#include <optional>

namespace orrery::tensor {

namespace {

using runtime::ExternFunction;

/// "c: f32[m,n] rw, a: f32[m,k] r"
std::string signature(const ExternFunction& function) {
    std::string text;
    for (const ExternFunction::Box& box : function.boxes) {
        text += (text.empty() ? "" : ", ") + box.name + ": " + box.type + "[";
        for (std::size_t d = 0; d < box.extents.size(); ++d) text += (d ? "," : "") + box.extents[d];
        text += "] " + box.access;
    }
    for (const std::string& number : function.numbers) text += (text.empty() ? "" : ", ") + number;
    return text;
}

bool grants(AccessMode mode, const std::string& wanted) {
    return mode == AccessMode::ReadWrite || kAccessModes[static_cast<std::size_t>(mode)] == wanted;
}

/// What does not fit, or nothing.
std::string misfit(const ExternFunction::Box& wanted, const ExternBox& given, std::map<std::string, Expr>& extents) {
    if (wanted.type != to_string(given.dtype))
        return given.name + " is " + std::string(to_string(given.dtype)) + ", not " + wanted.type;
    if (!grants(given.mode, wanted.access))
        return given.name + " is given as \"" + std::string(kAccessModes[static_cast<std::size_t>(given.mode)]) +
               "\", but is used as \"" + wanted.access + "\"";
    if (given.extent.size() < wanted.extents.size())
        return given.name + " has rank " + std::to_string(given.extent.size()) + ", not " +
               std::to_string(wanted.extents.size());
    const std::size_t lead = given.extent.size() - wanted.extents.size();
    for (std::size_t d = 0; d < lead; ++d)
        if (as_int(given.extent[d]) != 1)
            return "dimension " + std::to_string(d) + " of " + given.name + " is one too many and not of extent 1";
    for (std::size_t d = 0; d < wanted.extents.size(); ++d) {
        const auto [known, fresh] = extents.try_emplace(wanted.extents[d], given.extent[lead + d]);
        if (fresh) continue;
        const auto before = as_int(known->second), here = as_int(given.extent[lead + d]);
        if (before && here && *before != *here)
            return wanted.extents[d] + " is " + std::to_string(*before) + " and, in " + given.name + ", " +
                   std::to_string(*here);
    }
    return {};
}

class ExternChecker final : public StmtVisitor {
  public:
    explicit ExternChecker(const ProgramNode& program) : program_(program) {}
    std::optional<Diagnostic> error;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const Block& node) override {
        const std::string outer = std::exchange(place_, "block " + node.fields.name);
        StmtVisitor::visit_node(node);
        place_ = outer;
    }
    void visit_node(const ExternCall& node) override {
        std::vector<ExternBox> boxes;
        std::size_t numbers = 0;
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.number != nullptr)
                ++numbers;
            else
                boxes.push_back(
                    {operand.region.buffer->name, operand.region.buffer->dtype, operand.region.extent, operand.mode});
        }
        const Result<void> result = check_extern(node.symbol, boxes, numbers);
        if (result || error) return;
        error = result.error();
        error->locations = {ProgramPlace{program_.name, place_}};
    }

  private:
    const ProgramNode& program_;
    std::string place_ = "body";
};

class ExternFinder final : public StmtVisitor {
  public:
    bool found = false;

  protected:
    void visit_node(const ExternCall&) override { found = true; }
};

} // namespace

Result<void> check_extern(const std::string& symbol, std::span<const ExternBox> boxes, std::size_t numbers) {
    const ExternFunction* function = runtime::find_extern(symbol);
    if (!function) {
        std::string names;
        for (const std::string& name : runtime::extern_symbols()) names += (names.empty() ? "" : ", ") + name;
        return Diagnostic{Code::UnknownName, "there is no extern function " + symbol, {}, "there are " + names};
    }
    const auto refuse = [&](const std::string& why) {
        return Diagnostic{Code::BadArgument, "call of " + symbol + ": " + why, {}, "it takes " + signature(*function)};
    };
    if (boxes.size() != function->boxes.size())
        return refuse("it is given " + std::to_string(boxes.size()) + " buffers, not " +
                      std::to_string(function->boxes.size()));
    if (numbers != function->numbers.size())
        return refuse("it is given " + std::to_string(numbers) + " numbers, not " +
                      std::to_string(function->numbers.size()));
    std::map<std::string, Expr> extents;
    for (std::size_t i = 0; i < boxes.size(); ++i)
        if (const std::string why = misfit(function->boxes[i], boxes[i], extents); !why.empty()) return refuse(why);
    return {};
}

Result<void> check_externs(const Program& program) {
    ExternChecker checker(*program);
    checker.visit(program->body);
    if (checker.error) return *std::move(checker.error);
    return {};
}

bool has_extern_call(const Stmt& stmt) {
    ExternFinder finder;
    finder.visit(stmt);
    return finder.found;
}

} // namespace orrery::tensor
