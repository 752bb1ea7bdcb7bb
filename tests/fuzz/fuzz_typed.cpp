// Typed tensor programs on any bytes: what is taken is verified; what is written back as expressions reads equal.

#include "core/tensor/analysis.hpp"
#include "core/tensor/expression_text.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace orrery::tensor;
    const auto programs = parse_typed({reinterpret_cast<const char*>(data), size});
    if (!programs) return programs.error().locations.empty() ? (std::abort(), 0) : 0;
    for (const TypedProgram& typed : *programs) {
        if (!verify(typed.program)) std::abort();
        (void)to_expressions(typed.program); // says nothing that does not read back equal
    }
    return 0;
}
