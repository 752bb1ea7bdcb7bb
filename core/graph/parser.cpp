// Text form, read. Every name is met before its use, so one pass from front to back is enough; the only recursion is
// into nested types, which is bounded.

#include "core/base/check.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/reader.hpp"
#include "core/graph/text.hpp"

#include <bit>
#include <charconv>
#include <limits>

namespace orrery::graph {

namespace {

constexpr int kMaxTypeDepth = 200;
constexpr std::int64_t kMaxConstantBytes = std::int64_t{1} << 40; // larger ones cannot be in a pool; stops overflow

class Parser {
  public:
    Parser(std::string_view text, const OpRegistry& registry, const ConstantPool& pool)
        : in_(text), registry_(registry), pool_(pool) {}

    Result<Module> module() {
        Module module;
        if (in_.accept_word("outputs")) {
            ORRERY_TRY(AttrValue names, list(""));
            ORRERY_CHECK_OK(in_.expect(";"));
            if (const auto* texts = std::get_if<Strings>(&names))
                module.outputs = *texts;
            else if (names != AttrValue(Ints{}))
                return in_.error("output names are texts");
        }
        do { ORRERY_CHECK_OK(function()); } while (!in_.at_end());
        module.main = last_;
        return module;
    }

    Result<Type> only_type() {
        ORRERY_TRY(Type read, type());
        if (!in_.at_end()) return in_.error("expected nothing after the type");
        return read;
    }

  private:
    // -------------------------------------------------------------------------- types

    Result<Type> type(int depth = 0) {
        if (depth > kMaxTypeDepth) return in_.error("types nest too deep");
        if (in_.accept("(")) {
            ORRERY_TRY(std::vector<Type> fields, type_list(depth));
            return tuple_type(std::move(fields));
        }
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string word, in_.name("a type"));
        if (word == "fn") {
            ORRERY_CHECK_OK(in_.expect("("));
            ORRERY_TRY(std::vector<Type> params, type_list(depth));
            ORRERY_CHECK_OK(in_.expect("->"));
            ORRERY_TRY(Type result, type(depth + 1));
            return function_type(std::move(params), std::move(result));
        }
        const std::optional<DType> dtype = parse_dtype(word);
        if (!dtype) return Reader::error_at(where, Code::BadText, "no element type is called " + word);
        ORRERY_CHECK_OK(in_.expect("["));
        std::vector<Dim> dims;
        while (!in_.accept("]")) {
            if (!dims.empty()) ORRERY_CHECK_OK(in_.expect(","));
            ORRERY_TRY(Dim dim, dimension());
            dims.push_back(std::move(dim));
        }
        return tensor_type(*dtype, std::move(dims));
    }

    Result<Dim> dimension() {
        if (in_.accept("?")) return Dim::named("?");
        if (in_.peek() == '"') {
            ORRERY_TRY(std::string symbol, in_.string());
            return Dim::named(std::move(symbol));
        }
        if (!in_.number_next() || in_.peek() == 'n' || in_.peek() == 'i') {
            ORRERY_TRY(std::string symbol, in_.name("a dimension"));
            return Dim::named(std::move(symbol));
        }
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::int64_t extent, in_.integer("a dimension"));
        if (extent < 0) return Reader::error_at(where, Code::BadText, "a dimension is negative");
        return Dim(extent);
    }

    /// Up to and with the closing parenthesis.
    Result<std::vector<Type>> type_list(int depth) {
        std::vector<Type> types;
        while (!in_.accept(")")) {
            if (!types.empty()) {
                ORRERY_CHECK_OK(in_.expect(","));
                if (in_.accept(")")) break; // a tuple of one: "(f32[2],)"
            }
            ORRERY_TRY(Type next, type(depth + 1));
            types.push_back(std::move(next));
        }
        return types;
    }

    // -------------------------------------------------------------------------- attributes

    Result<Attrs> attrs() {
        ORRERY_CHECK_OK(in_.expect("{"));
        Attrs::Map map;
        while (!in_.accept("}")) {
            if (!map.empty()) ORRERY_CHECK_OK(in_.expect(","));
            const TextPosition where = in_.here();
            Result<std::string> name = in_.peek() == '"' ? in_.string() : in_.name("an attribute's name");
            if (!name) return std::move(name.error());
            ORRERY_CHECK_OK(in_.expect("="));
            ORRERY_TRY(AttrValue value, attr_value());
            if (!map.emplace(*name, std::move(value)).second)
                return Reader::error_at(where, Code::BadText, "the attribute " + *name + " is given twice");
        }
        return Attrs(std::move(map));
    }

