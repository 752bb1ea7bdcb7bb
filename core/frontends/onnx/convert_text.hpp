#pragma once
// Nodes that the importer puts in place of casts to and from strings: both wait for the values of their operand.

namespace orrery::onnx {

inline constexpr const char* kTextParse =
    "text.parse"; ///< numbers that strings say, of the type that the text `to` names
inline constexpr const char* kTextPrint = "text.print"; ///< strings that say numbers

} // namespace orrery::onnx
