#include "core/graph/type.hpp"

#include "core/base/check.hpp"
#include "core/graph/lexical.hpp"

#include <algorithm>

namespace orrery::graph {

Type tensor_type(DType dtype, std::vector<Dim> dims) {
    return make_ref<const TypeNode>(TensorType{dtype, std::move(dims)});
}

Type tensor_type(DType dtype, const Shape& shape) {
    return tensor_type(dtype, std::vector<Dim>(shape.begin(), shape.end()));
}

Type tuple_type(std::vector<Type> fields) { return make_ref<const TypeNode>(TupleType{std::move(fields)}); }

Type function_type(std::vector<Type> params, Type result) {
    return make_ref<const TypeNode>(FunctionType{std::move(params), std::move(result)});
}

const TensorType* as_tensor(const Type& type) { return type ? std::get_if<TensorType>(&type->value) : nullptr; }
const TupleType* as_tuple(const Type& type) { return type ? std::get_if<TupleType>(&type->value) : nullptr; }
const FunctionType* as_function(const Type& type) { return type ? std::get_if<FunctionType>(&type->value) : nullptr; }

bool is_static(const TensorType& type) { return std::ranges::all_of(type.dims, &Dim::is_static); }

Shape static_shape(const TensorType& type) {
    Shape shape;
    shape.reserve(type.dims.size());
    for (const Dim& dim : type.dims) {
        ORRERY_ASSERT(dim.is_static(), "the dimension " + dim.symbol + " is symbolic");
        shape.push_back(dim.value);
    }
    return shape;
}

std::size_t byte_size(const Type& type) {
    if (const TensorType* tensor = as_tensor(type))
        return static_cast<std::size_t>(element_count(static_shape(*tensor)) * orrery::byte_size(tensor->dtype));
    std::size_t total = 0;
    if (const TupleType* tuple = as_tuple(type))
        for (const Type& field : tuple->fields) total += byte_size(field);
    return total;
}

bool equal(const Type& a, const Type& b) {
    if (a == b) return true;
    if (!a || !b || a->value.index() != b->value.index()) return false;
    const auto all_equal = [](const std::vector<Type>& x, const std::vector<Type>& y) {
        return std::ranges::equal(x, y, [](const Type& p, const Type& q) { return equal(p, q); });
    };
    if (const TensorType* tensor = as_tensor(a)) return *tensor == *as_tensor(b);
    if (const TupleType* tuple = as_tuple(a)) return all_equal(tuple->fields, as_tuple(b)->fields);
    const FunctionType &f = *as_function(a), &g = *as_function(b);
    return all_equal(f.params, g.params) && equal(f.result, g.result);
}

bool fully_static(const Type& type) {
    if (const TensorType* tensor = as_tensor(type)) return is_static(*tensor);
    const TupleType* tuple = as_tuple(type);
    return !tuple || std::ranges::all_of(tuple->fields, fully_static);
}

bool accepts(const Type& general, const Type& specific) {
    if (equal(general, specific)) return true;
    const TensorType *a = as_tensor(general), *b = as_tensor(specific);
    if (a && b)
        return a->dtype == b->dtype && std::ranges::equal(a->dims, b->dims, [](const Dim& x, const Dim& y) {
                   return x == y || x.is_unknown();
               });
    const TupleType *s = as_tuple(general), *t = as_tuple(specific);
    return s && t && std::ranges::equal(s->fields, t->fields, accepts);
}

Type join(const Type& a, const Type& b) {
    if (equal(a, b)) return a;
    const TensorType *x = as_tensor(a), *y = as_tensor(b);
    if (x && y) {
        if (x->dtype != y->dtype || x->dims.size() != y->dims.size()) return nullptr;
        std::vector<Dim> dims = x->dims;
        for (std::size_t i = 0; i < dims.size(); ++i)
            if (!(dims[i] == y->dims[i])) dims[i] = Dim::unknown();
        return tensor_type(x->dtype, std::move(dims));
    }
    const TupleType *s = as_tuple(a), *t = as_tuple(b);
    if (!s || !t || s->fields.size() != t->fields.size()) return nullptr;
    std::vector<Type> fields;
    for (std::size_t i = 0; i < s->fields.size(); ++i) {
        fields.push_back(join(s->fields[i], t->fields[i]));
        if (!fields.back()) return nullptr;
    }
    return tuple_type(std::move(fields));
}

void hash_into(Hasher& hasher, const Type& type) {
    if (!type) {
        hasher.add(-1);
        return;
    }
    hasher.add(static_cast<int>(type->value.index()));
    if (const TensorType* tensor = as_tensor(type)) {
        hasher.add(static_cast<int>(tensor->dtype)).add(static_cast<std::uint64_t>(tensor->dims.size()));
        for (const Dim& dim : tensor->dims) hasher.add(dim.value).add(std::string_view(dim.symbol));
        return;
    }
    const FunctionType* function = as_function(type);
    const std::vector<Type>& parts = function ? function->params : as_tuple(type)->fields;
    hasher.add(static_cast<std::uint64_t>(parts.size()));
    for (const Type& part : parts) hash_into(hasher, part);
    if (function) hash_into(hasher, function->result);
}

namespace {

std::string list_text(const std::vector<Type>& types) {
    std::string text = "(";
    for (std::size_t i = 0; i < types.size(); ++i) text += (i ? ", " : "") + to_string(types[i]);
    return text;
}

} // namespace

std::string to_string(const Type& type) {
    if (!type) return "_";
    if (const TensorType* tensor = as_tensor(type)) {
        std::string text(orrery::to_string(tensor->dtype));
        text += '[';
        for (std::size_t i = 0; i < tensor->dims.size(); ++i) {
            const Dim& dim = tensor->dims[i];
            if (i) text += ',';
            text += dim.is_static() ? std::to_string(dim.value) : symbol_text(dim.symbol);
        }
        return text + ']';
    }
    if (const TupleType* tuple = as_tuple(type))
        return list_text(tuple->fields) + (tuple->fields.size() == 1 ? ",)" : ")");
    const FunctionType& function = *as_function(type);
    return "fn" + list_text(function.params) + ") -> " + to_string(function.result);
}

} // namespace orrery::graph
