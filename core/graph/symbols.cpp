#include "core/graph/symbols.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::graph {

namespace {

// The first two probes take multiples of 32 and 64, the others primes. Source: our choice; large enough for the windows
// of usual networks, small enough that the first few symbols stay below a table of 512 positions, and products of four
// within limits.
constexpr std::array<std::int64_t, 24> kPrimes{3,  5,  7,  11, 13, 17, 19, 23, 29, 31, 37, 41,
                                               43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
constexpr std::array<std::int64_t, 24> kLargePrimes{101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157,
                                                    163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227};

constexpr std::size_t kFirstUnknown = 24; // beyond the symbols a model has

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

} // namespace

// --------------------------------------------------------------------------------- probes

std::int64_t Probe::number_of(std::size_t index) const {
    // Beyond the table values are still distinct, only no primes.
    const std::size_t at = std::min(index, kPrimes.size() - 5);
    const auto beyond = static_cast<std::int64_t>(index - at) * 2;
    switch (number_) {
    case 0: return 32 * (kPrimes[at] + beyond);
    case 1: return 64 * static_cast<std::int64_t>(index + 1);
    case 2: return kLargePrimes[at] + beyond;
    default: return kPrimes[at + 4] + beyond;
    }
}

Type Probe::closed(const Type& type, Unknowns unknowns, std::int64_t shared) {
    if (const TensorType* tensor = as_tensor(type)) {
        if (is_static(*tensor)) return type;
        Shape shape;
        for (const Dim& dim : tensor->dims) {
            if (dim.is_static()) {
                shape.push_back(dim.value);
            } else if (const std::optional<std::int64_t> known = value(dim.symbol)) {
                shape.push_back(*known);
            } else if (unknowns == Unknowns::Together) {
                shape.push_back(shared >= 0 ? shared : number_of(kFirstUnknown - 1));
            } else {
                shape.push_back(number_of(kFirstUnknown + unknowns_++));
            }
        }
        return tensor_type(tensor->dtype, shape);
    }
    const TupleType* tuple = as_tuple(type);
    if (!tuple) return type;
    std::vector<Type> fields;
    for (const Type& field : tuple->fields) fields.push_back(closed(field, unknowns, shared));
    return tuple_type(std::move(fields));
}

std::optional<std::int64_t> Probe::value(std::string_view symbol) {
    if (symbol == "?") return std::nullopt;
    std::int64_t sum = 0;
    for (std::size_t at = 0; at <= symbol.size();) {
        const std::size_t end = std::min(symbol.find('+', at), symbol.size());
        const std::optional<std::int64_t> term = product(symbol.substr(at, end - at));
        if (!term || __builtin_add_overflow(sum, *term, &sum)) return std::nullopt;
        at = end + 1;
    }
    return sum;
}

std::optional<std::int64_t> Probe::product(std::string_view text) {
    std::int64_t result = 1;
    char operation = '*';
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find_first_of("*/", at), text.size());
        const std::string_view factor = trimmed(text.substr(at, end - at));
        if (factor.empty()) return std::nullopt;
        std::int64_t value = 0;
        if (const std::optional<std::int64_t> number = integer(factor)) {
            value = *number;
        } else {
            const auto known = atoms_.find(factor);
            const std::size_t index = known != atoms_.end()
                                          ? known->second
                                          : atoms_.emplace(std::string(factor), atoms_.size()).first->second;
            value = number_of(index);
        }
        if (operation == '*' && __builtin_mul_overflow(result, value, &result)) return std::nullopt;
        if (operation == '/') {
            if (value == 0) return std::nullopt;
            result /= value;
        }
        operation = end < text.size() ? text[end] : ' ';
        at = end + 1;
    }
    return result;
}

// ---------------------------------------------------------------------------------- names

