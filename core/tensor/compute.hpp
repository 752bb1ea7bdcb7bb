#pragma once
// Tensor expressions: how an operator says what it means. A computation is a list of stages, each defining one
// buffer; a schedule-free loop nest with one block a stage is its meaning.

#include "core/tensor/node.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace orrery::tensor {

enum class Combiner : std::uint8_t { Sum, Product, Min, Max, And, Or };
/// The value that changes nothing: 0, 1, highest, lowest, true, false.
[[nodiscard]] Expr identity(Combiner combiner, DType dtype);
[[nodiscard]] Expr combine(Combiner combiner, const Expr& a, const Expr& b);

/// Collects the stages of one operator or fused group. Variables given to the callbacks are block iterators,
/// i64, in the order of the shape. Buffers returned can be loaded from in later stages.
class ComputeBuilder {
  public:
    using Spatial = std::vector<Expr>;
    using Body = std::function<Expr(const Spatial&)>;
    using ReduceBody = std::function<Expr(const Spatial&, const Spatial&)>;

    /// out[i...] = body(i...). Example: compute("relu", F32, {n}, [&](auto& i) { return max(load(x, i), zero); })
    Buffer compute(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape, const Body& body);
    /// out[i...] = combine over k... of body(i..., k...), accumulated in `dtype`, from the combiner's identity.
    struct Reduction {
        Combiner combiner = Combiner::Sum;
        std::vector<std::int64_t> extents;
        std::vector<std::string> names = {}; ///< hints for the reduction iterators; may be empty
    };
    Buffer reduce(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape,
                  const Reduction& reduction, const ReduceBody& body);
    /// A stage whose meaning is a statement over whole buffers (a sort, a scan). `body` stores into the buffer it is
    /// given; it becomes one block without iterators, which schedules leave alone. Several outputs are allowed.
    std::vector<Buffer> statement(const std::string& name, const std::vector<Buffer>& outputs, const Stmt& body);

    /// A whole program as a stage: `inputs` stand for its inputs, new buffers for its outputs, which are returned. Its
    /// statements keep their origins. Pre: inputs of its types; one program once a builder.
    std::vector<Buffer> splice(const Program& program, const std::vector<Buffer>& inputs);

    /// Name hints for the spatial iterators of the next stage ("n", "c", "h", "w"), used once. A stage without hints
    /// takes those of the latest stage of its shape: what follows a convolution is about n, c, h, w, too.
    ComputeBuilder& axes(std::vector<std::string> names);
    /// Origin of the stages added from here on.
    ComputeBuilder& origin(OriginSet origin);

    /// The program: inputs, then outputs (each must be a stage's buffer or, for an identity, is copied), with all
    /// other stage buffers allocated at the top. Block names are made unique.
    [[nodiscard]] Program program(const std::string& name, const std::vector<Buffer>& inputs,
                                  const std::vector<Buffer>& outputs, OriginSet origin = {}) const;

  private:
    Buffer add_stage(Buffer buffer, Stmt nest);
    std::vector<std::string> take_axes(const std::vector<std::int64_t>& shape);
    struct Stage {
        std::vector<Buffer> buffers;
        Stmt nest;
    };
    std::vector<Stage> stages_;
    std::vector<std::string> axis_names_;
    std::map<std::vector<std::int64_t>, std::vector<std::string>> names_by_shape_;
    OriginSet origin_;
};

/// The regions a statement reads and writes, as the least boxes in terms of `iters` (whole buffers where an index
/// is not affine). Loads of buffers allocated inside are left out. A guarded access counts as if always made, so a
/// box may reach past the buffer's shape. What is both read and written (an accumulator) is in both lists.
struct Accesses {
    std::vector<Region> reads, writes;
};
[[nodiscard]] Accesses find_accesses(const Stmt& stmt, const std::vector<BlockIter>& iters);

} // namespace orrery::tensor
