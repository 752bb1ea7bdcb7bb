#include "core/frontends/onnx/reader_wire.hpp"

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <utility>

namespace orrery::onnx {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// What protobuf's objects take, in bytes, rounded up (sizeof of the generated classes of onnx 1.12 on x86-64: up to 300
// for a TensorProto, 32 for a string and its slot, 16 for an unknown field).
constexpr std::uint64_t kMessageCost = 320, kStringCost = 64, kScalarCost = 16;
constexpr std::uint64_t kBaseBudget = std::uint64_t{256} << 20; // our choice: a model of about a million nodes
constexpr int kMaxDepth = 100;                                  // protobuf's own limit of nested messages

class Walker {
  public:
    Walker(std::span<const std::byte> bytes, std::string path)
        : bytes_(bytes), path_(std::move(path)), budget_(kBaseBudget + 2 * bytes.size()) {}

    Result<void> message(const Descriptor* type, std::size_t end, int depth) {
        if (depth > kMaxDepth) return malformed("messages nest deeper than " + std::to_string(kMaxDepth));
        while (at_ < end) {
            const std::size_t start = at_;
            std::uint64_t tag = 0;
            if (!varint(tag, end) || tag >> 32 || tag >> 3 == 0) return malformed("a field's tag is broken", start);
            const FieldDescriptor* field = type ? type->FindFieldByNumber(static_cast<int>(tag >> 3)) : nullptr;
            ORRERY_CHECK_OK(value(static_cast<int>(tag & 7), field, end, depth));
            if (spent_ > budget_)
                return Diagnostic{Code::LimitExceeded,
                                  "the file describes so many parts that reading it would take more than " +
                                      std::to_string(budget_ >> 20) + " MiB",
                                  {FileOffset{path_, static_cast<std::int64_t>(at_)}},
                                  {}};
        }
        return {};
    }

  private:
    Diagnostic malformed(std::string what, std::size_t where) const {
        return {Code::MalformedModel,
                "not an ONNX model: " + std::move(what),
                {FileOffset{path_, static_cast<std::int64_t>(where)}},
                "the file may be cut short or damaged"};
    }
    Diagnostic malformed(std::string what) const { return malformed(std::move(what), at_); }

    bool varint(std::uint64_t& out, std::size_t end) {
        out = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            if (at_ == end) return false;
            const auto byte = static_cast<std::uint64_t>(bytes_[at_++]);
            if (shift < 64) out |= (byte & 127) << shift;
            if (byte < 128) return true;
        }
        return false;
    }

    Result<void> skip(std::size_t size, std::size_t end) {
        if (size > end - at_) return malformed("a field reaches past the end");
        at_ += size;
        spent_ += kScalarCost;
        return {};
    }

    Result<void> value(int wire_type, const FieldDescriptor* field, std::size_t end, int depth) {
        std::uint64_t number = 0;
        switch (wire_type) {
        case 0:
            if (!varint(number, end)) return malformed("a number does not end");
            spent_ += kScalarCost;
            return {};
        case 1: return skip(8, end);
        case 5: return skip(4, end);
        case 2: break;
        default: return malformed("wire type " + std::to_string(wire_type) + " is not used by ONNX");
        }
        const std::size_t start = at_;
        if (!varint(number, end) || number > end - at_) return malformed("a field reaches past the end", start);
        const auto size = static_cast<std::size_t>(number);
        if (field && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
            spent_ += kMessageCost;
            return message(field->message_type(), at_ + size, depth + 1);
        }
        at_ += size;
        const bool packed_varints = field && field->cpp_type() != FieldDescriptor::CPPTYPE_STRING &&
                                    field->cpp_type() != FieldDescriptor::CPPTYPE_FLOAT &&
                                    field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE;
        spent_ += packed_varints ? kStringCost + 8 * number : kStringCost + number;
        return {};
    }

    std::span<const std::byte> bytes_;
    std::string path_;
    std::size_t at_ = 0;
    std::uint64_t spent_ = 0, budget_;
};

