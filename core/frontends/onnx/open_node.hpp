#pragma once
// The reader that converters are given for a node whose attributes are those of an open call.

#include "core/frontends/onnx/converter.hpp"
#include "core/graph/known_values.hpp"
#include "core/ops/open.hpp"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace orrery::onnx {

class OpenNode final : public NodeReader {
  public:
    /// What the node's conversion works with; all of it outlives the reader.
    struct Place {
        graph::FunctionBuilder& builder;
        graph::KnownValues& known;
        std::string name;
        OriginSet origin;
        /// The value of an input, in no more than that many bytes; `known` is asked when this is empty.
        std::function<std::optional<NDArray>(std::size_t input, std::int64_t max_bytes)> value = {};
    };
    /// Pre: the attributes hold an open call.
    OpenNode(const graph::Attrs& attrs, std::vector<graph::Var> args, Place place);

    /// The first wrong attribute that was read, if any.
    [[nodiscard]] const std::optional<Diagnostic>& error() const { return error_; }
    /// Inputs whose values were asked for, and those of them that had none.
    [[nodiscard]] const std::set<std::size_t>& asked() const { return asked_; }
    [[nodiscard]] bool missed_value() const { return missed_; }
    /// Whether the types of inputs were looked at.
    [[nodiscard]] bool looked_at_types() const { return looked_; }

    [[nodiscard]] std::string_view op_type() const override { return call_.node; }
    [[nodiscard]] int opset() const override { return call_.opset; }
    [[nodiscard]] std::size_t input_count() const override { return args_.size(); }
    [[nodiscard]] std::size_t output_count() const override { return call_.outputs.size(); }
    [[nodiscard]] bool has_output(std::size_t i) const override { return i < call_.outputs.size() && call_.outputs[i]; }
    [[nodiscard]] graph::Var input(std::size_t i) const override { return i < args_.size() ? args_[i] : graph::Var(); }

    [[nodiscard]] bool has_attr(std::string_view name) const override { return attrs_.has(name); }
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback) override;
    [[nodiscard]] double number(std::string_view name, double fallback) override;
    [[nodiscard]] std::string text(std::string_view name, std::string fallback) override;
    [[nodiscard]] graph::Ints ints(std::string_view name, graph::Ints fallback) override;
    [[nodiscard]] graph::Floats floats(std::string_view name, graph::Floats fallback) override;
    [[nodiscard]] graph::Strings texts(std::string_view name, graph::Strings fallback) override;
    [[nodiscard]] std::optional<NDArray> tensor(std::string_view name) override;
    [[nodiscard]] Result<DType> dtype(std::string_view name, DType fallback) override;

    [[nodiscard]] std::optional<NDArray> constant(std::size_t i) override;
    [[nodiscard]] Result<NDArray> required_constant(std::size_t i, std::string_view what) override;
    [[nodiscard]] Result<graph::TensorType> type(std::size_t i) const override;
    [[nodiscard]] std::int64_t place() const override;
    /// There are no sequences once a model is imported.
    [[nodiscard]] std::optional<std::vector<graph::Var>> sequence(std::size_t) const override { return std::nullopt; }
    [[nodiscard]] graph::Var sequence_var(std::vector<graph::Var>) override { return nullptr; }
    [[nodiscard]] graph::Var no_element() override { return nullptr; }
    [[nodiscard]] Result<graph::Var> call(std::string_view op, std::vector<graph::Var> args,
                                          graph::Attrs attrs = {}) override;
    [[nodiscard]] graph::Var constant_var(NDArray value) override;
    [[nodiscard]] graph::Var project(const graph::Var& tuple, std::size_t index) override;

  private:
    template <class T> const T* typed(std::string_view name);
    graph::Var noted(const graph::Var& var);
    std::optional<NDArray> value_of(std::size_t i, std::int64_t max_bytes);

    graph::Attrs attrs_;
    ops::OpenCall call_;
    std::vector<graph::Var> args_;
    Place place_;
    std::optional<Diagnostic> error_;
    std::set<std::size_t> asked_;
    bool missed_ = false;
    mutable bool looked_ = false;
};

/// A small array as attributes that print: values, element type and shape, under names that start with `name`.
void put_array(graph::Attrs::Map& map, const std::string& name, const NDArray& value);
[[nodiscard]] std::optional<NDArray> get_array(const graph::Attrs& attrs, std::string_view name);
/// The most elements an array has in attributes. Source: our choice, so that the text form stays readable.
inline constexpr std::int64_t kMaxAttributeElements = 64;

/// What is known of an open call's result while the values that it waits for are not: the types with the ranks, and
/// which operands' values it waits for. Errors: UnsupportedFeature when even the rank depends on values.
struct OpenShape {
    std::vector<graph::Type> results; ///< one for each output the node lists
    graph::Ints values;
};
[[nodiscard]] Result<OpenShape> open_shape(NodeReader& node);

} // namespace orrery::onnx
