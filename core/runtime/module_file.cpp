#include "core/runtime/module_file.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace orrery::runtime {

namespace {

constexpr std::array<char, 8> kMagic = {'O', 'R', 'R', 'E', 'R', 'Y', 'M', '\n'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 40;
constexpr std::size_t kAlignment = 64;

// Bounds on what is read; far above what any model needs, far below what would exhaust memory.
constexpr std::size_t kMaxCount = 1u << 20; ///< values, steps, kernels, constants
constexpr std::size_t kMaxName = 1u << 12;  ///< bytes
constexpr std::size_t kMaxRank = 64;
constexpr std::size_t kMaxArguments = 1u << 14;
constexpr std::size_t kMaxBytes = std::size_t(1) << 42;

std::size_t aligned(std::size_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

/// FNV-1a, 64 bits. Source: http://www.isthe.com/chongo/tech/comp/fnv/, offset basis and prime.
std::uint64_t fnv1a(Bytes bytes) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
    return hash;
}

class Writer {
  public:
    std::vector<std::byte> bytes;

    void raw(const void* data, std::size_t size) {
        const auto* from = static_cast<const std::byte*>(data);
        bytes.insert(bytes.end(), from, from + size);
    }
    template <class T> void number(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i)
            bytes.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
    }
    void size(std::size_t value) { number<std::uint64_t>(value); }
    void text(const std::string& value) {
        size(value.size());
        raw(value.data(), value.size());
    }
};

/// Reads in order; after the first read beyond the end or a bound, `failed` and everything reads as 0.
class Reader {
  public:
    explicit Reader(Bytes bytes) : rest_(bytes) {}
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    template <class T> T number() {
        std::uint64_t value = 0;
        if (!need(sizeof(T))) return T();
        for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<std::uint64_t>(rest_[i]) << (8 * i);
        rest_ = rest_.subspan(sizeof(T));
        return static_cast<T>(value);
    }
    /// A count of things of at least `bytes_each`, so that no more is reserved than the file could hold.
    std::size_t count(std::size_t bound, std::size_t bytes_each) {
        const auto value = number<std::uint64_t>();
        if (value > bound || value * bytes_each > rest_.size()) failed_ = true;
        return failed_ ? 0 : static_cast<std::size_t>(value);
    }
    std::size_t size() {
        const auto value = number<std::uint64_t>();
        if (value > kMaxBytes) failed_ = true;
        return failed_ ? 0 : static_cast<std::size_t>(value);
    }
    std::string text() {
        const std::size_t length = count(kMaxName, 1);
        std::string value(reinterpret_cast<const char*>(rest_.data()), failed_ ? 0 : length);
        rest_ = rest_.subspan(value.size());
        return value;
    }
    std::vector<std::uint32_t> ids(std::size_t bound) {
        std::vector<std::uint32_t> out(count(bound, 4));
        for (std::uint32_t& id : out) id = number<std::uint32_t>();
        return out;
    }

