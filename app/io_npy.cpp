#include "app/io_npy.hpp"

#include "core/base/file.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

namespace orrery::app {

namespace {

static_assert(std::endian::native == std::endian::little, "npy_bytes writes memory as it is");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 32;          // NumPy's own limit (NPY_MAXDIMS)
constexpr std::size_t kMaxHeader = 64 * 1024; // what a version 1.0 file can hold
constexpr std::int64_t kMaxBytes = std::int64_t{1} << 48;

struct TypeCode {
    DType dtype;
    std::string_view code; ///< kind and size in bytes, without the byte order
};
constexpr TypeCode kTypes[] = {{DType::Bool, "b1"}, {DType::I8, "i1"},  {DType::I16, "i2"}, {DType::I32, "i4"},
                               {DType::I64, "i8"},  {DType::U8, "u1"},  {DType::U16, "u2"}, {DType::U32, "u4"},
                               {DType::U64, "u8"},  {DType::F16, "f2"}, {DType::F32, "f4"}, {DType::F64, "f8"}};

struct Header {
    std::string descr;
    bool fortran = false;
    Shape shape;
};

/// Reads the header: a Python dictionary of three entries in any order.
class HeaderParser {
  public:
    explicit HeaderParser(std::string_view text) : text_(text) {}

    std::optional<Header> parse() {
        Header header;
        int seen = 0; // one bit an entry
        if (!take('{')) return std::nullopt;
        while (!take('}')) {
            const auto key = string();
            if (!key || !take(':')) return std::nullopt;
            bool good = false;
            if (*key == "descr")
                good = read_descr(header), seen |= 1;
            else if (*key == "fortran_order")
                good = read_order(header), seen |= 2;
            else if (*key == "shape")
                good = read_shape(header), seen |= 4;
            if (!good) return std::nullopt;
            if (!take(',') && peek() != '}') return std::nullopt;
        }
        if (seen != 7) return std::nullopt;
        return header;
    }

  private:
    char peek() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }
    bool take_word(std::string_view word) {
        peek();
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }
    std::optional<std::string> string() {
        const char quote = peek();
        if (quote != '\'' && quote != '"') return std::nullopt;
        const std::size_t end = text_.find(quote, at_ + 1);
        if (end == std::string_view::npos) return std::nullopt;
        std::string value(text_.substr(at_ + 1, end - at_ - 1));
        at_ = end + 1;
        return value;
    }
    bool read_descr(Header& header) {
        if (peek() == '[') return read_fields(header);
        const auto descr = string();
        if (descr) header.descr = *descr;
        return descr.has_value();
    }
    /// A list of named fields is a type we do not have; it is kept as text for the message.
    bool read_fields(Header& header) {
        const std::size_t begin = at_;
        for (int depth = 0; at_ < text_.size(); ++at_) {
            if (text_[at_] == '[') ++depth;
            if (text_[at_] == ']' && --depth == 0) {
                header.descr = text_.substr(begin, ++at_ - begin);
                return true;
            }
        }
        return false;
    }
    bool read_order(Header& header) {
        header.fortran = take_word("True");
        return header.fortran || take_word("False");
    }
    bool read_shape(Header& header) {
        if (!take('(')) return false;
        header.shape.clear();
        while (!take(')')) {
            std::int64_t dim = 0;
            peek();
            const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
            if (error != std::errc() || dim < 0 || header.shape.size() > kMaxRank) return false;
            at_ = static_cast<std::size_t>(end - text_.data());
            take('L'); // Python 2 wrote long integers so
            header.shape.push_back(dim);
            if (!take(',') && peek() != ')') return false;
        }
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

Diagnostic damaged(const std::string& name, const std::string& what, std::size_t offset) {
    return {Code::FileUnreadable,
            "not a usable .npy file: " + what,
            {FileOffset{name, static_cast<std::int64_t>(offset)}},
            "write it again with numpy.save"};
}

struct Located {
    Header header;
    std::size_t data = 0; ///< offset of the elements
};

Result<Located> read_header(std::string_view bytes, const std::string& name) {
    if (!bytes.starts_with(kMagic)) return damaged(name, "it does not begin with NumPy's mark", 0);
    if (bytes.size() < 12) return damaged(name, "it ends within its header", bytes.size());
    const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])); };
    const std::size_t version = byte(6);
    if (version < 1 || version > 3) return damaged(name, "version " + std::to_string(version) + " is not known", 6);
    const std::size_t start = version == 1 ? 10 : 12;
    std::size_t length = byte(8) | byte(9) << 8;
    if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
    if (length > kMaxHeader || start + length > bytes.size()) return damaged(name, "its header's length is wrong", 8);
    const auto header = HeaderParser(bytes.substr(start, length)).parse();
    if (!header) return damaged(name, "its header cannot be read", start);
    return Located{*header, start + length};
}

std::optional<DType> find_dtype(std::string_view code) {
    for (const TypeCode& type : kTypes)
        if (type.code == code) return type.dtype;
    return std::nullopt;
}

void reverse_elements(char* data, std::size_t bytes, std::size_t element) {
    for (std::size_t at = 0; at + element <= bytes; at += element) std::reverse(data + at, data + at + element);
}

