#include "core/session/provenance.hpp"

namespace orrery::session {

namespace {

bool is_instruction(const std::string& text) {
    return !text.empty() && (text.front() == ' ' || text.front() == '\t') && text.back() != ':';
}

LinkedLines count(const Listing& listing, const std::vector<tensor::PrintedLine>& printed) {
    LinkedLines out;
    for (const ListingLine& line : listing.lines) {
        if (!is_instruction(line.text)) continue;
        const auto at = static_cast<std::size_t>(line.tensor_line);
        ++out.lines;
        out.linked += line.tensor_line > 0 && at <= printed.size() && !printed[at - 1].origin.empty() ? 1 : 0;
    }
    return out;
}

} // namespace

LinkedLines& LinkedLines::operator+=(const LinkedLines& other) {
    lines += other.lines;
    linked += other.linked;
    return *this;
}

Provenance::Row provenance_of(const ScheduledFunction& function, const FunctionCode& code) {
    Provenance::Row row;
    row.function = function.lowered.name;
    for (const tensor::PrintedLine& line : function.printed.lines) {
        ++row.tensor.lines;
        row.tensor.linked += line.origin.empty() ? 0 : 1;
    }
    row.ir = count(code.optimized_ir, function.printed.lines);
    row.assembly = count(code.assembly, function.printed.lines);
    return row;
}

Result<Provenance> provenance(Compiler& compiler, const Recipe& recipe, const std::vector<FunctionPtr>& functions,
                              const Progress& progress) {
    Provenance out;
    for (const FunctionPtr& function : functions) {
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "counting links was cancelled", {}, {}};
        if (function->error) return *function->error;
        if (!function->lowered.backend.empty()) {
            ++out.regions;
            continue;
        }
        ORRERY_TRY(const auto code, compiler.code(recipe, function));
        out.rows.push_back(provenance_of(*function, *code));
        out.tensor += out.rows.back().tensor;
        out.ir += out.rows.back().ir;
        out.assembly += out.rows.back().assembly;
    }
    return out;
}

} // namespace orrery::session
