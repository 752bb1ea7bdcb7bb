#pragma once
// The program under test as a process of its own: what it prints and how it ends. Its path is in ORRERY_BINARY.

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/wait.h>

namespace orrery::tests {

struct Outcome {
    int status = -1; ///< -1 when a signal ended it
    std::string text;
};

/// What a shell writes to standard output for a line; "2>&1" at its end adds standard error.
inline Outcome run_line(const std::string& line) {
    Outcome out;
    FILE* pipe = popen(line.c_str(), "r");
    REQUIRE(pipe != nullptr);
    char buffer[4096];
    for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.text.append(buffer, got);
    const int status = pclose(pipe);
    if (WIFEXITED(status)) out.status = WEXITSTATUS(status);
    return out;
}

/// orrery with these arguments, as text for a shell.
inline std::string orrery_line(const std::string& arguments) {
    const char* program = std::getenv("ORRERY_BINARY");
    if (!program) FAIL("ORRERY_BINARY names no program");
    return std::string("'") + program + "' " + arguments;
}

/// A folder of the test's own, gone with it.
struct TestFolder {
    std::filesystem::path path;
    TestFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "orrery-test-XXXXXX").string();
        path = ::mkdtemp(name.data());
    }
    ~TestFolder() { std::filesystem::remove_all(path); }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
};

/// Keeps records of what it measures in a file of its own.
struct MeasuringProgram {
    TestFolder folder;
    [[nodiscard]] std::string file(const std::string& name) const { return folder.file(name); }
    [[nodiscard]] Outcome run(const std::string& arguments, const std::string& errors = "2>&1",
                              const std::string& records = "records.db") const {
        return run_line("env -u ORRERY_WORKER ORRERY_RECORDS='" + file(records) + "' " + orrery_line(arguments) + " " +
                        errors);
    }
};

} // namespace orrery::tests
