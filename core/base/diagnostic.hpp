#pragma once
// What is told to a user about a mistake or a failing environment: a value, never an exception.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace orrery {

/// Kinds of user and environment errors. Tests assert these, never wording.
enum class Code : std::uint16_t {
    // user: models
    MalformedModel,
    UnsupportedOperator,
    UnsupportedFeature,
    BadShape,
    BadAttribute,
    BadType,
    LimitExceeded,
    // user: recipes, schedules, text, options
    BadRecipe,
    IllegalSchedule,
    BadText,
    BadArgument,
    UnknownName,
    WrongNumbers,
    // environment
    FileMissing,
    FileUnreadable,
    FileUnwritable,
    NoTarget,
    NoDisplay,
    ProcessFailed,
    OutOfMemory,
    // neither
    Cancelled,
    Internal, ///< a caught InternalError, reported with the recipe
};

enum class Severity : std::uint8_t { Note, Warning, Error };

struct FileOffset {
    std::string path;
    std::int64_t offset = -1;
}; ///< offset in bytes, -1 for the whole file
struct ModelNode {
    std::string name;
    std::string op_type;
}; ///< a node of the model as its file names it
struct TextPosition {
    int line = 0;
    int column = 0;
}; ///< both from 1
struct ProgramPlace {
    std::string function;
    std::string place;
}; ///< a loop, block or buffer of a tensor program
struct PassPlace {
    std::string pass;
}; ///< a step of the recipe

using Location = std::variant<FileOffset, ModelNode, TextPosition, ProgramPlace, PassPlace>;

struct Diagnostic {
    Code code = Code::Internal;
    std::string message;             ///< what is wrong, one sentence
    std::vector<Location> locations; ///< where, most specific first
    std::string hint;                ///< what to do about it; may be empty
    Severity severity = Severity::Error;
};

/// The enumerator's name, for listings and JSON ("MalformedModel").
[[nodiscard]] const char* code_name(Code code);
/// "where" as people read it ("node conv1 (Conv)", "model.onnx at byte 120").
[[nodiscard]] std::string to_string(const Location& location);
/// The whole diagnostic on one line: message, places, hint.
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

} // namespace orrery
