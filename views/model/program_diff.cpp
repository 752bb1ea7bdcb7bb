#include "views/model/program_diff.hpp"

#include <cstdint>
#include <utility>

namespace orrery::views {

DiffText diff_text(const tensor::PrintedProgram& program) {
    DiffText text;
    text.language = TextLanguage::Tensor;
    for (const tensor::PrintedLine& line : program.lines) {
        DiffLine out;
        out.text = line.text, out.origins = line.origin;
        text.lines.push_back(std::move(out));
    }
    return text;
}

std::vector<SequencePair> shared_statements(const tensor::PrintedProgram& before, const tensor::PrintedProgram& after) {
    std::vector<std::uint32_t> left, right;
    for (std::uint32_t line = 0; line < after.lines.size(); ++line) {
        const tensor::Node* node = after.lines[line].node;
        const auto same = node == nullptr ? before.line_of.end() : before.line_of.find(node);
        if (same == before.line_of.end() || same->second < 1) continue;
        left.push_back(static_cast<std::uint32_t>(same->second) - 1);
        right.push_back(line);
    }
    std::vector<SequencePair> pairs;
    for (const std::uint32_t k : longest_increasing(left)) pairs.push_back({left[k], right[k]});
    return pairs;
}

} // namespace orrery::views
