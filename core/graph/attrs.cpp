#include "core/graph/attrs.hpp"

#include "core/base/check.hpp"
#include "core/graph/lexical.hpp"

#include <bit>
#include <charconv>
#include <cmath>

namespace orrery::graph {

// ------------------------------------------------------------------------------ words of the text form

bool is_name(std::string_view text) {
    if (text.empty() || !starts_name(text[0])) return false;
    for (char c : text)
        if (!continues_name(c)) return false;
    return true;
}

std::string to_name(std::string_view hint) {
    std::string name;
    name.reserve(hint.size() + 1);
    for (char c : hint) name += continues_name(c) ? c : '_';
    if (name.empty()) return "v";
    if (!starts_name(name[0])) name.insert(name.begin(), 'v');
    return name;
}

bool is_reserved(std::string_view name) {
    return name == "_" || name == "const" || name == "fn" || name == "if" || name == "loop" || name == "outputs" ||
           name == "return";
}

std::string quoted(std::string_view text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out = "\"";
    for (char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out += '\\', out += c;
        else if (c == '\n')
            out += "\\n";
        else if (c == '\t')
            out += "\\t";
        else if (byte < 32 || byte > 126)
            out += "\\x", out += kDigits[byte >> 4], out += kDigits[byte & 15];
        else
            out += c;
    }
    return out + '"';
}

namespace {

template <class T> std::string shortest(T value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    std::string text(buffer, end);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

/// Equal bits, all NaNs being one value: what the text form tells apart.
std::uint64_t identity_bits(double value) { return std::isnan(value) ? ~0ull : std::bit_cast<std::uint64_t>(value); }

struct SameValue {
    bool operator()(double a, double b) const { return identity_bits(a) == identity_bits(b); }
    bool operator()(const Floats& a, const Floats& b) const {
        return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), *this);
    }
    template <class T> bool operator()(const T& a, const T& b) const { return a == b; }
};

} // namespace

std::string float_text(double value) { return shortest(value); }
std::string float_text(float value) { return shortest(value); }

std::string symbol_text(std::string_view symbol) {
    return is_name(symbol) || symbol == "?" ? std::string(symbol) : quoted(symbol);
}

// ------------------------------------------------------------------------------ attributes

Attrs::Attrs(std::initializer_list<Map::value_type> values) : Attrs(Map(values)) {}

Attrs::Attrs(Map values) {
    if (!values.empty()) map_ = std::make_shared<const Map>(std::move(values));
}

const Attrs::Map& Attrs::values() const {
    static const Map kEmpty;
    return map_ ? *map_ : kEmpty;
}

const AttrValue* Attrs::find(std::string_view name) const {
    if (!map_) return nullptr;
    const auto it = map_->find(name);
    return it == map_->end() ? nullptr : &it->second;
}

namespace {

template <class T> const T& get(const Attrs& attrs, std::string_view name) {
    const AttrValue* value = attrs.find(name);
    const T* typed = value ? std::get_if<T>(value) : nullptr;
    if (!typed) fail_internal("the attribute is there with its kind", std::string(name));
    return *typed;
}

} // namespace

std::int64_t Attrs::integer(std::string_view name) const { return get<std::int64_t>(*this, name); }

std::int64_t Attrs::integer(std::string_view name, std::int64_t fallback) const {
    return has(name) ? integer(name) : fallback;
}

double Attrs::number(std::string_view name) const {
    const AttrValue* value = find(name);
    if (const auto* whole = value ? std::get_if<std::int64_t>(value) : nullptr) return static_cast<double>(*whole);
    return get<double>(*this, name);
}

double Attrs::number(std::string_view name, double fallback) const { return has(name) ? number(name) : fallback; }
bool Attrs::flag(std::string_view name, bool fallback) const { return has(name) ? get<bool>(*this, name) : fallback; }
const std::string& Attrs::text(std::string_view name) const { return get<std::string>(*this, name); }

std::string Attrs::text(std::string_view name, std::string fallback) const {
    return has(name) ? text(name) : std::move(fallback);
}

DType Attrs::dtype(std::string_view name) const { return get<DType>(*this, name); }
const Ints& Attrs::ints(std::string_view name) const { return get<Ints>(*this, name); }
Ints Attrs::ints(std::string_view name, Ints fallback) const { return has(name) ? ints(name) : std::move(fallback); }

Attrs Attrs::with(std::string name, AttrValue value) const {
    Map copy = values();
    copy.insert_or_assign(std::move(name), std::move(value));
    return Attrs(std::move(copy));
}

bool operator==(const Attrs& a, const Attrs& b) {
    if (a.map_ == b.map_) return true;
    const Attrs::Map &x = a.values(), &y = b.values();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const auto& p, const auto& q) {
        if (p.first != q.first || p.second.index() != q.second.index()) return false;
        return std::visit([&](const auto& v) { return SameValue{}(v, std::get<std::decay_t<decltype(v)>>(q.second)); },
                          p.second);
    });
}

namespace {

struct HashValue {
    Hasher& hasher;
    void operator()(bool v) const { hasher.add(static_cast<int>(v)); }
    void operator()(std::int64_t v) const { hasher.add(v); }
    void operator()(double v) const { hasher.add(identity_bits(v)); }
    void operator()(const std::string& v) const { hasher.add(std::string_view(v)); }
    void operator()(DType v) const { hasher.add(static_cast<int>(v)); }
    template <class T> void operator()(const std::vector<T>& list) const {
        hasher.add(static_cast<std::uint64_t>(list.size()));
        for (const T& v : list) (*this)(v);
    }
};

template <class T, class F> std::string list_text(const char* prefix, const std::vector<T>& values, F&& element) {
    std::string text = values.empty() ? std::string(prefix) + "[" : "[";
    for (std::size_t i = 0; i < values.size(); ++i) text += (i ? ", " : "") + element(values[i]);
    return text + "]";
}

// An empty list says its kind; a list with elements shows it.
struct ValueText {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return float_text(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(DType v) const { return std::string(orrery::to_string(v)); }
    std::string operator()(const Ints& v) const { return list_text("", v, *this); }
    std::string operator()(const Floats& v) const { return list_text("floats", v, *this); }
    std::string operator()(const Strings& v) const { return list_text("texts", v, *this); }
};

} // namespace

void Attrs::hash_into(Hasher& hasher) const {
    hasher.add(static_cast<std::uint64_t>(values().size()));
    for (const auto& [name, value] : values()) {
        hasher.add(std::string_view(name)).add(static_cast<int>(value.index()));
        std::visit(HashValue{hasher}, value);
    }
}

std::string to_string(const AttrValue& value) { return std::visit(ValueText{}, value); }

} // namespace orrery::graph