// Field numbers of onnx.proto.
constexpr std::uint64_t kModelGraph = 7, kGraphInitializer = 5, kTensorRawData = 9;

/// One field of a message.
struct Field {
    std::uint64_t number = 0;
    std::size_t begin = 0; ///< of its tag
    std::size_t payload = 0, end = 0;
    bool sized = false; ///< its payload has a length before it
};

/// Goes over the fields of messages that are known to be sound.
class Stripper {
  public:
    Stripper(std::span<const std::byte> bytes, std::size_t least) : bytes_(bytes), least_(least) {}

    StrippedModel run() {
        const std::size_t size = bytes_.size();
        copy_but(0, size, kModelGraph, out_.bytes, [this](const Field& graph, std::string& out) {
            copy_but(graph.payload, graph.end, kGraphInitializer, out, [this](const Field& tensor, std::string& inner) {
                this->tensor(tensor, inner);
                ++initializer_;
            });
        });
        return std::move(out_);
    }

  private:
    std::uint64_t varint(std::size_t& at) const {
        std::uint64_t out = 0;
        for (int shift = 0;; shift += 7) {
            const auto byte = static_cast<std::uint64_t>(bytes_[at++]);
            if (shift < 64) out |= (byte & 127) << shift;
            if (byte < 128) return out;
        }
    }
    static void put_varint(std::string& out, std::uint64_t value) {
        for (; value >= 128; value >>= 7) out += static_cast<char>(value | 128);
        out += static_cast<char>(value);
    }
    Field field(std::size_t at) const {
        Field out;
        out.begin = at;
        const std::uint64_t tag = varint(at);
        out.number = tag >> 3;
        switch (tag & 7) {
        case 0: static_cast<void>(varint(at)); break;
        case 1: at += 8; break;
        case 5: at += 4; break;
        default: {
            const std::uint64_t size = varint(at);
            out.sized = true;
            out.payload = at;
            at += static_cast<std::size_t>(size);
        }
        }
        out.end = at;
        return out;
    }
    void copy(std::size_t begin, std::size_t end, std::string& out) const {
        out.append(reinterpret_cast<const char*>(bytes_.data()) + begin, end - begin);
    }
    /// The message in [begin, end), with `rewrite` writing the payload of each message field `number`.
    template <class Rewrite>
    void copy_but(std::size_t begin, std::size_t end, std::uint64_t number, std::string& out, const Rewrite& rewrite) {
        for (std::size_t at = begin; at < end;) {
            const Field f = field(at);
            at = f.end;
            if (f.number != number || !f.sized) {
                copy(f.begin, f.end, out);
                continue;
            }
            std::string inner;
            rewrite(f, inner);
            put_varint(out, number << 3 | 2);
            put_varint(out, inner.size());
            out += inner;
        }
    }
    /// Of several raw data, as no writer makes, the last counts: none is taken out then.
    void tensor(const Field& tensor, std::string& out) {
        std::vector<Field> raw;
        for (std::size_t at = tensor.payload; at < tensor.end;) {
            const Field f = field(at);
            at = f.end;
            if (f.number == kTensorRawData && f.sized) raw.push_back(f);
        }
        if (raw.size() != 1 || raw[0].end - raw[0].payload < least_) return copy(tensor.payload, tensor.end, out);
        copy(tensor.payload, raw[0].begin, out);
        copy(raw[0].end, tensor.end, out);
        out_.data.push_back({initializer_, bytes_.subspan(raw[0].payload, raw[0].end - raw[0].payload)});
    }

    std::span<const std::byte> bytes_;
    std::size_t least_;
    int initializer_ = 0;
    StrippedModel out_;
};

} // namespace

StrippedModel strip_raw_data(std::span<const std::byte> bytes, std::size_t least) {
    return Stripper(bytes, least).run();
}

Result<void> check_wire(std::span<const std::byte> bytes, const Descriptor& root, const std::string& path) {
    return Walker(bytes, path).message(&root, bytes.size(), 0);
}

} // namespace orrery::onnx
