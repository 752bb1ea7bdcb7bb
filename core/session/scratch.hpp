#pragma once
// Scratchpads: recipes whose programs are typed text instead of a model's.

#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/session/recipe.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace orrery::session {

class Compiler;

/// What stands before the text where a command line takes a model's name.
inline constexpr std::string_view kScratchWord = "scratch:";

/// The graph that calls each program of the text once (core/tensor/expression_text.hpp), a kernel each. A program's
/// inputs are the results of that name of programs above it, else the module's; its results nobody below takes are the
/// module's outputs. The sources are the text's definitions: their names, with the line as the type.
/// Errors: those of the text, with line and column; BadShape, BadType where a name has two types.
[[nodiscard]] Result<graph::Module> scratch_module(std::string_view text);

/// A recipe of that text, for this machine, without graph passes.
[[nodiscard]] Recipe scratch_recipe(const Compiler& compiler, std::string text);
/// Of a file's text. Errors: FileMissing, FileUnreadable, LimitExceeded.
[[nodiscard]] Result<Recipe> scratch_recipe(const Compiler& compiler, const std::filesystem::path& file);
/// Whether a file of that name holds tensor programs: .te or .tir.
[[nodiscard]] bool is_scratch_file(const std::filesystem::path& file);

/// What a recipe is called: its model's file name, the built-in network, the kernel of a scratchpad.
[[nodiscard]] std::string title_of(const Recipe& recipe);

} // namespace orrery::session