namespace {

using Values = std::span<const std::int64_t>;

template <class F> bool holds(Values values, F form) {
    for (std::size_t i = 0; i < values.size(); ++i)
        if (form(i) != values[i]) return false;
    return true;
}

bool is_sum(const std::string& name) { return name.find('+') != std::string::npos; }
bool is_quotient(const std::string& name) { return name.find('/') != std::string::npos; }

/// c*s, s/c and s+c.
std::optional<std::string> with_constant(Values values, const SymbolValues& s) {
    const std::int64_t first = s.values[0];
    if (!is_sum(s.name) && first != 0 && values[0] % first == 0) {
        const std::int64_t c = values[0] / first;
        if (c > 1 && holds(values, [&](std::size_t i) { return c * s.values[i]; }))
            return std::to_string(c) + "*" + s.name;
    }
    const std::int64_t plus = values[0] - first;
    if (plus > 0 && holds(values, [&](std::size_t i) { return s.values[i] + plus; }))
        return s.name + "+" + std::to_string(plus);
    if (!is_sum(s.name) && !is_quotient(s.name) && values[0] > 0 && first / values[0] > 1) {
        const std::int64_t c = first / values[0];
        if (holds(values, [&](std::size_t i) { return s.values[i] / c; })) return s.name + "/" + std::to_string(c);
    }
    return std::nullopt;
}

std::optional<std::string> of_two(Values values, const SymbolValues& s, const SymbolValues& t) {
    if (!is_sum(s.name) && !is_sum(t.name) && !is_quotient(s.name) && !is_quotient(t.name) &&
        holds(values, [&](std::size_t i) { return s.values[i] * t.values[i]; }))
        return s.name + "*" + t.name;
    if (holds(values, [&](std::size_t i) { return s.values[i] + t.values[i]; })) return s.name + "+" + t.name;
    return std::nullopt;
}

} // namespace

Dim name_extent(Values values, std::span<const SymbolValues> symbols) {
    if (holds(values, [&](std::size_t) { return values[0]; })) return values[0];
    for (const SymbolValues& s : symbols)
        if (std::ranges::equal(s.values, values)) return Dim::named(s.name);
    for (const SymbolValues& s : symbols)
        if (const std::optional<std::string> name = with_constant(values, s)) return Dim::named(*name);
    for (std::size_t i = 0; i < symbols.size(); ++i)
        for (std::size_t j = i; j < symbols.size(); ++j)
            if (const std::optional<std::string> name = of_two(values, symbols[i], symbols[j]))
                return Dim::named(*name);
    return Dim::unknown();
}

void collect_symbols(const Type& type, std::vector<std::string>& out) {
    if (const TensorType* tensor = as_tensor(type)) {
        for (const Dim& dim : tensor->dims)
            if (!dim.is_static() && !dim.is_unknown() && std::ranges::find(out, dim.symbol) == out.end())
                out.push_back(dim.symbol);
    } else if (const TupleType* tuple = as_tuple(type)) {
        for (const Type& field : tuple->fields) collect_symbols(field, out);
    }
}

Type merge_types(std::span<const Type> types, std::span<const SymbolValues> symbols) {
    const Type& first = types[0];
    if (const TupleType* tuple = as_tuple(first)) {
        std::vector<Type> fields;
        for (std::size_t f = 0; f < tuple->fields.size(); ++f) {
            std::vector<Type> parts;
            for (const Type& type : types) {
                const TupleType* other = as_tuple(type);
                if (!other || other->fields.size() != tuple->fields.size()) return nullptr;
                parts.push_back(other->fields[f]);
            }
            fields.push_back(merge_types(parts, symbols));
            if (!fields.back()) return nullptr;
        }
        return tuple_type(std::move(fields));
    }
    const TensorType* tensor = as_tensor(first);
    if (!tensor) return nullptr;
    for (const Type& type : types) {
        const TensorType* other = as_tensor(type);
        if (!other || other->dtype != tensor->dtype || other->dims.size() != tensor->dims.size()) return nullptr;
    }
    std::vector<Dim> dims;
    for (std::size_t d = 0; d < tensor->dims.size(); ++d) {
        std::vector<std::int64_t> values;
        bool open = types.size() < 2;
        for (const Type& type : types) {
            values.push_back(as_tensor(type)->dims[d].value);
            open = open || !as_tensor(type)->dims[d].is_static();
        }
        dims.push_back(open ? Dim::unknown() : name_extent(values, symbols));
    }
    return tensor_type(tensor->dtype, std::move(dims));
}

