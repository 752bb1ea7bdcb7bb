// The program that runs: `start`, in LLVM's own language so that no compiler for the machine is needed but LLVM, which
// is there anyway; each array a zeroed global; the system asked by its own instruction.

#include "tests/portable/emulator.hpp"

#include "core/base/file.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>

namespace orrery::portable {

namespace {

namespace fs = std::filesystem;

/// A folder that goes away with everything in it.
struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "orrery-emulated-XXXXXX").string();
        if (mkdtemp(name.data())) path = name;
    }
    ~Folder() {
        std::error_code error;
        if (!path.empty()) fs::remove_all(path, error);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
};

bool in_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path ? path : "");
    for (std::string folder; std::getline(folders, folder, ':');)
        if (std::error_code error; fs::exists(fs::path(folder) / program, error)) return true;
    return false;
}

/// How a machine asks Linux: its instruction, where that takes numbers from, and what three calls are.
struct System {
    const char *instruction, *constraints;
    int read, write, exit;
};
System system_of(const Machine& machine) {
    if (std::string_view(machine.target).find("aarch64") != std::string_view::npos)
        return {"svc #0", "={x0},{x8},{x0},{x1},{x2},~{memory}", 63, 64, 93};
    return {"syscall", "={rax},{rax},{rdi},{rsi},{rdx},~{rcx},~{r11},~{memory}", 0, 1, 60};
}

std::int64_t bytes_of(const lower::LoweredValue& value) {
    std::int64_t bytes = byte_size(value.dtype);
    for (const std::int64_t extent : value.shape) bytes *= extent;
    return bytes;
}

class Start {
  public:
    Start(const session::CompiledModel& model, const Machine& machine) : model_(model), system_(system_of(machine)) {}

    std::string text() {
        std::ostringstream body;
        for (std::size_t id = 0; id < model_.model.values.size(); ++id) {
            const lower::LoweredValue& value = model_.model.values[id];
            if (value.host < 0) global(name(id), bytes_of(value));
        }
        for (const std::uint32_t id : reads())
            body << ask(system_.read, 0, name(id), bytes_of(model_.model.values[id]));
        for (const lower::LoweredCall& call : model_.model.calls) body << called(call);
        for (const std::uint32_t id : model_.model.outputs)
            body << ask(system_.write, 1, name(id), bytes_of(model_.model.values[id]));
        body << ask(system_.exit, 0, "null", 0);
        for (const lower::LoweredFunction& function : model_.model.functions)
            globals_ << "declare void @\"" << function.name << "\"(ptr, ptr)\n";
        return globals_.str() + kSerial + "define void @_start() \"stackrealign\" nounwind {\n" + body.str() +
               "  ret void\n}\n";
    }

    /// Constants, then inputs: what the program reads.
    [[nodiscard]] std::vector<std::uint32_t> reads() const {
        std::vector<std::uint32_t> out;
        for (std::uint32_t id = 0; id < model_.model.values.size(); ++id)
            if (model_.model.values[id].storage == runtime::Storage::Constant) out.push_back(id);
        out.insert(out.end(), model_.model.inputs.begin(), model_.model.inputs.end());
        return out;
    }

  private:
    static constexpr const char* kSerial = R"(
define internal void @serial(ptr %context, i64 %extent, ptr %body, ptr %closure) {
  call void %body(i64 0, i64 %extent, ptr %closure)
  ret void
}
@context = internal global { ptr, i32, ptr } { ptr @serial, i32 1, ptr null }
)";
    static std::string name(std::size_t id) { return "@value" + std::to_string(id); }
    [[nodiscard]] std::string place(std::size_t id) const {
        const lower::LoweredValue& value = model_.model.values[id];
        if (value.host < 0) return name(id);
        return "getelementptr (i8, ptr " + name(static_cast<std::size_t>(value.host)) + ", i64 " +
               std::to_string(value.host_offset) + ")";
    }
    void global(const std::string& name, std::int64_t bytes) {
        globals_ << name << " = internal global [" << std::max<std::int64_t>(bytes, 1)
                 << " x i8] zeroinitializer, align 64\n";
    }
    std::string ask(int what, int file, const std::string& from, std::int64_t bytes) const {
        return "  call i64 asm sideeffect \"" + std::string(system_.instruction) + "\", \"" + system_.constraints +
               "\"(i64 " + std::to_string(what) + ", i64 " + std::to_string(file) + ", ptr " + from + ", i64 " +
               std::to_string(bytes) + ")\n";
    }
    std::string called(const lower::LoweredCall& call) {
        const std::string number = std::to_string(calls_++);
        std::string args, workspace = "null";
        std::size_t count = 1;
        for (const std::vector<std::uint32_t>* ids : {&call.args, &call.results})
            for (const std::uint32_t id : *ids) args += "ptr " + place(id) + ", ", ++count;
        if (const std::size_t bytes = model_.objects[call.function].workspace_bytes; bytes > 0) {
            workspace = "@workspace" + number;
            global(workspace, static_cast<std::int64_t>(bytes));
        }
        globals_ << "@args" << number << " = internal global [" << count << " x ptr] [" << args << "ptr " << workspace
                 << "]\n";
        return "  call void @\"" + model_.model.functions[call.function].name + "\"(ptr @args" + number +
               ", ptr @context)\n";
    }

    const session::CompiledModel& model_;
    System system_;
    std::ostringstream globals_;
    std::size_t calls_ = 0;
};

