#include "backends/llvm/kernel_name.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "backends/llvm/machine.hpp"
#include "backends/llvm/pipeline.hpp"
#include "core/base/file.hpp"
#include "core/runtime/externs.hpp"

#include <llvm/IR/Constants.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/Program.h>
#include <llvm/Target/TargetMachine.h>

#include <dlfcn.h>

#include <cmath>

namespace orrery {

namespace {

namespace fs = std::filesystem;

/// A folder that goes away with everything in it.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "orrery-XXXXXX").string();
        if (!error && mkdtemp(name.data())) path = name;
    }
    ~TemporaryFolder() {
        std::error_code error;
        if (!path.empty()) fs::remove_all(path, error);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    fs::path path; ///< empty when there is none
};

Result<std::string> blob_object(std::span<const std::byte> blob, const Target& target) {
    ORRERY_TRY(codegen::TargetMachinePtr machine, codegen::make_target_machine(target, 0));
    llvm::LLVMContext context;
    llvm::Module module("module", context);
    module.setTargetTriple(machine->getTargetTriple().str());
    module.setDataLayout(machine->createDataLayout());
    const llvm::StringRef bytes(reinterpret_cast<const char*>(blob.data()), blob.size());
    llvm::Constant* data = llvm::ConstantDataArray::getString(context, bytes, false);
    auto* global = new llvm::GlobalVariable(module, data->getType(), true, llvm::GlobalValue::ExternalLinkage, data,
                                            "orrery_module");
    global->setAlignment(llvm::Align(64));
    return codegen::generate(module, *machine, codegen::FileKind::Object);
}

/// The C math library of this process, for a module made for this machine to name.
std::string math_library() {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(static_cast<double (*)(double)>(::tanh)), &info) == 0 || !info.dli_fname)
        return {};
    const std::string name = info.dli_fname;
    return name.find("libm.so") == std::string::npos ? std::string() : name;
}

/// The extern function that the object calls, when it calls one: those exist in this process only.
std::string extern_called_by(const KernelObject& object) {
    const llvm::MemoryBufferRef memory(object.object, object.symbol);
    llvm::Expected<std::unique_ptr<llvm::object::ObjectFile>> file = llvm::object::ObjectFile::createObjectFile(memory);
    if (!file) return llvm::consumeError(file.takeError()), std::string(); // the linker says what is wrong with it
    for (const llvm::object::SymbolRef& symbol : (*file)->symbols()) {
        llvm::Expected<std::uint32_t> flags = symbol.getFlags();
        llvm::Expected<llvm::StringRef> name = symbol.getName();
        const bool undefined = flags && (*flags & llvm::object::SymbolRef::SF_Undefined) != 0;
        if (!flags) llvm::consumeError(flags.takeError());
        if (!name) {
            llvm::consumeError(name.takeError());
        } else if (undefined) {
            const std::string text = name->str();
            for (const std::string& known : runtime::extern_symbols())
                if (codegen::extern_symbol(known) == text) return known;
        }
    }
    return {};
}

Result<void> run_linker(const std::vector<std::string>& inputs, const fs::path& output, const fs::path& folder) {
    llvm::ErrorOr<std::string> linker = llvm::sys::findProgramByName("ld.lld-19");
    if (!linker) linker = llvm::sys::findProgramByName("ld.lld");
    if (!linker)
        return Diagnostic{Code::ProcessFailed,
                          "there is no linker: ld.lld-19 is not in the PATH",
                          {},
                          "install Debian's package lld-19"};
    std::vector<std::string> words = {*linker, "-shared", "--gc-sections", "-o", output.string()};
    words.insert(words.end(), inputs.begin(), inputs.end());
    const std::vector<llvm::StringRef> arguments(words.begin(), words.end());
    const std::string log = (folder / "log").string();
    std::string why;
    const std::vector<std::optional<llvm::StringRef>> redirects = {std::nullopt, llvm::StringRef(log),
                                                                   llvm::StringRef(log)};
    const int status = llvm::sys::ExecuteAndWait(*linker, arguments, std::nullopt, redirects, 0, 0, &why);
    if (status == 0) return {};
    const Result<std::string> said = read_file(log);
    return Diagnostic{Code::ProcessFailed, "linking failed: " + (said && !said->empty() ? *said : why), {}, ""};
}

} // namespace

Result<void> link_module(std::span<const KernelObject> objects, std::span<const std::byte> blob, const Target& target,
                         const fs::path& path) {
    for (const KernelObject& object : objects)
        if (const std::string called = extern_called_by(object); !called.empty())
            return Diagnostic{Code::UnsupportedFeature,
                              object.symbol + " calls the extern function " + called +
                                  ", which no module file can hold",
                              {ProgramPlace{object.symbol, {}}},
                              "write an object file (.o) and link it with the function, or take the call out of the "
                              "schedule"};
    const TemporaryFolder folder;
    if (folder.path.empty())
        return Diagnostic{Code::FileUnwritable, "there is no folder for temporary files", {}, "set TMPDIR"};
    ORRERY_TRY(const std::string data, blob_object(blob, target));
    std::vector<std::string> inputs;
    const auto add = [&](const std::string& content) -> Result<void> {
        inputs.push_back((folder.path / (std::to_string(inputs.size()) + ".o")).string());
        return write_file(inputs.back(), content);
    };
    ORRERY_CHECK_OK(add(data));
    for (const KernelObject& object : objects) ORRERY_CHECK_OK(add(object.object));
    const Target host = codegen::host_target();
    if (const std::string library = math_library();
        !library.empty() && (target.triple.empty() || target.triple == host.triple))
        inputs.push_back(library);
    const fs::path linked = folder.path / "module.so";
    ORRERY_CHECK_OK(run_linker(inputs, linked, folder.path));
    ORRERY_TRY(const std::string module, read_file(linked));
    return write_file(path, module);
}

} // namespace orrery
