#include "backends/llvm/parts.hpp"

#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>
#include <llvm/TargetParser/Triple.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <string_view>
#include <unordered_map>

namespace orrery::codegen {

namespace {

/// Source: measured, what a function without instructions takes beside one of many.
constexpr std::size_t kCostOfAny = 50;

/// "name" of `define void @name(...)` and of `declare void @"name"(...)`.
std::string_view function_name(std::string_view line) {
    const std::size_t at = line.find('@');
    if (at == std::string_view::npos) return {};
    const std::string_view rest = line.substr(at + 1);
    return rest.starts_with('"') ? rest.substr(0, rest.find('"', 1) + 1) : rest.substr(0, rest.find('('));
}

/// The lines of a listing that belong together: a definition, a declaration, or what is between them.
using Lines = std::span<const ListingLine>;
std::vector<Lines> blocks_of(const Listing& listing) {
    std::vector<Lines> out;
    const std::span<const ListingLine> lines(listing.lines);
    for (std::size_t at = 0; at < lines.size();) {
        std::size_t end = at + 1;
        if (lines[at].text.starts_with("define "))
            while (end < lines.size() && lines[end - 1].text != "}") ++end;
        if (!lines[at].text.empty()) out.push_back(lines.subspan(at, end - at));
        at = end;
    }
    return out;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Whether a line gives a file its number, as lines before the first of its places do.
bool numbers_file(std::string_view line) { return line.starts_with("\t.file\t") && is_digit(line[7]); }

/// Appends the line with its labels renumbered: those of a function's blocks and constants have the function's number.
void relabel(std::string_view line, std::size_t function, std::size_t part, std::string& out) {
    constexpr std::array<std::string_view, 5> kOfFunctions = {"BB", "CPI", "JTI", "func_begin", "func_end"};
    constexpr std::size_t kApart = 1'000'000; // places of one part are fewer
    for (std::size_t at = line.find(".L"); at != std::string_view::npos; at = line.find(".L")) {
        out += line.substr(0, at + 2);
        line.remove_prefix(at + 2);
        const std::size_t word = std::min(line.find_first_of("0123456789"), line.size());
        const std::string_view kind = line.substr(0, word);
        const bool of_function = std::ranges::find(kOfFunctions, kind) != kOfFunctions.end();
        if (!of_function && kind != "tmp") continue;
        std::size_t number = 0;
        const char* end = std::from_chars(line.data() + word, line.data() + line.size(), number).ptr;
        out += kind;
        out += std::to_string(of_function ? function : number + part * kApart);
        line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
    out += line;
    out += '\n';
}

/// Goes through the functions of one part's text.
class TextReader {
  public:
    explicit TextReader(std::string_view text) : rest_(text) {}
    /// Up to the name of the module: what the text begins with.
    std::string header() {
        std::string out;
        while (!rest_.empty()) {
            const std::string_view line = next();
            out += line;
            out += '\n';
            if (line.starts_with("\t.file\t\"")) break;
        }
        return out;
    }
    /// Visits the lines of the next function, from its constants to its size.
    template <class F> void function(F&& visit) {
        while (!rest_.empty()) {
            const std::string_view line = next();
            visit(line);
            if (!line.starts_with("\t.size\t")) continue;
            if (rest_.starts_with("\t.cfi_endproc")) visit(next());
            return;
        }
    }

  private:
    std::string_view next() {
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        const std::string_view line = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return line;
    }
    std::string_view rest_;
};

} // namespace

std::vector<std::size_t> share_out(const llvm::Module& module) {
    std::vector<std::size_t> cost;
    for (const llvm::Function& function : module)
        if (!function.isDeclaration()) cost.push_back(kCostOfAny + function.getInstructionCount());
    std::vector<std::size_t> out(cost.size(), 0);
    const llvm::Triple triple(module.getTargetTriple());
    if (!triple.isOSBinFormatELF() || (!triple.isX86() && !triple.isAArch64())) return out;
    std::vector<std::size_t> order(cost.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
    std::array<std::size_t, kParts> sums{};
    for (const std::size_t function : order) {
        const auto least = static_cast<std::size_t>(std::ranges::min_element(sums) - sums.begin());
        out[function] = least;
        sums[least] += cost[function];
    }
    return out;
}

void keep_part(llvm::Module& module, std::span<const std::size_t> part_of, std::size_t part) {
    std::size_t next = 0;
    for (llvm::Function& function : module) {
        if (function.isDeclaration() || part_of[next++] == part) continue;
        function.deleteBody();
        function.setDSOLocal(true); // it is called as what it is, a function of the same file
    }
}

Listing join_ir(std::span<const Listing> parts) {
    std::unordered_map<std::string_view, Lines> definitions;
    std::vector<std::vector<Lines>> blocks;
    for (const Listing& part : parts) {
        blocks.push_back(blocks_of(part));
        for (const Lines& block : blocks.back())
            if (block[0].text.starts_with("define ")) definitions.emplace(function_name(block[0].text), block);
    }
    Listing out;
    const auto add = [&out](const Lines& block, bool apart) {
        if (apart && !out.lines.empty()) out.lines.emplace_back();
        out.lines.insert(out.lines.end(), block.begin(), block.end());
    };
    std::unordered_map<std::string_view, bool> declared;
    bool first_of_kind = true; // variables and types stand together
    for (std::size_t part = 0; part < blocks.size(); ++part)
        for (const Lines& block : blocks[part]) {
            const std::string& line = block[0].text;
            const bool is_function = line.starts_with("define ") || line.starts_with("declare ");
            if (!is_function) {
                if (part == 0) add(block, first_of_kind);
                first_of_kind = false;
                continue;
            }
            if (!declared.emplace(function_name(line), true).second) continue;
            const auto definition = definitions.find(function_name(line));
            add(definition == definitions.end() ? block : definition->second, true);
        }
    return out;
}

std::string join_assembly(std::span<const std::string> parts, std::span<const std::size_t> part_of) {
    std::vector<TextReader> readers(parts.begin(), parts.end());
    std::string out, files;
    for (TextReader& reader : readers) {
        std::string header = reader.header();
        if (out.empty()) out = std::move(header);
    }
    std::string functions;
    for (std::size_t function = 0; function < part_of.size(); ++function) {
        const std::size_t part = part_of[function];
        functions += "\t.text\n";
        readers[part].function([&](std::string_view line) {
            if (!numbers_file(line)) return relabel(line, function, part, functions);
            if (part != 0) return;
            files += line;
            files += '\n';
        });
    }
    return out + files + functions;
}

} // namespace orrery::codegen
