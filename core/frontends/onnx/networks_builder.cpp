#include "core/frontends/onnx/networks_builder.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <google/protobuf/io/coded_stream.h>

namespace orrery::onnx {

namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

using google::protobuf::io::CodedOutputStream;

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15; // splitmix64's increment: 2^64 over the golden ratio

std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

/// FNV-1a, 64 bits: enough to tell tensor names apart, and the same everywhere.
std::uint64_t name_hash(std::string_view text) {
    std::uint64_t h = 0xCBF29CE484222325;
    for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    return h;
}

float bell_value(std::uint64_t word) {
    const auto sum =
        static_cast<std::int32_t>((word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48));
    return static_cast<float>(sum - 2 * 0xFFFF);
}

float near_one_value(std::uint64_t word) {
    // 0.8 is 52429/65536 and 1.2 is 78643/65536, to the step.
    return static_cast<float>(52429 + static_cast<std::int32_t>((word >> 32) * 26215 >> 32));
}

template <class F> void fill_blocks(char* out, std::int64_t count, std::uint64_t key, F&& draw) {
    constexpr std::int64_t kBlock = 1024;
    float block[kBlock];
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
        const std::int64_t n = std::min(kBlock, count - begin);
        for (std::int64_t i = 0; i < n; ++i)
            block[i] = draw(mix(key + static_cast<std::uint64_t>(begin + i + 1) * kGolden));
        std::memcpy(out + begin * 4, block, static_cast<std::size_t>(n) * 4);
    }
}

::onnx::TensorProto tensor(::onnx::TensorProto::DataType type, const std::vector<std::int64_t>& dims) {
    ::onnx::TensorProto t;
    t.set_data_type(type);
    for (const std::int64_t d : dims) t.add_dims(d);
    return t;
}

void set_type(::onnx::ValueInfoProto& info, int type, std::span<const std::int64_t> shape) {
    auto* tensor_type = info.mutable_type()->mutable_tensor_type();
    tensor_type->set_elem_type(type);
    for (const std::int64_t d : shape) tensor_type->mutable_shape()->add_dim()->set_dim_value(d);
}

void set_attribute(::onnx::AttributeProto& out, const char* name, const AttributeValue& value) {
    out.set_name(name);
    if (const auto* i = std::get_if<std::int64_t>(&value)) {
        out.set_type(::onnx::AttributeProto::INT);
        out.set_i(*i);
    } else if (const auto* f = std::get_if<float>(&value)) {
        out.set_type(::onnx::AttributeProto::FLOAT);
        out.set_f(*f);
    } else if (const auto* s = std::get_if<std::string>(&value)) {
        out.set_type(::onnx::AttributeProto::STRING);
        out.set_s(*s);
    } else {
        out.set_type(::onnx::AttributeProto::INTS);
        for (const std::int64_t v : std::get<std::vector<std::int64_t>>(value)) out.add_ints(v);
    }
}

/// Tag and length of a length-delimited field.
std::size_t field_head_size(int field, std::uint64_t length) {
    return CodedOutputStream::VarintSize32(static_cast<std::uint32_t>(field) << 3) +
           CodedOutputStream::VarintSize64(length);
}

char* write_field_head(char* out, int field, std::uint64_t length) {
    auto* p = reinterpret_cast<std::uint8_t*>(out);
    p = CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(field) << 3 | 2, p);
    return reinterpret_cast<char*>(CodedOutputStream::WriteVarint64ToArray(length, p));
}

char* write_bytes(char* out, std::string_view bytes) {
    std::memcpy(out, bytes.data(), bytes.size());
    return out + bytes.size();
}

} // namespace

void fill_weights(char* out, std::int64_t count, std::uint64_t key, Fill fill) {
    if (fill.kind == Fill::Kind::NearOne) {
        const auto step = static_cast<float>(fill.scale / 65536);
        fill_blocks(out, count, key, [step](std::uint64_t word) { return near_one_value(word) * step; });
        return;
    }
    // Four even draws from 0..65535 have the variance (65536^2 - 1) / 3.
    const auto step = static_cast<float>(fill.scale * std::sqrt(3.0 / (65536.0 * 65536.0 - 1)));
    fill_blocks(out, count, key, [step](std::uint64_t word) { return bell_value(word) * step; });
}

