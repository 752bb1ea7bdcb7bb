#include "tests/core/frontends/onnx/mutation.hpp"

#include <google/protobuf/message.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <random>

namespace orrery::onnx::models {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Random = std::mt19937_64;

std::int64_t telling_number(Random& rng) {
    static constexpr std::int64_t kNumbers[] = {
        0, 1, -1, 2, 3, 7, 16, 255, 65536, 1 << 20, INT32_MAX, INT64_MAX, INT64_MIN, -5, std::int64_t{1} << 40};
    return rng() % 4 ? kNumbers[rng() % std::size(kNumbers)] : static_cast<std::int64_t>(rng());
}

void collect(Message& message, std::vector<Message*>& out) {
    out.push_back(&message);
    const Reflection& reflection = *message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated())
            collect(*reflection.MutableMessage(&message, field), out);
        else
            for (int i = 0; i < reflection.FieldSize(message, field); ++i)
                collect(*reflection.MutableRepeatedMessage(&message, field, i), out);
    }
}

void change_single(Message& message, const FieldDescriptor& field, Random& rng) {
    const Reflection& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
        return reflection.SetInt32(&message, &field, static_cast<std::int32_t>(telling_number(rng)));
    case FieldDescriptor::CPPTYPE_INT64: return reflection.SetInt64(&message, &field, telling_number(rng));
    case FieldDescriptor::CPPTYPE_FLOAT:
        return reflection.SetFloat(&message, &field, static_cast<float>(telling_number(rng)));
    case FieldDescriptor::CPPTYPE_STRING: {
        std::string text = reflection.GetString(message, &field);
        if (rng() % 2 || text.empty())
            text = rng() % 2 ? "x" : std::string();
        else
            text[rng() % text.size()] = static_cast<char>(rng());
        return reflection.SetString(&message, &field, text);
    }
    default: return reflection.ClearField(&message, &field);
    }
}

void change_repeated(Message& message, const FieldDescriptor& field, Random& rng) {
    const Reflection& reflection = *message.GetReflection();
    const int size = reflection.FieldSize(message, &field);
    const int at = static_cast<int>(rng() % static_cast<std::uint64_t>(size));
    switch (rng() % 3) {
    case 0: return reflection.RemoveLast(&message, &field);
    case 1: return reflection.SwapElements(&message, &field, at, size - 1);
    default: break;
    }
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT64)
        reflection.SetRepeatedInt64(&message, &field, at, telling_number(rng));
    else if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32)
        reflection.SetRepeatedInt32(&message, &field, at, static_cast<std::int32_t>(telling_number(rng)));
    else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
        reflection.SetRepeatedString(&message, &field, at, rng() % 2 ? "x" : "");
    else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        reflection.AddMessage(&message, &field)->CopyFrom(reflection.GetRepeatedMessage(message, &field, at));
}

std::string change_fields(const std::string& bytes, Random& rng) {
    ::onnx::ModelProto model;
    model.ParseFromString(bytes);
    for (std::uint64_t edits = 1 + rng() % 3; edits > 0; --edits) {
        std::vector<Message*> messages;
        collect(model, messages);
        Message& message = *messages[rng() % messages.size()];
        std::vector<const FieldDescriptor*> fields;
        message.GetReflection()->ListFields(message, &fields);
        if (fields.empty()) continue;
        const FieldDescriptor& field = *fields[rng() % fields.size()];
        if (field.is_repeated())
            change_repeated(message, field, rng);
        else
            change_single(message, field, rng);
    }
    return model.SerializeAsString();
}

std::string change_bytes(std::string bytes, Random& rng) {
    for (std::uint64_t edits = 1 + rng() % 8; edits > 0 && !bytes.empty(); --edits) {
        const std::size_t at = rng() % bytes.size();
        switch (rng() % 5) {
        case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng() % 8)); break;
        case 1: bytes[at] = static_cast<char>(rng()); break;
        case 2: bytes[at] = rng() % 2 ? '\x7f' : '\xff'; break;
        case 3: bytes.erase(at, 1 + rng() % 8); break;
        default: bytes.insert(at, bytes, rng() % bytes.size(), 1 + rng() % 16); break;
        }
    }
    return bytes;
}

} // namespace

std::string mutated(const std::vector<std::string>& originals, std::uint64_t seed) {
    Random rng(seed);
    const std::string& original = originals[rng() % originals.size()];
    switch (rng() % 8) {
    case 0: return original.substr(0, rng() % original.size());
    case 1:
    case 2:
    case 3: return change_bytes(original, rng);
    default: return change_fields(original, rng);
    }
}

} // namespace orrery::onnx::models