    Result<AttrValue> attr_value() {
        if (in_.peek() == '[') return list("");
        if (in_.accept_word("floats")) return list("floats");
        if (in_.accept_word("texts")) return list("texts");
        return scalar();
    }

    Result<AttrValue> scalar() {
        if (in_.peek() == '"') {
            ORRERY_TRY(std::string text, in_.string());
            return AttrValue(std::move(text));
        }
        if (in_.accept_word("true")) return AttrValue(true);
        if (in_.accept_word("false")) return AttrValue(false);
        const TextPosition where = in_.here();
        if (in_.number_next()) {
            ORRERY_TRY(const Reader::Number number, in_.number());
            if (number.whole) {
                ORRERY_TRY(const std::int64_t value, whole<std::int64_t>(number, where));
                return AttrValue(value);
            }
            ORRERY_TRY(const double value, real<double>(number, where));
            return AttrValue(value);
        }
        ORRERY_TRY(const std::string word, in_.name("an attribute's value"));
        if (const std::optional<DType> dtype = parse_dtype(word)) return AttrValue(*dtype);
        return Reader::error_at(where, Code::BadText, word + " is no attribute's value");
    }

    /// Elements of one kind; `kind` names that of an empty list.
    Result<AttrValue> list(std::string_view kind) {
        ORRERY_CHECK_OK(in_.expect("["));
        Ints ints;
        Floats floats;
        Strings texts;
        std::size_t count = 0;
        while (!in_.accept("]")) {
            if (count++) ORRERY_CHECK_OK(in_.expect(","));
            const TextPosition where = in_.here();
            ORRERY_TRY(AttrValue value, scalar());
            if (const auto* i = std::get_if<std::int64_t>(&value))
                ints.push_back(*i);
            else if (const auto* f = std::get_if<double>(&value))
                floats.push_back(*f);
            else if (auto* s = std::get_if<std::string>(&value))
                texts.push_back(std::move(*s));
            else
                return Reader::error_at(where, Code::BadText, "lists hold integers, numbers or texts");
            if (ints.size() != count && floats.size() != count && texts.size() != count)
                return Reader::error_at(where, Code::BadText, "a list holds values of one kind");
        }
        if (!floats.empty() || kind == "floats") return AttrValue(std::move(floats));
        if (!texts.empty() || kind == "texts") return AttrValue(std::move(texts));
        return AttrValue(std::move(ints));
    }

    template <class T> static Result<T> whole(const Reader::Number& number, TextPosition where) {
        T value{};
        const char* end = number.text.data() + number.text.size();
        const auto [stop, failed] = std::from_chars(number.text.data(), end, value);
        if (failed == std::errc() && stop == end) return value;
        return Reader::error_at(where, Code::BadText, std::string(number.text) + " is no integer that fits");
    }

    template <class T> static Result<T> real(const Reader::Number& number, TextPosition where) {
        if (number.text == "nan") return std::numeric_limits<T>::quiet_NaN();
        if (number.text == "inf") return std::numeric_limits<T>::infinity();
        if (number.text == "-inf") return -std::numeric_limits<T>::infinity();
        T value{};
        const char* end = number.text.data() + number.text.size();
        const auto [stop, failed] = std::from_chars(number.text.data(), end, value);
        if (failed == std::errc() && stop == end) return value;
        return Reader::error_at(where, Code::BadText, std::string(number.text) + " is no number that fits");
    }

    // -------------------------------------------------------------------------- constants