NetworkBuilder::NetworkBuilder(std::string_view name, std::uint64_t seed) : seed_(seed) {
    model_.set_ir_version(8);
    model_.set_producer_name("orrery");
    model_.add_opset_import()->set_version(17);
    model_.mutable_opset_import(0)->set_domain("");
    graph_.set_name(std::string(name));
}

Value NetworkBuilder::input(const NetworkInfo& info) {
    auto* value = graph_.add_input();
    value->set_name(std::string(info.input));
    set_type(*value, info.dtype == DType::I64 ? ::onnx::TensorProto::INT64 : ::onnx::TensorProto::FLOAT, info.shape());
    return {value->name(), info.dims[1]};
}

void NetworkBuilder::output(const Value& value, const std::string& name, std::initializer_list<std::int64_t> shape) {
    for (auto& node : *graph_.mutable_node()) {
        for (auto& in : *node.mutable_input())
            if (in == value.name) in = name;
        for (auto& out : *node.mutable_output())
            if (out == value.name) out = name;
    }
    auto* info = graph_.add_output();
    info->set_name(name);
    set_type(*info, ::onnx::TensorProto::FLOAT, std::vector<std::int64_t>(shape));
}

Value NetworkBuilder::weight(const std::string& name, std::vector<std::int64_t> shape, Fill fill) {
    ::onnx::TensorProto head = tensor(::onnx::TensorProto::FLOAT, shape);
    head.set_name(name);
    Weight weight{head.SerializeAsString(), 1, mix(name_hash(name) + mix(seed_ + kGolden)), fill};
    for (const std::int64_t d : shape) weight.count *= d;
    weights_.push_back(std::move(weight));
    return {name, shape.empty() ? 0 : shape[0]};
}

Value NetworkBuilder::constant(const std::string& path, ::onnx::TensorProto value) {
    auto& added = node(path, "Constant", {});
    added.add_output(added.name() + "_output_0");
    auto* attribute = added.add_attribute();
    attribute->set_name("value");
    attribute->set_type(::onnx::AttributeProto::TENSOR);
    *attribute->mutable_t() = std::move(value);
    return {added.output(0), 0};
}

Value NetworkBuilder::scalar(const std::string& path, float value) {
    ::onnx::TensorProto t = tensor(::onnx::TensorProto::FLOAT, {});
    t.set_raw_data(&value, sizeof value);
    return constant(path, std::move(t));
}

Value NetworkBuilder::integers(const std::string& path, const std::vector<std::int64_t>& values) {
    ::onnx::TensorProto t = tensor(::onnx::TensorProto::INT64, {static_cast<std::int64_t>(values.size())});
    t.set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
    return constant(path, std::move(t));
}

::onnx::NodeProto& NetworkBuilder::node(const std::string& path, const char* type, const std::vector<Value>& inputs,
                                        Attributes attributes) {
    std::string name = path.empty() ? "" : "/" + path;
    for (char& c : name)
        if (c == '.') c = '/';
    name += std::string("/") + type;
    const int again = used_names_[name]++;
    if (again > 0) name += "_" + std::to_string(again);
    auto& added = *graph_.add_node();
    added.set_name(name);
    added.set_op_type(type);
    for (const Value& in : inputs) added.add_input(in.name);
    for (const auto& [key, value] : attributes) set_attribute(*added.add_attribute(), key, value);
    return added;
}

Value NetworkBuilder::op(const std::string& path, const char* type, const std::vector<Value>& inputs,
                         Attributes attributes) {
    auto& added = node(path, type, inputs, attributes);
    added.add_output(added.name() + "_output_0");
    return {added.output(0), inputs.empty() ? 0 : inputs[0].width};
}

Value NetworkBuilder::conv(const Value& x, const std::string& path, const ConvOptions& o) {
    const std::int64_t in = x.width / o.groups, k = o.kernel, pad = o.pad < 0 ? k / 2 : o.pad;
    const double deviation = o.gain / std::sqrt(static_cast<double>(in * k * k));
    std::vector<Value> inputs{x, weight(path + ".weight", {o.out, in, k, k}, Fill::bell(deviation))};
    if (o.bias) inputs.push_back(weight(path + ".bias", {o.out}, Fill::bell(0.05)));
    Value y = op(path, "Conv", inputs,
                 {{"dilations", std::vector<std::int64_t>{1, 1}},
                  {"group", o.groups},
                  {"kernel_shape", std::vector<std::int64_t>{k, k}},
                  {"pads", std::vector<std::int64_t>{pad, pad, pad, pad}},
                  {"strides", std::vector<std::int64_t>{o.stride, o.stride}}});
    return {y.name, o.out};
}

