#include "views/layout/wire.hpp"

#include <cstring>
#include <type_traits>

// A mark, then each array as a 64-bit count and its plain records. Both ends are the same build on
// the same machine, so the records are stored as they lie in memory.

namespace orrery::layout {
namespace {

constexpr std::uint32_t kInputMark = 0x314c524f;  // "ORL1"
constexpr std::uint32_t kResultMark = 0x324c524f; // "ORL2"
constexpr std::uint64_t kMaxRecords = 1u << 28;   // bounds what a broken file can ask for

class Writer {
  public:
    template <class T> void value(const T& v) {
        static_assert(std::is_trivially_copyable_v<T>);
        bytes_.append(reinterpret_cast<const char*>(&v), sizeof v);
    }
    template <class C> void array(const C& values) {
        value(static_cast<std::uint64_t>(values.size()));
        bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof *values.data());
    }
    std::string take() { return std::move(bytes_); }

  private:
    std::string bytes_;
};

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    template <class T> bool value(T& v) {
        if (bytes_.size() < sizeof v) return false;
        std::memcpy(&v, bytes_.data(), sizeof v);
        bytes_.remove_prefix(sizeof v);
        return true;
    }
    template <class C> bool array(C& values) {
        std::uint64_t count = 0;
        if (!value(count) || count > kMaxRecords) return false;
        const std::size_t size = count * sizeof *values.data();
        if (bytes_.size() < size) return false;
        values.resize(count);
        if (size != 0) std::memcpy(values.data(), bytes_.data(), size);
        bytes_.remove_prefix(size);
        return true;
    }
    [[nodiscard]] bool done() const { return bytes_.empty(); }

  private:
    std::string_view bytes_;
};

} // namespace

std::string encode(const Input& input) {
    Writer w;
    w.value(kInputMark);
    w.array(input.nodes), w.array(input.edges), w.array(input.groups);
    w.value(input.rank_gap), w.value(input.node_gap), w.value(input.group_pad);
    return w.take();
}

std::string encode(const Result& result) {
    Writer w;
    w.value(kResultMark);
    w.array(result.centers), w.array(result.groups), w.array(result.points), w.array(result.edge_first);
    w.value(result.width), w.value(result.height), w.value(result.engine);
    w.array(result.note);
    return w.take();
}

std::optional<Input> decode_input(std::string_view bytes) {
    Reader r(bytes);
    Input input;
    std::uint32_t mark = 0;
    if (!r.value(mark) || mark != kInputMark) return std::nullopt;
    if (!r.array(input.nodes) || !r.array(input.edges) || !r.array(input.groups)) return std::nullopt;
    if (!r.value(input.rank_gap) || !r.value(input.node_gap) || !r.value(input.group_pad) || !r.done())
        return std::nullopt;
    if (!is_valid(input)) return std::nullopt;
    return input;
}

std::optional<Result> decode_result(std::string_view bytes) {
    Reader r(bytes);
    Result result;
    std::uint32_t mark = 0;
    if (!r.value(mark) || mark != kResultMark) return std::nullopt;
    if (!r.array(result.centers) || !r.array(result.groups) || !r.array(result.points) || !r.array(result.edge_first))
        return std::nullopt;
    std::uint8_t engine = 0;
    if (!r.value(result.width) || !r.value(result.height) || !r.value(engine) || engine > 1 || !r.array(result.note) ||
        !r.done() || result.edge_first.empty())
        return std::nullopt;
    result.engine = static_cast<Engine>(engine);
    return result;
}

} // namespace orrery::layout