    Result<void> element(NDArray& out, std::int64_t index) {
        const TextPosition where = in_.here();
        const DType dtype = out.dtype();
        if (dtype == DType::Bool) {
            const bool yes = in_.accept_word("true");
            if (!yes && !in_.accept_word("false")) return in_.error("expected true or false");
            out.set_int(index, yes);
            return {};
        }
        ORRERY_TRY(const Reader::Number number, in_.number());
        const auto at = static_cast<std::size_t>(index);
        if (dtype == DType::U64) {
            ORRERY_TRY(out.mutable_values<std::uint64_t>()[at], whole<std::uint64_t>(number, where));
            return {};
        }
        if (!is_float(dtype)) {
            ORRERY_TRY(const std::int64_t value, whole<std::int64_t>(number, where));
            out.set_int(index, value);
            if (out.as_int(index) == value) return {};
            return Reader::error_at(where, Code::BadText,
                                    std::string(number.text) + " does not fit " +
                                        std::string(orrery::to_string(dtype)));
        }
        if (number.text.starts_with("nan(")) return nan_element(out, at, number, where);
        if (dtype == DType::F64) {
            ORRERY_TRY(out.mutable_values<double>()[at], real<double>(number, where));
            return {};
        }
        ORRERY_TRY(const float value, real<float>(number, where)); // read as what is stored: rounded once
        if (dtype == DType::F32)
            out.mutable_values<float>()[at] = value;
        else
            set_bits(out, at, float_to_narrow(dtype, value));
        return {};
    }

    static void set_bits(NDArray& out, std::size_t at, std::uint16_t bits) {
        if (orrery::byte_size(out.dtype()) == 1)
            out.mutable_values<std::uint8_t>()[at] = static_cast<std::uint8_t>(bits);
        else
            out.mutable_values<std::uint16_t>()[at] = bits;
    }

    static Result<void> nan_element(NDArray& out, std::size_t at, const Reader::Number& number, TextPosition where) {
        std::uint64_t bits = 0;
        const char* begin = number.text.data() + std::string_view("nan(0x").size();
        const char* end = number.text.data() + number.text.size() - 1;
        const auto [stop, failed] = std::from_chars(begin, end, bits, 16);
        const int width = 8 * orrery::byte_size(out.dtype());
        if (failed != std::errc() || stop != end || (width < 64 && bits >> width))
            return Reader::error_at(where, Code::BadText, "the bits of a NaN do not fit");
        if (width == 64)
            out.mutable_values<std::uint64_t>()[at] = bits;
        else if (width == 32)
            out.mutable_values<std::uint32_t>()[at] = static_cast<std::uint32_t>(bits);
        else
            set_bits(out, at, static_cast<std::uint16_t>(bits));
        return {};
    }

    Result<Expr> constant(const Type& declared) {
        const TextPosition where = in_.here();
        const TensorType* type = as_tensor(declared);
        if (!type || !is_static(*type))
            return Reader::error_at(where, Code::BadText, "a constant needs a static tensor type before it");
        const Shape shape = static_shape(*type);
        if (in_.accept("@")) return pooled_constant(*type, shape);
        const Result<std::int64_t> count = checked_elements(shape, type->dtype, kMaxConstantBytes);
        if (!count) return Reader::error_at(where, Code::BadText, count.error().message);
        if (shape.empty()) {
            NDArray value = NDArray::allocate(type->dtype, shape);
            ORRERY_CHECK_OK(element(value, 0));
            return Expr(make_ref<const Constant>(std::move(value)));
        }
        // Storage grows with what is written, not with what the type claims.
        ORRERY_CHECK_OK(in_.expect("["));
        std::int64_t read = 0, room = std::min<std::int64_t>(*count, 64);
        NDArray value = NDArray::allocate(type->dtype, {room});
        while (!in_.accept("]")) {
            if (read) ORRERY_CHECK_OK(in_.expect(","));
            if (read == *count) return in_.error("a constant has more elements than its type");
            if (read == room) {
                NDArray larger = NDArray::allocate(type->dtype, {room = std::min(*count, 2 * room)});
                std::copy_n(static_cast<const std::byte*>(value.data()), value.bytes(),
                            static_cast<std::byte*>(larger.mutable_data()));
                value = std::move(larger);
            }
            ORRERY_CHECK_OK(element(value, read++));
        }
        if (read != *count) return in_.error("a constant has fewer elements than its type");
        return Expr(make_ref<const Constant>(value.reshaped(shape)));
    }

