#pragma once
// Types of the graph IR: tensors with static or symbolic dimensions, tuples, functions.

#include "core/base/dtype.hpp"
#include "core/base/hash.hpp"
#include "core/base/ndarray.hpp"
#include "core/base/object.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace orrery::graph {

/// An extent: an integer, a symbol shared by name over a whole function, or `?`, which may be anything. What a symbol's
/// text means, and how extents computed from symbols are named: symbols.hpp.
struct Dim {
    std::int64_t value = -1; ///< -1 when symbolic
    std::string symbol;      ///< empty when static

    Dim(std::int64_t v) : value(v) {}
    static Dim named(std::string name) {
        Dim dim(-1);
        dim.symbol = std::move(name);
        return dim;
    }
    static Dim unknown() { return named("?"); }
    [[nodiscard]] bool is_static() const { return symbol.empty(); }
    [[nodiscard]] bool is_unknown() const { return symbol == "?"; }
    friend bool operator==(const Dim&, const Dim&) = default;
};

class TypeNode;
/// A shared immutable type; null only before inference.
using Type = Ref<const TypeNode>;

struct TensorType {
    DType dtype = DType::F32;
    std::vector<Dim> dims;
    friend bool operator==(const TensorType&, const TensorType&) = default;
};
struct TupleType {
    std::vector<Type> fields;
};
struct FunctionType {
    std::vector<Type> params;
    Type result;
};

class TypeNode final : public Object {
  public:
    explicit TypeNode(std::variant<TensorType, TupleType, FunctionType> v) : value(std::move(v)) {}
    const std::variant<TensorType, TupleType, FunctionType> value;
};

[[nodiscard]] Type tensor_type(DType dtype, std::vector<Dim> dims);
[[nodiscard]] Type tensor_type(DType dtype, const Shape& shape);
[[nodiscard]] Type tuple_type(std::vector<Type> fields);
[[nodiscard]] Type function_type(std::vector<Type> params, Type result);

/// Null when the type is of another kind.
[[nodiscard]] const TensorType* as_tensor(const Type& type);
[[nodiscard]] const TupleType* as_tuple(const Type& type);
[[nodiscard]] const FunctionType* as_function(const Type& type);

[[nodiscard]] bool is_static(const TensorType& type);
/// Of a tensor, or of all parts of a tuple; a function type is.
[[nodiscard]] bool fully_static(const Type& type);
/// Pre: is_static.
[[nodiscard]] Shape static_shape(const TensorType& type);
/// Of a static tensor, or a tuple of such. Units: bytes.
[[nodiscard]] std::size_t byte_size(const Type& type);

[[nodiscard]] bool equal(const Type& a, const Type& b);
/// Whether a value of type `specific` may stand where `general` is asked for: equal but for extents that `general`
/// leaves unknown.
[[nodiscard]] bool accepts(const Type& general, const Type& specific);
/// The least type that accepts both: extents that differ become `?`. Null when element types, ranks or kinds differ.
[[nodiscard]] Type join(const Type& a, const Type& b);
void hash_into(Hasher& hasher, const Type& type);
/// "f32[1,n,224]", "(f32[2], i64[])", "fn(f32[2]) -> f32[2]".
[[nodiscard]] std::string to_string(const Type& type);

} // namespace orrery::graph
