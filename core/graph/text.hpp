#pragma once
// The text form of the graph IR; parse(print(m)) equals m. Grammar: docs/text-forms.md.

#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/graph/op.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orrery::graph {

/// Constants by content hash: where the text form names a large constant, its value is looked up here.
using ConstantPool = std::unordered_map<Hash, NDArray>;
[[nodiscard]] ConstantPool constants_of(const Module& module);

struct PrintedLine {
    std::string text;
    int depth = 0;
    Var var; ///< the binding's variable; null on other lines
    OriginSet origin;
};
struct PrintedModule {
    std::vector<PrintedLine> lines;
    [[nodiscard]] std::string text() const;
};

/// Constants of up to kInlineElements elements are written out, larger ones by hash.
inline constexpr int kInlineElements = 16;

[[nodiscard]] PrintedModule print_module(const Module& module);
[[nodiscard]] std::string to_string(const Module& module);
[[nodiscard]] std::string to_string(const Function& function);

/// A type alone: "f32[n,4]". Errors: BadText.
[[nodiscard]] Result<Type> parse_type(std::string_view text);
/// Errors: BadText with the place; a constant missing from the pool; operators unknown to `registry`; types that do
/// not follow. Sources are not part of the text: the module gets `sources`.
[[nodiscard]] Result<Module> parse_module(std::string_view text, const OpRegistry& registry, const ConstantPool& pool,
                                          std::shared_ptr<const std::vector<Source>> sources = nullptr);

} // namespace orrery::graph
