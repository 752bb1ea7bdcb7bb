#include "core/target/target.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string>

namespace orrery {

namespace {

Diagnostic bad(const std::string& message) {
    return {Code::BadArgument, message, {}, "a target reads like \"llvm -mcpu=znver4 -threads=2 -vector-bits=512\""};
}

template <class T> Result<void> read_number(std::string_view option, std::string_view text, T least, T& out) {
    T value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least)
        return bad("target option -" + std::string(option) + " takes a number from " + std::to_string(least) +
                   ", not '" + std::string(text) + "'");
    out = value;
    return {};
}

Result<void> read_option(std::string_view name, std::string_view value, Target& out) {
    constexpr std::int64_t kNoCache = 0;
    if (name == "mtriple") return out.triple = value, Result<void>();
    if (name == "mcpu") return out.cpu = value, Result<void>();
    if (name == "mattr") return out.features = value, Result<void>();
    if (name == "threads") return read_number(name, value, 1, out.cores);
    if (name == "vector-registers") return read_number(name, value, 1, out.vector_registers);
    if (name == "l1") return read_number(name, value, kNoCache, out.l1_bytes);
    if (name == "l2") return read_number(name, value, kNoCache, out.l2_bytes);
    if (name == "l3") return read_number(name, value, kNoCache, out.l3_bytes);
    if (name == "tiles") {
        if (value != "bf16" && value != "none") return bad("target option -tiles takes bf16 or none");
        out.bf16_tiles = value == "bf16";
        return {};
    }
    if (name == "f16") {
        if (value != "native" && value != "none") return bad("target option -f16 takes native or none");
        out.f16_arithmetic = value == "native";
        return {};
    }
    if (name == "bytes") {
        for (const ByteProducts products : {ByteProducts::None, ByteProducts::Dots, ByteProducts::Tiles})
            if (value == to_string(products)) return out.byte_products = products, Result<void>();
        return bad("target option -bytes takes none, dots or tiles");
    }
    if (name == "vector-bits") {
        ORRERY_CHECK_OK(read_number(name, value, 8, out.vector_bits));
        if (out.vector_bits > 65536 || (out.vector_bits & (out.vector_bits - 1)) != 0)
            return bad("target option -vector-bits takes a power of two from 8 to 65536, not '" + std::string(value) +
                       "'");
        return {};
    }
    return bad("unknown target option -" + std::string(name));
}

/// The value of an option in a target's text; empty when it is left out.
std::string_view value_of(std::string_view text, std::string_view option) {
    const std::size_t at = text.find(option);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = text.substr(at + option.size());
    return rest.substr(0, rest.find_first_of(" \t\n"));
}

std::string_view architecture(std::string_view triple) { return triple.substr(0, triple.find('-')); }

} // namespace

std::string_view to_string(ByteProducts products) {
    switch (products) {
    case ByteProducts::None: return "none";
    case ByteProducts::Dots: return "dots";
    case ByteProducts::Tiles: return "tiles";
    }
    fail_internal("a name for every way");
}

Hash Target::hash() const {
    Hasher h;
    h.add(backend).add(triple).add(cpu).add(features).add(vector_bits).add(vector_registers).add(cores);
    h.add(l1_bytes).add(l2_bytes).add(l3_bytes);
    if (bf16_tiles) h.add("bf16_tiles");
    if (f16_arithmetic) h.add("f16_arithmetic");
    if (byte_products != ByteProducts::None) h.add(to_string(byte_products));
    return h.finish();
}

std::int64_t Target::piece_bytes() const {
    constexpr std::int64_t kMostOnStack = 256 << 10; // our choice: stacks are 8 MiB, and hold more than one piece
    return std::min(l2_bytes / 4, kMostOnStack);
}

std::int64_t Target::image_bytes() const {
    constexpr std::int64_t kMostOnStack = 1 << 20; // our choice: stacks are 8 MiB, and hold one image's rows at a time
    return std::min(l2_bytes / 2, kMostOnStack);
}

int Target::lanes(int element_bytes) const { return std::max(1, vector_bits / 8 / std::max(element_bytes, 1)); }

std::string to_string(const Target& t) {
    std::ostringstream out;
    out << t.backend << " -mtriple=" << t.triple << " -mcpu=" << t.cpu << " -mattr=" << t.features
        << " -threads=" << t.cores << " -vector-bits=" << t.vector_bits << " -vector-registers=" << t.vector_registers
        << " -l1=" << t.l1_bytes << " -l2=" << t.l2_bytes << " -l3=" << t.l3_bytes
        << " -tiles=" << (t.bf16_tiles ? "bf16" : "none") << " -f16=" << (t.f16_arithmetic ? "native" : "none")
        << " -bytes=" << to_string(t.byte_products);
    return out.str();
}

Result<Target> parse_target(std::string_view text, const Target& base) {
    Target out = base;
    // The base's features are of its own processor: naming another one leaves them behind.
    if (text.find("-mcpu=") != std::string_view::npos) {
        out.features.clear();
        out.bf16_tiles = out.f16_arithmetic = false;
        out.byte_products = ByteProducts::None;
    }
    // Another architecture has nothing of the base's processor: its own plain one, and registers that any has.
    const std::string_view triple = value_of(text, "-mtriple=");
    if (!triple.empty() && !base.triple.empty() && architecture(triple) != architecture(base.triple)) {
        const Target plain;
        out.cpu.clear();
        out.features.clear();
        out.vector_bits = plain.vector_bits;
        out.vector_registers = plain.vector_registers;
        out.bf16_tiles = out.f16_arithmetic = false;
        out.byte_products = ByteProducts::None;
    }
    std::istringstream words{std::string(text)};
    bool first = true;
    for (std::string word; words >> word; first = false) {
        if (word[0] != '-') {
            if (!first) return bad("stray word '" + word + "' in a target");
            out.backend = word;
            continue;
        }
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) return bad("target option '" + word + "' has no value");
        const std::string_view option(word);
        ORRERY_CHECK_OK(read_option(option.substr(1, equals - 1), option.substr(equals + 1), out));
    }
    return out;
}

} // namespace orrery
