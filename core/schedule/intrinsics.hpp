#pragma once
// Hardware instructions a piece of a program can stand for: a description, which is a tensor program and says what the
// instruction computes, and an implementation, which says how a backend emits it. What cannot be emitted for a target
// is compiled, and always interpreted, as its description.

#include "core/base/hash.hpp"
#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::schedule {

/// One operand of an LLVM intrinsic: so many elements of a parameter of the description as a vector, or one scalar
/// that fills all lanes.
struct IntrinsicOperand {
    std::string param;
    std::string splat; ///< "i32": the scalar read and repeated; empty for a whole vector
    std::string type;  ///< "i32x16"
};

struct TensorIntrinsic {
    std::string name;  ///< "x86_vnni_u8i8_16x4"
    std::string needs; ///< processor feature, "x86:avx512vnni"; empty for none
    std::string doc;
    tensor::Program description; ///< loops around one block; its outputs are added to
    std::string llvm_name;       ///< "llvm.x86.avx512.vpdpbusd.512"; empty when LLVM emits the description
    std::vector<IntrinsicOperand> operands;
    std::string result; ///< the parameter that takes the value
    /// Instead of an LLVM intrinsic: the instruction that multiplies registers which are tiles, "tdpbf16ps". The
    /// description is c[M, N] += a[M, K] * b[K / p, N, p]; a backend takes as many tiles as that has, up to two by two.
    std::string tiles;
    /// Instead of an LLVM intrinsic: the description's parameters around one extern call, which every backend can make.
    tensor::Program implementation;
    std::string text; ///< as declared
};

/// Reads one declaration:
///   intrinsic NAME [needs FEATURE]
///   fn description(...) -> (...) { ... }
///   [c = llvm.NAME(c as i32x16, a splat i32 as i32x16, b as i32x16)]
///   [c = tiles.NAME(a, b)]
///   [call_extern("SYMBOL", access_ptr(c, "rw"), access_ptr(a, "r"), access_ptr(b, "r"))]
/// One of the last three, or none. Lines that start with # before the description document it. An operand is its whole
/// parameter, so that what the instruction reads and writes is what the description does. Errors: BadText; those of
/// tensor::check_externs.
[[nodiscard]] Result<TensorIntrinsic> parse_intrinsic(std::string_view text);
/// Makes an intrinsic known to this process, in place of one of the same name. Errors: as parse. Thread: any.
[[nodiscard]] Result<void> declare_intrinsic(std::string_view text);
/// The product of tiles of bf16 with `rows` of 32 elements by 16 or 32 columns, which is known without a declaration:
/// "x86_amx_bf16_28x32x32". Tiles have up to 16 rows; more are two of the same height.
[[nodiscard]] std::string bf16_tiles_name(std::int64_t rows, std::int64_t columns);
/// The same of tiles of u8 by tiles of i8, of 64 elements.
[[nodiscard]] std::string byte_tiles_name(std::int64_t rows, std::int64_t columns);
/// The product of four bytes, u8 by i8, added to each of so many lanes. There is one of 8 and one of 16.
[[nodiscard]] std::string byte_dots_name(std::int64_t lanes);
/// nullopt when there is none. Thread: any.
[[nodiscard]] std::optional<TensorIntrinsic> find_intrinsic(std::string_view name);
/// In alphabetical order, those that come with the program among them. Thread: any.
[[nodiscard]] std::vector<std::string> intrinsic_names();

/// Of the declarations that a program's blocks stand for, as they are known now: two programs of one structure are
/// compiled to different code when it differs. Zero when there are none. Thread: any.
[[nodiscard]] Hash intrinsics_hash(const tensor::Program& program);
/// The extern functions that the program calls, by itself or through intrinsics its blocks stand for, each once.
[[nodiscard]] std::vector<std::string> externs_of(const tensor::Program& program);

/// Where each parameter of a description lies in a block made by blockize: the element at the corner.
struct IntrinsicMatch {
    struct Place {
        tensor::Buffer buffer;
        std::vector<tensor::Expr> corner; ///< one a dimension of the buffer, in terms of the block's iterators
        /// Of a factor of tiles whose rows go through dimensions otherwise than element by element, as places through
        /// an image: how far each lies from the first, those of a tile equally far apart. Empty where rows follow each
        /// other. Units: elements.
        std::vector<std::int64_t> rows = {};
    };
    std::map<std::string, Place> params;
};
/// Errors: IllegalSchedule with what does not match, in words.
[[nodiscard]] Result<IntrinsicMatch> match_intrinsic(const tensor::Block& block, const TensorIntrinsic& intrinsic);

} // namespace orrery::schedule