    Result<Expr> pooled_constant(const TensorType& type, const Shape& shape) {
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string_view digits, in_.hex_digits());
        Hash hash;
        if (digits.size() != 32)
            return Reader::error_at(where, Code::BadText, "a constant's hash has 32 hexadecimal digits");
        std::from_chars(digits.data(), digits.data() + 16, hash.high, 16);
        std::from_chars(digits.data() + 16, digits.data() + 32, hash.low, 16);
        const auto it = pool_.find(hash);
        if (it == pool_.end())
            return Reader::error_at(where, Code::BadText, "the constant " + std::string(digits) + " is not at hand");
        if (it->second.dtype() != type.dtype || it->second.shape() != shape)
            return Reader::error_at(where, Code::BadType,
                                    "the constant " + std::string(digits) + " is " +
                                        type_text(it->second.dtype(), it->second.shape()));
        return Expr(make_ref<const Constant>(it->second));
    }

    // -------------------------------------------------------------------------- expressions

    Result<Var> known(const std::string& name, TextPosition where) const {
        const auto it = variables_.find(name);
        if (it != variables_.end()) return it->second;
        return Reader::error_at(where, Code::BadText, name + " is not bound here");
    }

    /// A variable, or null for `_`.
    Result<Var> operand() {
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string name, in_.name("a variable"));
        if (name == "_") return Var();
        return known(name, where);
    }

    /// In parentheses.
    Result<std::vector<Var>> operand_list() {
        ORRERY_CHECK_OK(in_.expect("("));
        std::vector<Var> vars;
        while (!in_.accept(")")) {
            if (!vars.empty()) {
                ORRERY_CHECK_OK(in_.expect(","));
                if (in_.accept(")")) break;
            }
            ORRERY_TRY(Var var, operand());
            vars.push_back(std::move(var));
        }
        return vars;
    }

    Result<Function> function_name() {
        ORRERY_CHECK_OK(in_.expect("@"));
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string name, in_.name("a function's name"));
        const auto it = functions_.find(name);
        if (it == functions_.end())
            return Reader::error_at(where, Code::BadText, "no function above is called " + name);
        return it->second;
    }

    Result<Expr> if_expression() {
        ORRERY_TRY(Var condition, operand());
        ORRERY_CHECK_OK(in_.expect_word("then"));
        ORRERY_TRY(Function then_function, function_name());
        ORRERY_CHECK_OK(in_.expect_word("else"));
        ORRERY_TRY(Function else_function, function_name());
        ORRERY_TRY(std::vector<Var> args, operand_list());
        return Expr(make_ref<const If>(std::move(condition), std::move(then_function), std::move(else_function),
                                       std::move(args)));
    }

    Result<Expr> loop_expression() {
        Loop::Fields loop;
        ORRERY_TRY(loop.body, function_name());
        ORRERY_CHECK_OK(in_.expect_word("limit"));
        ORRERY_TRY(loop.max_trips, operand());
        ORRERY_CHECK_OK(in_.expect_word("while"));
        ORRERY_TRY(loop.condition, operand());
        ORRERY_CHECK_OK(in_.expect_word("carry"));
        ORRERY_TRY(loop.carried, operand_list());
        ORRERY_CHECK_OK(in_.expect_word("capture"));
        ORRERY_TRY(loop.captured, operand_list());
        return Expr(make_ref<const Loop>(std::move(loop)));
    }

    Result<Expr> expression(const Type& declared) {
        if (in_.peek() == '(') {
            ORRERY_TRY(std::vector<Var> fields, operand_list());
            return Expr(make_ref<const Tuple>(std::move(fields)));
        }
        if (in_.peek() == '@') {
            ORRERY_TRY(Function function, function_name());
            ORRERY_TRY(std::vector<Var> args, operand_list());
            return Expr(make_ref<const CallFunction>(std::move(function), std::move(args)));
        }
        if (in_.accept_word("const")) return constant(declared);
        if (in_.accept_word("if")) return if_expression();
        if (in_.accept_word("loop")) return loop_expression();
        if (in_.accept_word("fn")) {
            ORRERY_TRY(Function function, function_name());
            return Expr(make_ref<const FunctionLiteral>(std::move(function)));
        }
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string name, in_.name("an expression"));
        if (in_.accept("[")) {
            ORRERY_TRY(Var tuple, known(name, where));
            ORRERY_TRY(const std::int64_t index, in_.integer("the number of a tuple's part"));
            ORRERY_CHECK_OK(in_.expect("]"));
            if (index < 0) return Reader::error_at(where, Code::BadText, "the number of a tuple's part is negative");
            return Expr(make_ref<const Project>(std::move(tuple), static_cast<std::size_t>(index)));
        }
        const Op* op = registry_.find(name);
        if (!op) return Reader::error_at(where, Code::UnknownName, "no operator is called " + name);
        ORRERY_TRY(std::vector<Var> args, operand_list());
        Attrs given;
        if (in_.peek() == '{') { ORRERY_TRY(given, attrs()); }
        return Expr(make_ref<const CallOp>(*op, std::move(args), std::move(given)));
    }

    // -------------------------------------------------------------------------- functions

    Result<void> define(const std::string& name, const Var& var, TextPosition where) {
        if (name == "_") return Reader::error_at(where, Code::BadText, "_ stands for a missing operand and is no name");
        if (variables_.emplace(name, var).second) return {};
        return Reader::error_at(where, Code::BadText, name + " is bound twice");
    }

    Result<void> parameters(FunctionBuilder& builder) {
        ORRERY_CHECK_OK(in_.expect("("));
        for (bool first = true; !in_.accept(")"); first = false) {
            if (!first) ORRERY_CHECK_OK(in_.expect(","));
            const TextPosition where = in_.here();
            ORRERY_TRY(const std::string name, in_.name("a parameter's name"));
            ORRERY_CHECK_OK(in_.expect(":"));
            ORRERY_TRY(Type declared, type());
            ORRERY_CHECK_OK(define(name, builder.param(name, std::move(declared)), where));
        }
        return {};
    }

    Result<void> binding(FunctionBuilder& builder) {
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string name, in_.name("a binding or return"));
        Type declared;
        if (in_.accept(":")) { ORRERY_TRY(declared, type()); }
        ORRERY_CHECK_OK(in_.expect("="));
        const TextPosition value_at = in_.here();
        ORRERY_TRY(const Expr value, expression(declared));
        ORRERY_CHECK_OK(in_.expect(";"));
        Result<Var> var = builder.try_emit(value, name, {});
        if (!var) {
            var.error().locations.insert(var.error().locations.begin(), value_at);
            return std::move(var.error());
        }
        if (declared && !equal(declared, (*var)->type))
            return Reader::error_at(where, Code::BadType,
                                    name + " is declared " + to_string(declared) + " and computed as " +
                                        to_string((*var)->type));
        return define(name, *var, where);
    }

    Result<void> function() {
        ORRERY_CHECK_OK(in_.expect_word("fn"));
        variables_.clear();
        const TextPosition where = in_.here();
        ORRERY_TRY(const std::string name, in_.name("a function's name"));
        FunctionBuilder builder;
        ORRERY_CHECK_OK(parameters(builder));
        Type declared;
        const TextPosition type_at = in_.here();
        if (in_.accept("->")) { ORRERY_TRY(declared, type()); }
        Attrs given;
        if (in_.accept_word("with")) { ORRERY_TRY(given, attrs()); }
        ORRERY_CHECK_OK(in_.expect("{"));
        while (!in_.accept_word("return")) ORRERY_CHECK_OK(binding(builder));
        const TextPosition result_at = in_.here();
        ORRERY_TRY(const std::string result_name, in_.name("a variable"));
        ORRERY_TRY(const Var result, known(result_name, result_at));
        ORRERY_CHECK_OK(in_.expect(";"));
        ORRERY_CHECK_OK(in_.expect("}"));
        if (declared && !equal(declared, result->type))
            return Reader::error_at(type_at, Code::BadType,
                                    name + " is declared to give " + to_string(declared) + " and gives " +
                                        to_string(result->type));
        last_ = builder.finish(name, result, std::move(given));
        if (functions_.emplace(name, last_).second) return {};
        return Reader::error_at(where, Code::BadText, "two functions are called " + name);
    }

    Reader in_;
    const OpRegistry& registry_;
    const ConstantPool& pool_;
    std::unordered_map<std::string, Function> functions_;
    std::unordered_map<std::string, Var> variables_; ///< of the function being read
    Function last_;
};

} // namespace

Result<Type> parse_type(std::string_view text) {
    static const OpRegistry no_operators;
    static const ConstantPool no_constants;
    return Parser(text, no_operators, no_constants).only_type();
}

Result<Module> parse_module(std::string_view text, const OpRegistry& registry, const ConstantPool& pool,
                            std::shared_ptr<const std::vector<Source>> sources) {
    ORRERY_TRY(Module module, Parser(text, registry, pool).module());
    module.sources = sources ? std::move(sources) : std::make_shared<const std::vector<Source>>();
    return module;
}

} // namespace orrery::graph