/// Elements stored first dimension fastest, written last dimension fastest.
void copy_fortran(const char* from, char* to, const Shape& shape, std::size_t element) {
    std::vector<std::int64_t> index(shape.size(), 0), stride(shape.size(), 1);
    for (std::size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
    const std::int64_t count = element_count(shape);
    std::int64_t source = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        std::memcpy(to + static_cast<std::size_t>(i) * element, from + static_cast<std::size_t>(source) * element,
                    element);
        for (std::size_t d = shape.size(); d-- > 0;) {
            source += stride[d];
            if (++index[d] < shape[d]) break;
            source -= stride[d] * shape[d];
            index[d] = 0;
        }
    }
}

} // namespace

Result<NDArray> parse_npy(std::span<const std::byte> bytes, const std::string& name) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    ORRERY_TRY(const Located located, read_header(text, name));
    const auto& [header, start] = located;
    if (header.shape.size() > kMaxRank)
        return Diagnostic{Code::LimitExceeded, "more than 32 dimensions", {FileOffset{name, 0}}, {}};
    const char order = header.descr.empty() ? '\0' : header.descr[0];
    const bool has_order = order == '<' || order == '>' || order == '|' || order == '=';
    const auto dtype =
        find_dtype(has_order ? std::string_view(header.descr).substr(1) : std::string_view(header.descr));
    if (!dtype)
        return Diagnostic{Code::BadType,
                          "elements of NumPy type '" + header.descr + "' are not served",
                          {FileOffset{name, static_cast<std::int64_t>(start)}},
                          "convert with astype to bool, int8 to int64, uint8 to uint64, float16, float32 or float64"};
    const auto elements = checked_elements(header.shape, *dtype, kMaxBytes);
    if (!elements) return damaged(name, elements.error().message, start);
    const auto element = static_cast<std::size_t>(byte_size(*dtype));
    const std::size_t wanted = static_cast<std::size_t>(*elements) * element;
    if (wanted > bytes.size() - start)
        return damaged(name,
                       type_text(*dtype, header.shape) + " takes " + std::to_string(wanted) + " bytes, and " +
                           std::to_string(bytes.size() - start) + " follow the header",
                       start);
    NDArray array = NDArray::allocate(*dtype, header.shape);
    auto* to = static_cast<char*>(array.mutable_data());
    if (wanted && header.fortran && header.shape.size() > 1)
        copy_fortran(text.data() + start, to, header.shape, element);
    else if (wanted)
        std::memcpy(to, text.data() + start, wanted);
    if (order == '>') reverse_elements(to, wanted, element);
    if (*dtype == DType::Bool)
        for (std::size_t i = 0; i < wanted; ++i) to[i] = to[i] != 0;
    return array;
}

Result<NDArray> read_npy(const std::filesystem::path& path) {
    ORRERY_TRY(const MappedFile file, map_file(path));
    return parse_npy(file.bytes, path.string());
}

std::string npy_bytes(const NDArray& array) {
    if (array.dtype() == DType::BF16 || is_float8(array.dtype())) {
        NDArray wide = NDArray::allocate(DType::F32, array.shape());
        for (std::int64_t i = 0; i < array.size(); ++i) wide.set(i, array.as_double(i));
        return npy_bytes(wide);
    }
    if (!is_arithmetic(array.dtype())) // a byte each, as in memory
        return npy_bytes(NDArray::view(array.dtype() == DType::I4 ? DType::I8 : DType::U8, array.shape(), array.owner(),
                                       array.data()));
    const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                    [&](const TypeCode& entry) { return entry.dtype == array.dtype(); });
    ORRERY_ASSERT(type != std::end(kTypes));
    std::string header = std::string("{'descr': '") + (byte_size(array.dtype()) == 1 ? '|' : '<') +
                         std::string(type->code) + "', 'fortran_order': False, 'shape': (";
    for (const std::int64_t dim : array.shape()) header += std::to_string(dim) + ", ";
    // NumPy writes (3,) for one dimension and (3, 4) for two.
    if (array.shape().size() == 1)
        header.pop_back();
    else if (!array.shape().empty())
        header.resize(header.size() - 2);
    header += "), }";
    constexpr std::size_t kPreamble = 10, kAlign = 64; // mark, version and length; the data begins at a multiple of 64
    header.resize((kPreamble + header.size() + 1 + kAlign - 1) / kAlign * kAlign - kPreamble - 1, ' ');
    header += '\n';
    ORRERY_ASSERT(header.size() < kMaxHeader, "a shape of 32 dimensions fits");
    std::string bytes(kMagic);
    bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
    bytes += header;
    bytes.append(static_cast<const char*>(array.data()), array.bytes());
    return bytes;
}

Result<void> write_npy(const std::filesystem::path& path, const NDArray& array) {
    return write_file(path, npy_bytes(array));
}

std::string npy_file_name(std::string_view name) {
    std::string file(name);
    for (char& c : file)
        if (c == '/' || c == ':') c = '_';
    return file + ".npy";
}

} // namespace orrery::app
