#include "vta-sim/program.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>

namespace orrery::vta {
namespace {

using Json = nlohmann::ordered_json;

// Layout, little-endian: magic[8], u32 version, u32 metadata bytes, metadata (JSON), u64 instruction count,
// instructions (two u64 each), origins as runs (u64 run count, then u32 origin and u32 length each),
// u64 image bytes, u64 segment count, segments (u64 address, u64 length, data).
constexpr char kMagic[8] = {'O', 'R', 'V', 'T', 'A', 'P', 'R', 'G'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPage = 4096;

class Writer {
  public:
    template <class T> void number(T value) {
        for (std::size_t i = 0; i < sizeof(T); ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    void raw(const void* data, std::size_t size) {
        const auto* first = static_cast<const std::uint8_t*>(data);
        bytes_.insert(bytes_.end(), first, first + size);
    }
    std::vector<std::uint8_t> take() { return std::move(bytes_); }

  private:
    std::vector<std::uint8_t> bytes_;
};

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
    template <class T> T number() {
        T value = 0;
        const std::span<const std::uint8_t> part = raw(sizeof(T));
        for (std::size_t i = 0; i < part.size(); ++i) value |= static_cast<T>(T{part[i]} << (8 * i));
        return value;
    }
    /// The next `size` bytes; empty, and the reader fails for good, when there are fewer.
    std::span<const std::uint8_t> raw(std::uint64_t size) {
        if (size > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        const auto part = rest_.first(static_cast<std::size_t>(size));
        rest_ = rest_.subspan(static_cast<std::size_t>(size));
        return part;
    }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::uint64_t left() const { return rest_.size(); }

  private:
    std::span<const std::uint8_t> rest_;
    bool failed_ = false;
};

Error truncated() { return {ErrorCode::BadFile, "the file ends too early", {}}; }

std::string metadata(const Program& program) {
    Json json;
    json["config"] = Json::parse(to_json(program.config));
    json["origins"] = program.origin_names;
    json["buffers"] = Json::array();
    for (const DramBuffer& buffer : program.buffers) {
        json["buffers"].push_back({{"name", buffer.name},
                                   {"kind", static_cast<int>(buffer.kind)},
                                   {"address", buffer.address},
                                   {"bytes", buffer.bytes}});
    }
    return json.dump();
}

Status read_buffers(const Json& list, Program& program) {
    const Error bad{ErrorCode::BadFile, "a buffer of the metadata is malformed", "buffers"};
    for (const Json& item : list) {
        if (!item.is_object() || !item.contains("name") || !item["name"].is_string()) return bad;
        for (const char* key : {"kind", "address", "bytes"}) {
            if (!item.contains(key) || !item[key].is_number_unsigned()) return bad;
        }
        const auto kind = item["kind"].get<std::uint64_t>();
        if (kind > static_cast<std::uint64_t>(BufferKind::Acc8)) return bad;
        program.buffers.push_back({item["name"].get<std::string>(), static_cast<BufferKind>(kind),
                                   item["address"].get<std::uint64_t>(), item["bytes"].get<std::uint64_t>()});
    }
    return Done{};
}

Status read_metadata(std::span<const std::uint8_t> text, Program& program) {
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (json.is_discarded() || !json.is_object() || !json.contains("config") || !json.contains("origins") ||
        !json.contains("buffers") || !json["origins"].is_array() || !json["buffers"].is_array()) {
        return Error{ErrorCode::BadFile, "the metadata is malformed", {}};
    }
    Result<Config> config = config_from_json(json["config"].dump());
    if (!config) return config.error();
    program.config = *config;
    for (const Json& name : json["origins"]) {
        if (!name.is_string()) return Error{ErrorCode::BadFile, "an origin name is no string", "origins"};
        program.origin_names.push_back(name.get<std::string>());
    }
    return read_buffers(json["buffers"], program);
}

Status read_instructions(Reader& in, Program& program) {
    const auto count = in.number<std::uint64_t>();
    if (count > in.left() / 16) return truncated();
    const Codec codec(program.config);
    program.instructions.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        Encoded bits;
        bits.word0 = in.number<std::uint64_t>();
        bits.word1 = in.number<std::uint64_t>();
        Result<Instruction> decoded = codec.decode(bits);
        if (!decoded) {
            Error error = decoded.error();
            error.where = "instruction " + std::to_string(i) + ", " + error.where;
            return error;
        }
        program.instructions.push_back(*decoded);
    }
    const auto runs = in.number<std::uint64_t>();
    if (runs > in.left() / 8) return truncated();
    for (std::uint64_t i = 0; i < runs; ++i) {
        const auto origin = in.number<std::uint32_t>();
        const auto length = in.number<std::uint32_t>();
        if (length > count - program.origins.size())
            return Error{ErrorCode::BadFile, "more origins than instructions", {}};
        program.origins.insert(program.origins.end(), length, origin);
    }
    return Done{};
}

Status read_image(Reader& in, Program& program, std::uint64_t max_dram_bytes) {
    const auto size = in.number<std::uint64_t>();
    const auto segments = in.number<std::uint64_t>();
    if (in.failed()) return truncated();
    if (size > max_dram_bytes) return Error{ErrorCode::BadFile, "the DRAM image is larger than allowed", {}};
    program.dram.resize(static_cast<std::size_t>(size));
    for (std::uint64_t i = 0; i < segments; ++i) {
        const auto address = in.number<std::uint64_t>();
        const auto length = in.number<std::uint64_t>();
        const auto data = in.raw(length);
        if (in.failed()) return truncated();
        if (address > size || length > size - address) {
            return Error{ErrorCode::BadFile, "a DRAM segment leaves the image", "segment " + std::to_string(i)};
        }
        std::copy(data.begin(), data.end(), program.dram.begin() + static_cast<std::ptrdiff_t>(address));
    }
    return Done{};
}

void write_image(Writer& out, const std::vector<std::uint8_t>& dram) {
    std::vector<std::pair<std::size_t, std::size_t>> segments;
    for (std::size_t page = 0; page < dram.size(); page += kPage) {
        const std::size_t end = std::min(page + kPage, dram.size());
        const bool zero =
            std::all_of(dram.begin() + static_cast<std::ptrdiff_t>(page),
                        dram.begin() + static_cast<std::ptrdiff_t>(end), [](std::uint8_t b) { return b == 0; });
        if (zero) continue;
        if (!segments.empty() && segments.back().second == page) {
            segments.back().second = end;
        } else {
            segments.emplace_back(page, end);
        }
    }
    out.number<std::uint64_t>(dram.size());
    out.number<std::uint64_t>(segments.size());
    for (const auto& [begin, end] : segments) {
        out.number<std::uint64_t>(begin);
        out.number<std::uint64_t>(end - begin);
        out.raw(dram.data() + begin, end - begin);
    }
}

void write_origins(Writer& out, const std::vector<std::uint32_t>& origins) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;
    for (const std::uint32_t origin : origins) {
        if (!runs.empty() && runs.back().first == origin && runs.back().second < 0xffffffffU) {
            ++runs.back().second;
        } else {
            runs.emplace_back(origin, 1);
        }
    }
    out.number<std::uint64_t>(runs.size());
    for (const auto& [origin, length] : runs) {
        out.number(origin);
        out.number(length);
    }
}

} // namespace

Result<std::vector<std::uint8_t>> to_bytes(const Program& program) {
    Writer out;
    out.raw(kMagic, sizeof kMagic);
    out.number(kVersion);
    const std::string meta = metadata(program);
    out.number(static_cast<std::uint32_t>(meta.size()));
    out.raw(meta.data(), meta.size());
    out.number<std::uint64_t>(program.instructions.size());
    const Codec codec(program.config);
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        Result<Encoded> bits = codec.encode(program.instructions[i]);
        if (!bits) {
            Error error = bits.error();
            error.where = "instruction " + std::to_string(i) + ", " + error.where;
            return error;
        }
        out.number(bits->word0);
        out.number(bits->word1);
    }
    write_origins(out, program.origins);
    write_image(out, program.dram);
    return out.take();
}

Result<Program> program_from_bytes(std::span<const std::uint8_t> bytes, std::uint64_t max_dram_bytes) {
    Reader in(bytes);
    const auto magic = in.raw(sizeof kMagic);
    if (in.failed() || std::memcmp(magic.data(), kMagic, sizeof kMagic) != 0) {
        return Error{ErrorCode::BadFile, "not a program file", "magic"};
    }
    if (in.number<std::uint32_t>() != kVersion)
        return Error{ErrorCode::BadFile, "another version of the format", "version"};
    const auto meta = in.raw(in.number<std::uint32_t>());
    if (in.failed()) return truncated();
    Program program;
    const Status described = read_metadata(meta, program);
    if (!described) return described.error();
    const Status instructions = read_instructions(in, program);
    if (!instructions) return instructions.error();
    const Status image = read_image(in, program, max_dram_bytes);
    if (!image) return image.error();
    if (in.failed()) return truncated();
    return program;
}

Status write_program(const Program& program, const std::string& path) {
    Result<std::vector<std::uint8_t>> bytes = to_bytes(program);
    if (!bytes) return bytes.error();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    file.close();
    if (!file) return Error{ErrorCode::BadFile, "cannot write the file", path};
    return Done{};
}

Result<Program> read_program(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{ErrorCode::BadFile, "cannot open the file", path};
    const std::vector<std::uint8_t> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return program_from_bytes(bytes);
}

} // namespace orrery::vta
