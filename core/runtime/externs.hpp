#pragma once
// Functions written outside of the compiler that tensor programs call by their symbol (`call_extern`). A program says
// which boxes of its buffers a call touches and how; what a function wants is declared here beside it.

#include "core/runtime/abi.h"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::runtime {

struct ExternFunction {
    struct Box {
        std::string name;                 ///< "c"
        std::string type;                 ///< "f32"
        std::string access;               ///< "r", "w" or "rw": at least what a call has to grant
        std::vector<std::string> extents; ///< a name a dimension; equal names are equal extents
    };
    std::string symbol; ///< a C identifier: what generated code calls
    std::string doc;
    std::vector<Box> boxes;           ///< in the order of the call's access_ptr operands
    std::vector<std::string> numbers; ///< names, in the order of its numbers
    orrery_extern function = nullptr; ///< touches nothing but its boxes; called from any thread, from many at once
};

/// Makes a function known to this process for as long as it runs; those that come with the program are known already.
/// False when the symbol is no C identifier, is known, or has no function. Thread: any.
bool register_extern(ExternFunction function);
/// Null when there is none; what is found stays. Thread: any.
[[nodiscard]] const ExternFunction* find_extern(std::string_view symbol);
/// In alphabetical order. Thread: any.
[[nodiscard]] std::vector<std::string> extern_symbols();

/// c[m,n] += a[m,k] * b[k,n], f32: b is packed in panels, four rows of c at a time are kept in registers.
void gemm_f32(const orrery_view* views, const std::int64_t* numbers);

} // namespace orrery::runtime