Type ranks_only(const Type& type) {
    if (const TensorType* tensor = as_tensor(type))
        return tensor_type(tensor->dtype, std::vector<Dim>(tensor->dims.size(), Dim::unknown()));
    const TupleType* tuple = as_tuple(type);
    if (!tuple) return type;
    std::vector<Type> fields;
    for (const Type& field : tuple->fields) fields.push_back(ranks_only(field));
    return tuple_type(std::move(fields));
}

void collect_extents(const Type& type, std::vector<std::int64_t>& out) {
    if (const TensorType* tensor = as_tensor(type)) {
        for (const Dim& dim : tensor->dims)
            if (dim.is_static() && std::ranges::find(out, dim.value) == out.end()) out.push_back(dim.value);
    } else if (const TupleType* tuple = as_tuple(type)) {
        for (const Type& field : tuple->fields) collect_extents(field, out);
    }
}

// ------------------------------------------------------------------------------ inference

namespace {

std::vector<Type> closed_all(Probe& probe, std::span<const Type> types, Probe::Unknowns unknowns,
                             std::int64_t shared = -1) {
    std::vector<Type> out;
    for (const Type& type : types) out.push_back(type ? probe.closed(type, unknowns, shared) : type);
    return out;
}

/// Every symbol replaced by `?`, so that Together gives all one value.
Type without_names(const Type& type) {
    const TensorType* tensor = as_tensor(type);
    if (!tensor) return type;
    std::vector<Dim> dims = tensor->dims;
    for (Dim& dim : dims)
        if (!dim.is_static()) dim = Dim::unknown();
    return tensor_type(tensor->dtype, std::move(dims));
}

/// Values that could be meant when different ones do not fit: all alike, or like an extent that is there.
Result<Type> infer_by_trial(std::span<const Type> types, const StaticRelation& relation, Diagnostic refusal) {
    std::vector<Type> bare;
    std::vector<std::int64_t> extents{-1};
    for (const Type& type : types) {
        bare.push_back(type ? without_names(type) : type);
        if (type) collect_extents(type, extents);
    }
    for (const std::span<const Type> tried : {types, std::span<const Type>(bare)})
        for (const std::int64_t extent : extents) {
            Probe probe(0);
            if (const Result<Type> type = relation(closed_all(probe, tried, Probe::Unknowns::Together, extent)))
                return ranks_only(*type);
        }
    return refusal;
}

} // namespace

Result<Type> infer_by_probes(std::span<const Type> types, const StaticRelation& relation) {
    std::vector<std::string> names;
    for (const Type& type : types)
        if (type) collect_symbols(type, names);
    std::vector<SymbolValues> symbols;
    for (const std::string& name : names) symbols.push_back({name, {}});
    std::vector<Type> results;
    std::optional<Diagnostic> refusal;
    for (int number = 0; number < kProbes; ++number) {
        Probe probe(number);
        std::vector<std::optional<std::int64_t>> values;
        for (const std::string& name : names) values.push_back(probe.value(name));
        Result<Type> type = relation(closed_all(probe, types, Probe::Unknowns::Apart));
        if (!type) {
            if (!refusal) refusal = std::move(type.error());
            continue;
        }
        results.push_back(*std::move(type));
        for (std::size_t i = 0; i < symbols.size(); ++i) symbols[i].values.push_back(values[i].value_or(-1));
    }
    if (results.empty()) return infer_by_trial(types, relation, *refusal);
    Type merged = merge_types(results, symbols);
    if (merged) return merged;
    return Diagnostic{Code::BadType, "the result's type depends on extents that are not known", {}, {}};
}

bool bind_shape(const TensorType& type, std::span<const std::int64_t> shape, SymbolBindings& bindings) {
    if (type.dims.size() != shape.size()) return false;
    for (std::size_t d = 0; d < shape.size(); ++d) {
        const Dim& dim = type.dims[d];
        if (dim.is_static() ? dim.value != shape[d]
                            : !dim.is_unknown() && bindings.emplace(dim.symbol, shape[d]).first->second != shape[d])
            return false;
    }
    return true;
}

} // namespace orrery::graph
