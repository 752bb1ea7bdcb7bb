#pragma once
// Extern calls of a program against what the functions they name want (core/runtime/externs.hpp).

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace orrery::tensor {

/// What one operand of a call is to the function: dimensions in front of the declared ones have extent 1 and are
/// left out.
struct ExternBox {
    std::string name;
    DType dtype{};
    std::vector<Expr> extent;
    AccessMode mode = AccessMode::Read;
};
/// Errors: UnknownName for a function that is not registered in this process; BadArgument for operands that do not fit
/// it. Both name the symbol and say what it takes.
[[nodiscard]] Result<void> check_extern(const std::string& symbol, std::span<const ExternBox> boxes,
                                        std::size_t numbers);
/// Every call of the program, with its block as the place. The verifier leaves this to whoever runs or compiles.
[[nodiscard]] Result<void> check_externs(const Program& program);
[[nodiscard]] bool has_extern_call(const Stmt& stmt);

} // namespace orrery::tensor
