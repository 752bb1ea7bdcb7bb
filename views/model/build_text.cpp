// Tensor programs and generated code as text with links.

#include "views/model/session_views.hpp"

#include "core/session/dynamic_model.hpp"
#include "core/session/prediction.hpp"
#include "views/model/machine_view.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>

namespace orrery::views {

namespace {

std::string number(double value, const char* format) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

/// "30 zmm, 2 spills"-like facts of an assembly listing: distinct vector registers of each width.
std::string register_note(const Listing& listing) {
    std::string note;
    for (const char* width : {"zmm", "ymm", "xmm"}) {
        std::set<std::string> names;
        for (const ListingLine& line : listing.lines)
            for (std::size_t at = line.text.find(width); at != std::string::npos; at = line.text.find(width, at + 1)) {
                std::size_t end = at + 3;
                while (end < line.text.size() && std::isdigit(static_cast<unsigned char>(line.text[end]))) ++end;
                names.insert(line.text.substr(at, end - at));
            }
        if (names.empty()) continue;
        note += " · " + std::to_string(names.size()) + " " + width;
    }
    return note;
}

/// " · 94 % linked": instructions that know their line of the tensor program.
std::string linked_note(const Listing& listing) {
    int instructions = 0, linked = 0;
    for (const ListingLine& line : listing.lines) {
        if (line.text.empty() || (line.text[0] != ' ' && line.text[0] != '\t')) continue;
        ++instructions;
        linked += line.tensor_line > 0 ? 1 : 0;
    }
    return instructions == 0 ? std::string() : " · " + std::to_string(100 * linked / instructions) + " % linked";
}

const Listing& assembly_of(const FunctionCode& code, const ViewOptions& options) {
    return options.att_syntax && !code.att.lines.empty() ? code.att : code.assembly;
}

/// The share of the kernel's predicted time that each line's loop takes.
std::vector<float> loop_heat(const session::ScheduledFunction& function, const FunctionCode& code) {
    std::vector<float> heat(code.assembly.lines.size(), 0);
    for (const session::PredictedLoop& predicted : session::predict(function, code).loops) {
        const LoopCost& loop = code.cost.loops[predicted.loop];
        for (std::size_t i = loop.first; i <= loop.last; ++i) heat[i] = static_cast<float>(predicted.share);
    }
    return heat;
}

} // namespace

std::string why_no_kernels(const session::Snapshot& snapshot) {
    if (snapshot.has_model() && snapshot.steps.back()->error)
        return "There are no kernels: " + snapshot.steps.back()->name + " failed. Mend it, switch it off, or undo.";
    if (!snapshot.compiled || !snapshot.compiled->dynamic) return {};
    const Diagnostic why = session::why_dynamic(snapshot.compiled->dynamic->imported());
    std::string text = why.message + (why.hint.empty() ? "." : ". Double-click the import stage to set them.");
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    return text;
}

std::string in_columns(const std::string& line) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == 0 || begin == std::string::npos) return line;
    const std::size_t end = line.find_first_of(" \t", begin);
    if (end == std::string::npos) return "\t" + line.substr(begin);
    const std::size_t rest = line.find_first_not_of(" \t", end);
    return "\t" + line.substr(begin, end - begin) + (rest == std::string::npos ? "" : "\t" + line.substr(rest));
}

