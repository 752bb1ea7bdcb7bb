#pragma once
// Writes an ONNX graph the way a framework's exporter does: modules named by path, weights beside them.

#include "core/frontends/onnx/networks.hpp"

#include <initializer_list>
#include <map>
#include <onnx/onnx_pb.h>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace orrery::onnx {

/// A tensor of the graph under construction.
struct Value {
    std::string name;
    std::int64_t width = 0; ///< channels of an image, features of a vector
};

/// How the numbers of a weight are drawn.
struct Fill {
    enum class Kind { Bell, NearOne };
    Kind kind = Kind::Bell;
    double scale = 1;
    /// Around 0 with that standard deviation, bounded at 3.5 of them.
    static Fill bell(double deviation) { return {Kind::Bell, deviation}; }
    /// Evenly from 0.8 to 1.2, times `scale`.
    static Fill near_one(double scale = 1) { return {Kind::NearOne, scale}; }
};

/// Writes `count` floats, little-endian, at `out` (any alignment).
/// Element i depends on `key` and i only: w = splitmix64(key, i), a word of 64 bits. Bell: the sum of the
/// four 16-bit quarters of w, less its mean, times one float. NearOne: one of 26,215 steps of 2^-16, times
/// one float. Integers and a single rounding, so the bits agree on all machines.
/// Source: splitmix64, Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
void fill_weights(char* out, std::int64_t count, std::uint64_t key, Fill fill);

using AttributeValue = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>;
using Attributes = std::initializer_list<std::pair<const char*, AttributeValue>>;
using Inputs = std::initializer_list<Value>;

/// Gain of a layer beside a ReLU: it halves the second moment (He et al., "Delving deep into rectifiers", 2015).
inline constexpr double kReluGain = 1.4142135623730951;
/// Gain of the last layer, so that class scores spread over a few units.
inline constexpr double kScoreGain = 2.0;

struct ConvOptions {
    std::int64_t out = 0, kernel = 1, stride = 1;
    std::int64_t pad = -1; ///< on each side; -1 keeps the size at stride 1
    std::int64_t groups = 1;
    bool bias = false;
    double gain = kReluGain;
};

struct PoolOptions {
    std::int64_t kernel = 2, stride = 2, pad = 0;
    bool ceil = false; ///< the last, partial window counts
};

/// One network under construction. Paths are module paths ("layer1.0.conv1"); "" is the top.
class NetworkBuilder {
  public:
    NetworkBuilder(std::string_view name, std::uint64_t seed);

    Value input(const NetworkInfo& info);
    /// Names the result of the graph. Shape: as given, complete.
    void output(const Value& value, const std::string& name, std::initializer_list<std::int64_t> shape);

    /// An initializer; its numbers are drawn when the file is written.
    Value weight(const std::string& name, std::vector<std::int64_t> shape, Fill fill);
    /// `Constant` nodes of the module: a number of rank 0, a list of rank 1.
    Value scalar(const std::string& path, float value);
    Value integers(const std::string& path, const std::vector<std::int64_t>& values);
    /// A node of the module with no outputs yet.
    ::onnx::NodeProto& node(const std::string& path, const char* type, const std::vector<Value>& inputs,
                            Attributes attributes = {});
    /// A node with one output, as wide as its first input.
    Value op(const std::string& path, const char* type, const std::vector<Value>& inputs, Attributes attributes = {});

    Value conv(const Value& x, const std::string& path, const ConvOptions& options);
    /// Scale is drawn near `scale`: 1/2 where the module ends a residual branch.
    Value batch_norm(const Value& x, const std::string& path, double scale = 1);
    /// Gemm with bias on [N, F].
    Value linear(const Value& x, const std::string& path, std::int64_t out, double gain);
    /// Probabilities along axis 1 as the graph's result.
    void softmax_output(const Value& x);
    Value relu(const Value& x, const std::string& path) { return op(path, "Relu", {x}); }
    Value pool(const Value& x, const std::string& path, const char* type, const PoolOptions& options);
    Value concat(const std::vector<Value>& parts, const std::string& path);
    /// [N, C, H, W] to [N, C * pixels].
    Value flatten(const Value& x, const std::string& path, std::int64_t pixels);

    /// The bytes of the ModelProto. Call once.
    [[nodiscard]] std::string finish();

  private:
    Value constant(const std::string& path, ::onnx::TensorProto value);
    struct Weight {
        std::string head; ///< the TensorProto without its data, serialized
        std::int64_t count = 0;
        std::uint64_t key = 0;
        Fill fill;
    };
    ::onnx::ModelProto model_;
    ::onnx::GraphProto graph_;
    std::vector<Weight> weights_;
    std::map<std::string, int> used_names_;
    std::uint64_t seed_ = 0;
};

} // namespace orrery::onnx