  private:
    bool need(std::size_t size) {
        if (failed_ || rest_.size() < size) failed_ = true;
        return !failed_;
    }
    Bytes rest_;
    bool failed_ = false;
};

void write_ids(Writer& out, const std::vector<std::uint32_t>& ids) {
    out.size(ids.size());
    for (std::uint32_t id : ids) out.number(id);
}

void write_plan(Writer& out, const Plan& plan) {
    out.size(plan.values.size());
    for (const Value& v : plan.values) {
        out.text(v.name);
        out.number(v.type.code);
        out.number(v.type.bits);
        out.size(v.shape.size());
        for (std::int64_t extent : v.shape) out.number(extent);
        out.size(v.bytes);
        out.number(static_cast<std::uint8_t>(v.storage));
        out.size(v.index);
        out.size(v.offset);
        out.number(v.first_step);
        out.number(v.last_step);
    }
    out.size(plan.steps.size());
    for (const Step& s : plan.steps) {
        out.text(s.name);
        out.number(s.kernel);
        write_ids(out, s.args);
        out.size(s.workspace_offset);
        out.size(s.workspace_bytes);
    }
    out.size(plan.kernels.size());
    for (const std::string& kernel : plan.kernels) out.text(kernel);
    write_ids(out, plan.inputs);
    write_ids(out, plan.outputs);
    out.size(plan.arena_bytes);
    out.size(plan.live_bytes_bound);
}

Value read_value(Reader& in) {
    Value v;
    v.name = in.text();
    v.type.code = in.number<std::uint8_t>();
    v.type.bits = in.number<std::uint8_t>();
    v.shape.resize(in.count(kMaxRank, 8));
    for (std::int64_t& extent : v.shape) extent = in.number<std::int64_t>();
    v.bytes = in.size();
    v.storage = static_cast<Storage>(in.number<std::uint8_t>());
    v.index = in.size();
    v.offset = in.size();
    v.first_step = in.number<std::int32_t>();
    v.last_step = in.number<std::int32_t>();
    return v;
}

Plan read_plan(Reader& in) {
    Plan plan;
    plan.values.resize(in.count(kMaxCount, 59)); // the least a value takes, below likewise
    for (Value& value : plan.values) value = read_value(in);
    plan.steps.resize(in.count(kMaxCount, 36));
    for (Step& s : plan.steps) {
        s.name = in.text();
        s.kernel = in.number<std::uint32_t>();
        s.args = in.ids(kMaxArguments);
        s.workspace_offset = in.size();
        s.workspace_bytes = in.size();
    }
    plan.kernels.resize(in.count(kMaxCount, 8));
    for (std::string& kernel : plan.kernels) kernel = in.text();
    plan.inputs = in.ids(kMaxCount);
    plan.outputs = in.ids(kMaxCount);
    plan.arena_bytes = in.size();
    plan.live_bytes_bound = in.size();
    return plan;
}

bool known_type(const ElementType& type) {
    const std::uint8_t bits = type.bits;
    const bool whole = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    switch (type.code) {
    case 0:
    case 1: return whole || bits == 4;
    case 2: return whole && bits != 8;
    case 4: return bits == 16;
    case 6:
    case 10:
    case 11:
    case 12:
    case 13: return bits == 8;
    default: return false;
    }
}

/// The size the shape says; nullopt when a dimension is negative or the product beyond kMaxBytes.
std::optional<std::size_t> bytes_of(const Value& value) {
    std::size_t bytes = value.type.bytes();
    for (std::int64_t extent : value.shape) {
        if (extent < 0) return std::nullopt;
        const auto factor = static_cast<std::size_t>(extent);
        if (factor != 0 && bytes > kMaxBytes / factor) return std::nullopt;
        bytes *= factor;
    }
    return bytes;
}

bool fits(std::size_t offset, std::size_t bytes, std::size_t whole) {
    return offset % kAlignment == 0 && offset <= whole && bytes <= whole - offset;
}

std::string find_value_error(const Value& value, const Plan& plan, std::span<const std::size_t> constant_bytes) {
    const std::string who = "value '" + value.name + "' ";
    if (!known_type(value.type)) return who + "has an unknown element type";
    if (bytes_of(value) != value.bytes) return who + "has a size that its shape does not say";
    switch (value.storage) {
    case Storage::Input: return value.index < plan.inputs.size() ? "" : who + "is an input that is not there";
    case Storage::Output: return value.index < plan.outputs.size() ? "" : who + "is an output that is not there";
    case Storage::Constant:
        return value.index < constant_bytes.size() && constant_bytes[value.index] >= value.bytes
                   ? ""
                   : who + "is a constant that is not there or too short";
    case Storage::Arena: return fits(value.offset, value.bytes, plan.arena_bytes) ? "" : who + "lies outside the arena";
    }
    return who + "has an unknown storage";
}

std::string find_step_error(const Step& step, const Plan& plan) {
    const std::string who = "step '" + step.name + "' ";
    if (step.kernel >= plan.kernels.size()) return who + "calls a kernel that is not there";
    for (std::uint32_t id : step.args)
        if (id >= plan.values.size()) return who + "takes a value that is not there";
    if (step.workspace_bytes != 0 && !fits(step.workspace_offset, step.workspace_bytes, plan.arena_bytes))
        return who + "has its workspace outside the arena";
    return {};
}

/// Every input and output id names a value stored as exactly that.
std::string find_interface_error(const Plan& plan) {
    const auto agree = [&plan](const std::vector<std::uint32_t>& ids, Storage storage) {
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (ids[i] >= plan.values.size()) return false;
            const Value& value = plan.values[ids[i]];
            if (value.storage != storage || value.index != i || (storage == Storage::Output && value.offset != 0))
                return false;
        }
        return true;
    };
    if (!agree(plan.inputs, Storage::Input)) return "the inputs and the values disagree";
    if (!agree(plan.outputs, Storage::Output)) return "the outputs and the values disagree";
    for (const Value& value : plan.values) { // several values may share one input, of one size, or lie in one output
        if (value.storage == Storage::Input && value.bytes != plan.values[plan.inputs[value.index]].bytes)
            return "values of input '" + value.name + "' differ in size";
        if (value.storage == Storage::Output &&
            !fits(value.offset, value.bytes, plan.values[plan.outputs[value.index]].bytes))
            return "value '" + value.name + "' lies outside its output";
    }
    return {};
}

