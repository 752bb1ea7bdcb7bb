#include "core/schedule/catalog.hpp"

#include <algorithm>
#include <iterator>

namespace orrery::schedule {

using tensor::Scope;

template <class T> T Args::get(std::size_t i, const char* what) {
    if (i < step_.args.size())
        if (const T* value = std::get_if<T>(&step_.args[i])) return *value;
    wrong("operand " + std::to_string(i + 1) + " is " + what);
    return {};
}

void Args::wrong(const std::string& what) {
    if (error_) return;
    const PrimitiveInfo* info = find_primitive(step_.primitive);
    error_ = Diagnostic{Code::BadArgument,
                        step_.primitive + ": " + what + ", in " + to_string(step_),
                        {},
                        info ? "it is written " + info->signature : std::string()};
}

Candidates this_block(const MenuPlace& menu) { return menu.on_loop() ? Candidates{} : Candidates{{menu.block}}; }
Candidates this_loop(const MenuPlace& menu) { return menu.on_loop() ? Candidates{{menu.loop}} : Candidates{}; }

std::string Args::name(std::size_t i) { return get<std::string>(i, "a name"); }
std::int64_t Args::integer(std::size_t i) { return get<std::int64_t>(i, "a number"); }
Ints Args::ints(std::size_t i) { return get<Ints>(i, "a list of numbers"); }

Names Args::names(std::size_t i) {
    // An empty list has no type of its own.
    if (i < step_.args.size())
        if (const Ints* ints = std::get_if<Ints>(&step_.args[i]); ints && ints->empty()) return {};
    return get<Names>(i, "a list of names");
}

std::string Args::text(std::size_t i) {
    if (i < step_.args.size())
        if (const auto* number = std::get_if<std::int64_t>(&step_.args[i])) return std::to_string(*number);
    return get<std::string>(i, "a text");
}

Scope Args::scope(std::size_t i) {
    const std::string text = name(i);
    if (text == "global") return Scope::Global;
    if (text == "stack") return Scope::Stack;
    if (text != "registers") wrong("operand " + std::to_string(i + 1) + " is a scope: global, stack or registers");
    return Scope::Registers;
}

Result<void> Args::done(std::size_t least, std::size_t most) {
    const std::size_t count = step_.args.size();
    if (count < least || count > most)
        wrong("it takes " + std::to_string(least) + (least == most ? "" : " to " + std::to_string(most)) + " operands");
    if (error_) return *error_;
    return {};
}

namespace {

void complete(PrimitiveInfo& info) {
    info.signature = info.name + "(";
    for (std::size_t i = 0; i < info.args.size(); ++i) {
        const ArgInfo& arg = info.args[i];
        const std::string word =
            arg.kind == ArgKind::Factors || arg.kind == ArgKind::Numbers || arg.kind == ArgKind::Loops
                ? "[" + arg.name + ", ...]"
                : arg.name;
        info.signature += (i ? ", " : "") + (arg.optional ? "[" + word + "]" : word);
    }
    info.signature += ")";
    info.doc = info.summary;
    if (!info.preconditions.empty()) info.doc += " Legal when: " + info.preconditions;
    if (!info.before.empty()) info.doc += "\nBefore:\n" + info.before + "\nAfter:\n" + info.after;
}

} // namespace

const std::vector<CatalogRow>& catalog() {
    static const std::vector<CatalogRow> rows = [] {
        std::vector<CatalogRow> out;
        for (auto family : {loop_rows, place_rows, block_rows, sample_rows}) {
            std::vector<CatalogRow> more = family();
            std::ranges::move(more, std::back_inserter(out));
        }
        std::ranges::sort(out, {}, [](const CatalogRow& row) { return row.info.name; });
        for (CatalogRow& row : out) complete(row.info);
        return out;
    }();
    return rows;
}

std::span<const PrimitiveInfo> primitives() {
    static const std::vector<PrimitiveInfo> infos = [] {
        std::vector<PrimitiveInfo> out;
        for (const CatalogRow& row : catalog()) out.push_back(row.info);
        return out;
    }();
    return infos;
}

const PrimitiveInfo* find_primitive(std::string_view name) {
    for (const PrimitiveInfo& info : primitives())
        if (info.name == name) return &info;
    return nullptr;
}

} // namespace orrery::schedule
