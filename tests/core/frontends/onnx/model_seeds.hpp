#pragma once
// Small ONNX models made in place.

#include <cstdint>
#include <initializer_list>
#include <onnx/onnx_pb.h>
#include <string>
#include <vector>

namespace orrery::onnx::models {

using Dims = std::vector<std::string>; ///< "3" or a symbol; "" for neither

/// Adds to one graph; names are given, nothing is checked.
class GraphMaker {
  public:
    explicit GraphMaker(::onnx::GraphProto& graph) : graph_(graph) {}
    GraphMaker& input(const std::string& name, const Dims& dims, int type = ::onnx::TensorProto::FLOAT);
    GraphMaker& output(const std::string& name);
    ::onnx::TensorProto& tensor(const std::string& name, const std::vector<std::int64_t>& dims,
                                int type = ::onnx::TensorProto::FLOAT);
    GraphMaker& floats(const std::string& name, const std::vector<std::int64_t>& dims,
                       const std::vector<float>& values);
    GraphMaker& ints(const std::string& name, const std::vector<std::int64_t>& values);
    /// The node is named "n" and its number.
    ::onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs);

  private:
    ::onnx::GraphProto& graph_;
};

void add_attr(::onnx::NodeProto& node, const std::string& name, std::int64_t value);
void add_attr(::onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values);
::onnx::GraphProto& add_graph(::onnx::NodeProto& node, const std::string& name);

/// An empty model of that opset.
::onnx::ModelProto model(int opset = 17);
/// y = Relu(x + w) over f32[2,3] with a constant w.
::onnx::ModelProto add_relu();
/// Models that between them use every part of the format: initializers of several kinds, attributes, subgraphs,
/// functions, shape arithmetic. What the mutation test and the fuzz target start from.
std::vector<::onnx::ModelProto> seeds();

} // namespace orrery::onnx::models