/// The constants' places; sizes are those of the values that name them.
std::optional<std::vector<Bytes>> read_constants(Reader& in, Bytes blob, std::size_t first) {
    std::vector<Bytes> constants(in.count(kMaxCount, 16));
    std::size_t end = first;
    for (Bytes& constant : constants) {
        const std::size_t offset = in.size(), size = in.size();
        if (in.failed() || offset < end || !fits(offset, size, blob.size())) return std::nullopt;
        constant = blob.subspan(offset, size);
        end = offset + size;
    }
    return constants;
}

} // namespace

std::string find_plan_error(const Plan& plan, std::span<const std::size_t> constant_bytes) {
    for (const Value& value : plan.values)
        if (std::string error = find_value_error(value, plan, constant_bytes); !error.empty()) return error;
    for (const Step& step : plan.steps)
        if (std::string error = find_step_error(step, plan); !error.empty()) return error;
    return find_interface_error(plan);
}

std::vector<std::byte> write_module(const Plan& plan, std::span<const Bytes> constants) {
    Writer body;
    write_plan(body, plan);
    body.size(constants.size());
    std::size_t offset = aligned(kHeaderBytes + body.bytes.size() + 16 * constants.size());
    for (const Bytes& constant : constants) {
        body.size(offset);
        body.size(constant.size());
        offset = aligned(offset + constant.size());
    }
    Writer out;
    out.bytes.reserve(offset);
    out.raw(kMagic.data(), kMagic.size());
    out.number(kVersion);
    out.number<std::uint32_t>(0);
    out.size(offset);
    out.size(body.bytes.size());
    out.number(fnv1a(body.bytes));
    out.raw(body.bytes.data(), body.bytes.size());
    for (const Bytes& constant : constants) {
        out.bytes.resize(aligned(out.bytes.size()));
        out.raw(constant.data(), constant.size());
    }
    out.bytes.resize(offset);
    return std::move(out.bytes);
}

std::optional<ModuleContents> read_module(Bytes blob, std::string& error) {
    const auto refuse = [&error](std::string why) {
        error = std::move(why);
        return std::nullopt;
    };
    if (blob.size() < kHeaderBytes || std::memcmp(blob.data(), kMagic.data(), kMagic.size()) != 0)
        return refuse("not a module");
    Reader header(blob.subspan(kMagic.size(), kHeaderBytes - kMagic.size()));
    const auto version = header.number<std::uint32_t>();
    if (version != kVersion)
        return refuse("module version " + std::to_string(version) + ", this runtime reads " + std::to_string(kVersion));
    header.number<std::uint32_t>();
    const auto whole = header.number<std::uint64_t>(), plan_bytes = header.number<std::uint64_t>();
    if (whole > blob.size() || plan_bytes > blob.size() - kHeaderBytes) return refuse("the module is cut short");
    blob = blob.first(static_cast<std::size_t>(whole < kHeaderBytes + plan_bytes ? 0 : whole));
    if (blob.empty()) return refuse("the module's sizes disagree");
    const Bytes body = blob.subspan(kHeaderBytes, static_cast<std::size_t>(plan_bytes));
    if (fnv1a(body) != header.number<std::uint64_t>()) return refuse("the module's plan is damaged");
    Reader in(body);
    ModuleContents contents;
    contents.plan = read_plan(in);
    std::optional<std::vector<Bytes>> constants = read_constants(in, blob, kHeaderBytes + body.size());
    if (!constants || in.failed() || !in.at_end()) return refuse("the module's plan is malformed");
    contents.constants = std::move(*constants);
    std::vector<std::size_t> sizes;
    for (const Bytes& constant : contents.constants) sizes.push_back(constant.size());
    if (std::string why = find_plan_error(contents.plan, sizes); !why.empty()) return refuse(std::move(why));
    return contents;
}

} // namespace orrery::runtime