Value NetworkBuilder::batch_norm(const Value& x, const std::string& path, double scale) {
    const std::vector<std::int64_t> shape{x.width};
    return op(path, "BatchNormalization",
              {x, weight(path + ".weight", shape, Fill::near_one(scale)),
               weight(path + ".bias", shape, Fill::bell(0.05)), weight(path + ".running_mean", shape, Fill::bell(0.05)),
               weight(path + ".running_var", shape, Fill::near_one())},
              {{"epsilon", 1e-5f}, {"momentum", 0.9f}});
}

Value NetworkBuilder::linear(const Value& x, const std::string& path, std::int64_t out, double gain) {
    const double deviation = gain / std::sqrt(static_cast<double>(x.width));
    Value y = op(path, "Gemm",
                 {x, weight(path + ".weight", {out, x.width}, Fill::bell(deviation)),
                  weight(path + ".bias", {out}, Fill::bell(0.05))},
                 {{"alpha", 1.0f}, {"beta", 1.0f}, {"transB", std::int64_t{1}}});
    return {y.name, out};
}

Value NetworkBuilder::pool(const Value& x, const std::string& path, const char* type, const PoolOptions& o) {
    return op(path, type, {x},
              {{"ceil_mode", std::int64_t{o.ceil}},
               {"kernel_shape", std::vector<std::int64_t>{o.kernel, o.kernel}},
               {"pads", std::vector<std::int64_t>{o.pad, o.pad, o.pad, o.pad}},
               {"strides", std::vector<std::int64_t>{o.stride, o.stride}}});
}

void NetworkBuilder::softmax_output(const Value& x) {
    output(op("softmax", "Softmax", {x}, {{"axis", std::int64_t{1}}}), "probabilities", {1, x.width});
}

Value NetworkBuilder::concat(const std::vector<Value>& parts, const std::string& path) {
    Value y = op(path, "Concat", parts, {{"axis", std::int64_t{1}}});
    y.width = 0;
    for (const Value& part : parts) y.width += part.width;
    return y;
}

Value NetworkBuilder::flatten(const Value& x, const std::string& path, std::int64_t pixels) {
    return {op(path, "Flatten", {x}, {{"axis", std::int64_t{1}}}).name, x.width * pixels};
}

// The file is written by hand around the serialized small parts, so that each weight is drawn straight into
// its place: protobuf's own way would hold every weight twice.
std::string NetworkBuilder::finish() {
    using ::onnx::GraphProto, ::onnx::ModelProto, ::onnx::TensorProto;
    const std::string model = model_.SerializeAsString(), graph = graph_.SerializeAsString();
    const auto tensor_size = [](const Weight& w) {
        const auto bytes = static_cast<std::uint64_t>(w.count) * 4;
        return w.head.size() + field_head_size(TensorProto::kRawDataFieldNumber, bytes) + bytes;
    };
    std::uint64_t graph_size = graph.size();
    for (const Weight& w : weights_)
        graph_size += field_head_size(GraphProto::kInitializerFieldNumber, tensor_size(w)) + tensor_size(w);

    std::string file(model.size() + field_head_size(ModelProto::kGraphFieldNumber, graph_size) + graph_size, '\0');
    char* out = write_bytes(file.data(), model);
    out = write_field_head(out, ModelProto::kGraphFieldNumber, graph_size);
    out = write_bytes(out, graph);
    for (const Weight& w : weights_) {
        out = write_field_head(out, GraphProto::kInitializerFieldNumber, tensor_size(w));
        out = write_bytes(out, w.head);
        out = write_field_head(out, TensorProto::kRawDataFieldNumber, static_cast<std::uint64_t>(w.count) * 4);
        fill_weights(out, w.count, w.key, w.fill);
        out += w.count * 4;
    }
    ORRERY_ASSERT(out == file.data() + file.size(), "the sizes announced are the sizes written");
    return file;
}

} // namespace orrery::onnx
