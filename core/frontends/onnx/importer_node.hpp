#pragma once
// The reader that converters are given: one node of the model, its attributes and what its inputs are.

#include "core/frontends/onnx/importer.hpp"

#include <optional>

namespace orrery::onnx {

class ImportedNode final : public NodeReader {
  public:
    ImportedNode(Importer& importer, const NodePlace& place, const Scope& scope, std::vector<graph::Var> inputs)
        : importer_(importer), place_(place), scope_(scope), inputs_(std::move(inputs)) {}

    /// The first wrong attribute that was read, if any.
    [[nodiscard]] const std::optional<Diagnostic>& error() const { return error_; }
    /// Whether a value that depends on data was asked for.
    [[nodiscard]] bool waits_for_data() const { return waits_; }
    /// The attributes as an open call carries them. Errors: UnsupportedFeature when one is a graph, a large tensor or
    /// of another kind that has no text.
    [[nodiscard]] Result<graph::Attrs> open_attrs();

    [[nodiscard]] std::string_view op_type() const override { return place_.proto->op_type(); }
    [[nodiscard]] int opset() const override { return scope_.opset(domain_of(*place_.proto)); }
    [[nodiscard]] std::size_t input_count() const override { return inputs_.size(); }
    [[nodiscard]] std::size_t output_count() const override {
        return static_cast<std::size_t>(place_.proto->output_size());
    }
    [[nodiscard]] bool has_output(std::size_t i) const override {
        return i < output_count() && !place_.proto->output(static_cast<int>(i)).empty();
    }
    [[nodiscard]] graph::Var input(std::size_t i) const override {
        return i < inputs_.size() ? inputs_[i] : graph::Var();
    }

    [[nodiscard]] bool has_attr(std::string_view name) const override { return find(name) != nullptr; }
    [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback) override;
    [[nodiscard]] double number(std::string_view name, double fallback) override;
    [[nodiscard]] std::string text(std::string_view name, std::string fallback) override;
    [[nodiscard]] graph::Ints ints(std::string_view name, graph::Ints fallback) override;
    [[nodiscard]] graph::Floats floats(std::string_view name, graph::Floats fallback) override;
    [[nodiscard]] graph::Strings texts(std::string_view name, graph::Strings fallback) override;
    [[nodiscard]] std::optional<NDArray> tensor(std::string_view name) override;
    [[nodiscard]] Result<DType> dtype(std::string_view name, DType fallback) override;
    /// A graph attribute, or null.
    [[nodiscard]] const ::onnx::GraphProto* graph(std::string_view name) const;

    [[nodiscard]] std::optional<NDArray> constant(std::size_t i) override;
    [[nodiscard]] Result<NDArray> required_constant(std::size_t i, std::string_view what) override;
    [[nodiscard]] Result<graph::TensorType> type(std::size_t i) const override;
    [[nodiscard]] std::int64_t place() const override { return static_cast<std::int64_t>(place_.source); }
    [[nodiscard]] std::optional<std::vector<graph::Var>> sequence(std::size_t i) const override;
    [[nodiscard]] graph::Var sequence_var(std::vector<graph::Var> elements) override;
    [[nodiscard]] graph::Var no_element() override { return importer_.no_element(); }
    [[nodiscard]] Result<graph::Var> call(std::string_view op, std::vector<graph::Var> args,
                                          graph::Attrs attrs = {}) override;
    [[nodiscard]] graph::Var constant_var(NDArray value) override;
    [[nodiscard]] graph::Var project(const graph::Var& tuple, std::size_t index) override;

  private:
    const ::onnx::AttributeProto* find(std::string_view name) const;
    /// The attribute when it is there with that kind; another kind is recorded as the node's error.
    const ::onnx::AttributeProto* typed(std::string_view name, int kind);

    Importer& importer_;
    const NodePlace& place_;
    const Scope& scope_;
    std::vector<graph::Var> inputs_;
    std::optional<Diagnostic> error_;
    bool waits_ = false;
};

} // namespace orrery::onnx