Result<void> command(const std::string& line, const Folder& folder) {
    if (std::system((line + " 2> " + folder.file("said")).c_str()) == 0) return {};
    const Result<std::string> said = read_file(folder.file("said"));
    return Diagnostic{Code::ProcessFailed, line + ": " + (said ? *said : ""), {}, {}};
}

/// The instruction a line of the emulator's disassembly shows: an address, its bytes, its name. Empty for a line that
/// only goes on with bytes.
std::string_view name_in(std::string_view line) {
    std::size_t at = line.find(':');
    while (at != std::string_view::npos) {
        at = line.find_first_not_of(": ", at);
        if (at == std::string_view::npos) return {};
        const std::string_view word = line.substr(at, line.find(' ', at) - at);
        const bool bytes = (word.size() == 2 || word.size() == 8) &&
                           word.find_first_not_of("0123456789abcdef") == std::string_view::npos;
        if (!bytes) return word;
        at = line.find(' ', at);
    }
    return {};
}

/// Blocks of code with how often each was run. A line "IN:" begins a block's instructions, a line "Trace" is one run.
std::map<std::string, std::int64_t> count_log(const std::string& path) {
    struct Block {
        std::vector<std::string> names;
        std::int64_t runs = 0;
    };
    std::unordered_map<std::uint64_t, Block> blocks;
    Block* open = nullptr;
    bool begins = false;
    std::ifstream log(path);
    for (std::string line; std::getline(log, line);) {
        const auto number = [&line](std::size_t at) {
            std::uint64_t value = 0;
            std::from_chars(line.data() + at, line.data() + line.size(), value, 16);
            return value;
        };
        if (line.starts_with("Trace")) {
            ++blocks[number(line.find('/') + 1)].runs;
        } else if (line.starts_with("IN:")) {
            begins = true;
        } else if (line.starts_with("0x")) {
            if (begins) *(open = &blocks[number(2)]) = {};
            begins = false;
            if (const std::string_view name = name_in(line); !name.empty()) open->names.emplace_back(name);
        }
    }
    std::map<std::string, std::int64_t> executed;
    for (const auto& [address, block] : blocks)
        for (const std::string& name : block.names) executed[name] += block.runs;
    return executed;
}

} // namespace

std::int64_t EmulatedRun::instructions() const { return count(""); }

std::int64_t EmulatedRun::count(std::string_view begin) const {
    std::int64_t sum = 0;
    for (const auto& [name, times] : executed)
        if (name.starts_with(begin)) sum += times;
    return sum;
}

std::string missing_for(const Machine& machine) {
    const std::string emulator(machine.emulator);
    for (const std::string& program :
         {emulator.substr(0, emulator.find(' ')), std::string("llc-19"), std::string("ld.lld-19")})
        if (!in_path(program)) return program;
    return {};
}

Result<EmulatedRun> emulate(const session::CompiledModel& model, const std::vector<NDArray>& inputs,
                            const Machine& machine) {
    const Folder folder;
    Start start(model, machine);
    ORRERY_CHECK_OK(write_file(folder.file("start.ll"), start.text()));
    std::string objects = folder.file("start.o"), data;
    for (std::size_t i = 0; i < model.objects.size(); ++i) {
        const std::string path = folder.file(std::to_string(i) + ".o");
        ORRERY_CHECK_OK(write_file(path, model.objects[i].object));
        objects += " " + path;
    }
    std::size_t next = 0;
    for (const std::uint32_t id : start.reads()) {
        const lower::LoweredValue& value = model.model.values[id];
        const NDArray& array =
            value.storage == runtime::Storage::Constant ? model.model.constants[value.index] : inputs[next++];
        data.append(static_cast<const char*>(array.data()), static_cast<std::size_t>(array.bytes()));
    }
    ORRERY_CHECK_OK(write_file(folder.file("in"), data));
    const std::string target(machine.target), triple = target.substr(target.find("-mtriple="));
    ORRERY_CHECK_OK(command("llc-19 " + triple.substr(0, triple.find(' ')) + " -filetype=obj " +
                                folder.file("start.ll") + " -o " + folder.file("start.o"),
                            folder));
    ORRERY_CHECK_OK(command("ld.lld-19 -static -o " + folder.file("run") + " " + objects, folder));
    ORRERY_CHECK_OK(command(std::string(machine.emulator) + " -d in_asm,exec,nochain -D " + folder.file("log") + " " +
                                folder.file("run") + " < " + folder.file("in") + " > " + folder.file("out"),
                            folder));
    ORRERY_TRY(const std::string out, read_file(folder.file("out")));
    EmulatedRun run;
    std::size_t at = 0;
    for (const std::uint32_t id : model.model.outputs) {
        const lower::LoweredValue& value = model.model.values[id];
        const auto bytes = static_cast<std::size_t>(bytes_of(value));
        if (at + bytes > out.size())
            return Diagnostic{Code::ProcessFailed, "the emulated program wrote too little", {}, {}};
        run.outputs.push_back(NDArray::copy_of(value.dtype, value.shape, out.data() + at, bytes));
        at += bytes;
    }
    run.executed = count_log(folder.file("log"));
    return run;
}

} // namespace orrery::portable
