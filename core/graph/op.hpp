#pragma once
// The operator registry: what operators there are, what they take, what type they give.

#include "core/base/result.hpp"
#include "core/graph/attrs.hpp"
#include "core/graph/node.hpp"
#include "core/graph/type.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orrery::ops {
struct TensorRule; // the operator's meaning as tensor expressions; completed in core/ops
}

namespace orrery::graph {

/// How an operator may be fused with its neighbours.
enum class FusionKind : std::uint8_t {
    Elementwise, ///< out[i] from in[i] of equal shapes
    Broadcast,   ///< out[i] from in[j] with j a projection of i
    Injective,   ///< out[i] from one element of each input: reshape, transpose, slice, concat
    Reduction,   ///< sums up to a small output: softmax's parts, pooling over everything
    OutFusable,  ///< a reduction whose output may be followed by elementwise work: conv, matmul, pooling
    Opaque,      ///< fused with nothing
};
[[nodiscard]] std::string_view to_string(FusionKind kind);

enum class AttrKind : std::uint8_t { Bool, Int, Float, Text, DType, Ints, Floats, Texts };

struct AttrSpec {
    std::string name;
    AttrKind kind = AttrKind::Int;
    bool required = false;
    std::string doc; ///< meaning, range, default when left out
};

struct OperandSpec {
    std::string name;
    std::string doc; ///< shape and element types
    bool optional = false;
    bool variadic = false; ///< only the last
};

/// What a type relation is given. `types[i]` is null for a missing optional operand.
struct TypeRequest {
    std::span<const Type> types;
    const Attrs& attrs;
};
/// Errors: BadShape, BadType, BadAttribute, worded without the node (the caller adds it).
using TypeRelation = Result<Type> (*)(const TypeRequest&);
/// The value of a call that follows from its operands' types alone. Pre: the types are static and the relation holds.
using TypeValue = NDArray (*)(const TypeRequest&);

/// One operator. Shapes, attributes and errors are in its documentation.
class Op {
  public:
    std::string name; ///< "conv2d", "add": lower snake case
    std::string doc;  ///< first sentence: what the result is
    std::vector<OperandSpec> operands;
    std::vector<AttrSpec> attrs;
    FusionKind fusion = FusionKind::Opaque;
    TypeRelation infer = nullptr;
    TypeValue value_of_types = nullptr;    ///< of operators like shape_of; null for all others
    std::vector<std::string> onnx_names;   ///< ONNX operators it serves
    const ops::TensorRule* rule = nullptr; ///< owned by core/ops
    bool random = false;                   ///< never folded, never merged
    /// A call carries attributes beyond `attrs`: those of a node of a model that waits for shapes or values.
    bool open = false;
};

/// All operators, by name; filled once by `ops::registry()`.
class OpRegistry {
  public:
    /// Pre: the name is new.
    const Op& add(Op op);
    [[nodiscard]] const Op* find(std::string_view name) const;
    /// In order of name.
    [[nodiscard]] std::vector<const Op*> all() const;

  private:
    std::unordered_map<std::string, std::unique_ptr<const Op>> ops_;
};

/// Checks operands and attributes against the op's schema, then applies the type relation. Where the relation does not
/// understand symbolic extents itself, it is tried on values for them (symbols.hpp).
/// Errors: BadAttribute, BadShape, BadType.
[[nodiscard]] Result<Type> infer_call(const Op& op, std::span<const Type> types, const Attrs& attrs);
/// Of any expression, from its operands' types. Functions take arguments that their parameters' types accept; branches
/// may give types that differ in extents, which are then `?`, and a loop carries what its body's parameters accept.
[[nodiscard]] Result<Type> infer_expr(const Expr& expr);

} // namespace orrery::graph
