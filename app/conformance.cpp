#include "app/conformance.hpp"

#include "app/conformance_pool.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace orrery::app {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMaxDepth = 3; // of folders above a case

/// A case has a model, or says in data.json where its files would come from.
bool is_case(const fs::path& folder) { return fs::exists(folder / "model.onnx") || fs::exists(folder / "data.json"); }

void find_cases(const fs::path& folder, int depth, std::vector<fs::path>& out) {
    if (is_case(folder)) {
        out.push_back(folder);
        return;
    }
    std::error_code error;
    if (depth == 0) return;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
        if (entry.is_directory()) find_cases(entry.path(), depth - 1, out);
}

/// Text in and out of models may be any bytes; JSON holds UTF-8.
std::string dumped(const json& value, int indent) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

std::string packed(const ConformanceCase& one) {
    return dumped({{"status", static_cast<int>(one.status)},
                   {"reason", one.reason},
                   {"op_type", one.op_type},
                   {"seconds", one.seconds}},
                  -1);
}

void unpack(const ItemResult& item, ConformanceCase& one) {
    if (item.end != ItemResult::End::Answered) {
        one.status = CaseStatus::Failed;
        one.reason = item.text;
        return;
    }
    const json value = json::parse(item.text);
    one.status = static_cast<CaseStatus>(value["status"].get<int>());
    one.reason = value["reason"].get<std::string>();
    one.op_type = value["op_type"].get<std::string>();
    one.seconds = value["seconds"].get<double>();
}

} // namespace

std::string_view to_string(CaseStatus status) {
    switch (status) {
    case CaseStatus::Passed: return "passed";
    case CaseStatus::Failed: return "failed";
    case CaseStatus::Unsupported: return "unsupported";
    }
    fail_internal("to_string covers every status");
}

Result<ConformanceReport> run_conformance(const fs::path& folder, const ModuleRunner& runner,
                                          const ConformanceOptions& options, const Progress& progress) {
    std::vector<fs::path> folders;
    find_cases(folder, kMaxDepth, folders);
    if (folders.empty())
        return Diagnostic{Code::FileMissing,
                          "no test cases are below the folder",
                          {FileOffset{folder.string(), -1}},
                          "a case is a folder with model.onnx; Debian's package libonnx-testdata has them below "
                          "/usr/share/libonnx-testdata/data"};
    std::ranges::sort(folders);
    const auto work = [&](std::size_t i) { return packed(run_case(folders[i], runner, options)); };
    ORRERY_TRY(const std::vector<ItemResult> items,
               run_in_processes(folders.size(), work, {options.workers, options.case_seconds}, progress));

    ConformanceReport report;
    for (std::size_t i = 0; i < folders.size(); ++i) {
        ConformanceCase one;
        const fs::path relative = folders[i].lexically_relative(folder);
        one.name = relative == "." ? folders[i].filename().string() : relative.generic_string();
        unpack(items[i], one);
        (one.status == CaseStatus::Passed   ? report.passed
         : one.status == CaseStatus::Failed ? report.failed
                                            : report.unsupported)++;
        if (one.status == CaseStatus::Unsupported)
            ++report.unsupported_operators[one.op_type.empty() ? "(none)" : one.op_type];
        report.cases.push_back(std::move(one));
    }
    return report;
}

std::string to_json(const ConformanceReport& report) {
    json cases = json::array();
    for (const ConformanceCase& one : report.cases)
        cases.push_back({{"name", one.name}, {"status", to_string(one.status)}, {"reason", one.reason}});
    return dumped({{"passed", report.passed},
                   {"failed", report.failed},
                   {"unsupported", report.unsupported},
                   {"unsupported_operators", report.unsupported_operators},
                   {"cases", std::move(cases)}},
                  2);
}

std::string to_text(const ConformanceReport& report) {
    std::string text;
    for (const ConformanceCase& one : report.cases)
        text +=
            std::string(to_string(one.status)) + "  " + one.name + (one.reason.empty() ? "" : "  " + one.reason) + "\n";
    if (!report.unsupported_operators.empty()) text += "unsupported, by operator:\n";
    for (const auto& [name, count] : report.unsupported_operators)
        text += "  " + name + ": " + std::to_string(count) + "\n";
    return text + std::to_string(report.passed) + " passed, " + std::to_string(report.failed) + " failed, " +
           std::to_string(report.unsupported) + " unsupported of " + std::to_string(report.cases.size()) + "\n";
}

} // namespace orrery::app