TextViewData build_tensor(const session::Snapshot& snapshot, const ViewOptions& options) {
    TextViewData data;
    data.language = TextLanguage::Tensor;
    data.title = "Tensor program";
    data.empty_reason = "Open a model: the loops of each kernel appear here.";
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (const std::string why = why_no_kernels(snapshot); !why.empty()) data.empty_reason = why;
    if (!function) return data;
    data.subject = function->lowered.name;
    const auto& programs = function->replay.programs;
    const bool last = options.tensor_step < 0 || static_cast<std::size_t>(options.tensor_step) + 1 >= programs.size();
    const tensor::PrintedProgram earlier =
        last ? tensor::PrintedProgram{}
             : tensor::print_program(programs[static_cast<std::size_t>(options.tensor_step)]);
    const tensor::PrintedProgram& printed = last ? function->printed : earlier;
    if (!last)
        data.note = options.tensor_step == 0
                        ? "as lowered"
                        : "after " + schedule::to_string(
                                         function->trace.steps[static_cast<std::size_t>(options.tensor_step) - 1]);
    else
        data.note = number(function->cost.flops / 1e6, "%.1f MFLOP") + " · " + std::to_string(function->lowered.calls) +
                    (function->lowered.calls == 1 ? " call" : " calls");

    std::vector<int> depths;
    std::vector<bool> is_block;
    int line_number = 0;
    for (const tensor::PrintedLine& line : printed.lines) {
        ++line_number;
        depths.push_back(line.depth);
        is_block.push_back(line.node && line.node->kind == tensor::NodeKind::Block);
        data.links.push_back({line.origin, last ? line_number : 0, -1});
    }
    set_text(data, printed.text());
    data.links.resize(static_cast<std::size_t>(data.line_count()));
    is_block.resize(data.links.size(), false);
    data.folds = folds_by_depth(depths, data);
    tint_blocks(data, is_block);
    return data;
}

TextViewData build_code(const session::Snapshot& snapshot, const ViewOptions& options, CodeView which,
                        const TextViewData& tensor) {
    TextViewData data;
    const bool llvm = which == CodeView::Llvm;
    data.language = llvm ? TextLanguage::Llvm : TextLanguage::Assembly;
    data.title = llvm ? "LLVM IR" : "Assembly";
    data.empty_reason = llvm ? "Open a model: the LLVM IR of the selected kernel appears here."
                             : "Open a model: the machine code of the selected kernel appears here.";
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (const std::string why = why_no_kernels(snapshot); !why.empty()) data.empty_reason = why;
    if (function == nullptr) return data;
    data.subject = function->lowered.name;
    const auto code = snapshot.code.find(data.subject);
    if (code == snapshot.code.end()) {
        data.empty_reason = "Generating the code of " + data.subject + ".";
        return data;
    }
    const auto& passes = code->second->passes;
    const bool after_pass =
        llvm && !options.raw_ir && options.backend_pass >= 0 &&
        static_cast<std::size_t>(options.backend_pass) + 1 < passes.size(); // after the last is the optimized one
    const session::PassListing& asked = snapshot.after_pass;
    const bool there = asked.listing && asked.function == data.subject &&
                       asked.pass == static_cast<std::size_t>(std::max(0, options.backend_pass));
    const std::string pass_name = after_pass ? passes[static_cast<std::size_t>(options.backend_pass)].name : "";
    if (after_pass && !there) {
        data.empty_reason = "Generating the IR after " + pass_name + ".";
        return data;
    }
    const Listing& listing = after_pass       ? *asked.listing
                             : !llvm          ? assembly_of(*code->second, options)
                             : options.raw_ir ? code->second->ir
                                              : code->second->optimized_ir;
    const auto& printed = function->printed.lines;
    std::string text;
    for (const ListingLine& line : listing.lines) {
        text += llvm ? line.text : in_columns(line.text);
        text += '\n';
        LineLink link;
        link.tensor_line = line.tensor_line;
        if (line.tensor_line > 0 && static_cast<std::size_t>(line.tensor_line) <= printed.size())
            link.origins = printed[static_cast<std::size_t>(line.tensor_line) - 1].origin;
        data.links.push_back(std::move(link));
    }
    set_text(data, std::move(text));
    data.folds = folds_of(data);
    tint_like(data, tensor);
    if (!llvm) {
        data.details = instruction_details(*code->second);
        data.heat = loop_heat(*function, *code->second);
    }
    data.links.resize(static_cast<std::size_t>(data.line_count()));
    data.note =
        std::to_string(listing.lines.size()) + " lines" + (llvm ? "" : register_note(listing)) + linked_note(listing);
    if (llvm)
        data.note = (after_pass       ? "after " + pass_name + " · "
                     : options.raw_ir ? "as generated · "
                                      : "optimized · ") +
                    data.note;
    return data;
}

} // namespace orrery::views
