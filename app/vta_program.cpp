#include "app/vta_program.hpp"

#include "core/base/file.hpp"
#include "vta-sim/assembler.hpp"
#include "vta-sim/examples.hpp"
#include "vta-sim/trace.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace orrery::app {
namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 32;
constexpr std::uint64_t kTraceSamples = 4096; ///< of a memory's occupancy, each an event of the trace

bool is_preset(const std::string& name) {
    return std::ranges::find(vta::preset_names(), name) != vta::preset_names().end();
}
bool is_example(const std::string& name) {
    return std::ranges::find(vta::examples(), name, &vta::Example::name) != vta::examples().end();
}

Code code_of(vta::ErrorCode code) {
    switch (code) {
    case vta::ErrorCode::BadConfig: return Code::BadArgument;
    case vta::ErrorCode::BadJson:
    case vta::ErrorCode::BadSyntax:
    case vta::ErrorCode::BadEncoding:
    case vta::ErrorCode::FieldOverflow: return Code::BadText;
    case vta::ErrorCode::UnknownName: return Code::UnknownName;
    case vta::ErrorCode::BadFile: return Code::FileUnreadable;
    case vta::ErrorCode::IllegalTile:
    case vta::ErrorCode::IllegalShape: return Code::BadShape;
    case vta::ErrorCode::IllegalKernel:
    case vta::ErrorCode::OutOfDram: return Code::BadArgument;
    case vta::ErrorCode::Stopped: return Code::Cancelled;
    }
    return Code::BadArgument;
}

template <class T> std::string joined(const T& items) {
    std::string text;
    for (const auto& item : items) text += (text.empty() ? "" : " ") + std::string(item);
    return text;
}

} // namespace

Diagnostic to_diagnostic(const vta::Error& error) {
    Diagnostic d{code_of(error.code), error.message, {}, {}};
    if (!error.where.empty()) d.locations.emplace_back(FileOffset{error.where});
    return d;
}

Result<vta::Config> load_vta_config(const std::string& name) {
    if (is_preset(name)) return vta::preset(name).value();
    std::error_code ignored;
    if (!std::filesystem::exists(name, ignored))
        return Diagnostic{Code::FileMissing,
                          "there is no preset and no file named " + name,
                          {},
                          "presets: " + joined(vta::preset_names())};
    ORRERY_TRY(const std::string text, read_file(name, 1 << 20));
    vta::Result<vta::Config> config = vta::config_from_json(text);
    if (!config) return to_diagnostic(config.error());
    return *std::move(config);
}

Result<vta::Program> load_vta_file(const std::string& path) {
    ORRERY_TRY(const std::string text, read_file(path, kMostFileBytes));
    const bool binary = text.starts_with("ORVTAPRG");
    const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    vta::Result<vta::Program> program = binary ? vta::program_from_bytes(bytes) : vta::assemble(text);
    if (program) return *std::move(program);
    Diagnostic error = to_diagnostic(program.error());
    error.locations.insert(error.locations.begin(), FileOffset{path});
    return error;
}

Result<views::VtaRequest> load_vta_request(const std::string& program, const std::string& config, int threads) {
    views::VtaRequest request;
    request.contexts = threads;
    std::error_code ignored;
    if (is_example(program) && !std::filesystem::exists(program, ignored)) {
        request.example = program;
        ORRERY_TRY(request.config, load_vta_config(config.empty() ? kVtaPreset : config));
        return request;
    }
    if (!std::filesystem::exists(program, ignored)) {
        std::string names;
        for (const vta::Example& example : vta::examples()) names += " " + std::string(example.name);
        return Diagnostic{
            Code::FileMissing, "there is no example and no file named " + program, {}, "examples:" + names};
    }
    ORRERY_TRY(vta::Program file, load_vta_file(program));
    request.config = file.config;
    if (!config.empty()) { ORRERY_TRY(request.config, load_vta_config(config)); }
    request.file = std::make_shared<const vta::Program>(std::move(file));
    request.file_title = std::filesystem::path(program).filename().string();
    return request;
}

Result<void> write_vta_trace(const views::VtaRun& run, const std::string& path) {
    const std::optional<vta::Occupancy> occupancy = views::build_vta_occupancy(run, kTraceSamples);
    std::ofstream out(path, std::ios::binary);
    if (out) vta::write_chrome_trace(out, run.program, run.cycles, {.occupancy = occupancy ? &*occupancy : nullptr});
    if (out.flush()) return {};
    return Diagnostic{Code::FileUnwritable, "cannot write the trace", {FileOffset{path}}, {}};
}

} // namespace orrery::app
