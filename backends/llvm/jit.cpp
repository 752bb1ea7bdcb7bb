#include "backends/llvm/jit.hpp"

#include "backends/llvm/kernel_name.hpp"
#include "backends/llvm/machine.hpp"
#include "core/runtime/externs.hpp"
#include "core/runtime/tile_registers.hpp"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Target/TargetMachine.h>

#include <cmath>
#include <cstring>

namespace orrery::codegen {

namespace {

Diagnostic failure(llvm::Error error) {
    return {Code::ProcessFailed, "kernels cannot be loaded: " + llvm::toString(std::move(error)), {}, ""};
}

/// What kernels may call: C's math functions, memory functions that LLVM may make of loops, and extern functions.
llvm::orc::SymbolMap allowed_symbols(llvm::orc::LLJIT& jit) {
    llvm::orc::SymbolMap map;
    const auto add = [&](const char* name, auto* function) {
        map[jit.mangleAndIntern(name)] = {llvm::orc::ExecutorAddr::fromPtr(function),
                                          llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
    };
    using One = double(double);
    using OneF = float(float);
    using Two = double(double, double);
    using TwoF = float(float, float);
#define ORRERY_ONE(name)                                                                                               \
    add(#name, static_cast<One*>(::name));                                                                             \
    add(#name "f", static_cast<OneF*>(::name##f))
    ORRERY_ONE(exp);
    ORRERY_ONE(log);
    ORRERY_ONE(sin);
    ORRERY_ONE(cos);
    ORRERY_ONE(tan);
    ORRERY_ONE(asin);
    ORRERY_ONE(acos);
    ORRERY_ONE(atan);
    ORRERY_ONE(sinh);
    ORRERY_ONE(cosh);
    ORRERY_ONE(tanh);
    ORRERY_ONE(asinh);
    ORRERY_ONE(acosh);
    ORRERY_ONE(atanh);
    ORRERY_ONE(erf);
    ORRERY_ONE(sqrt);
    ORRERY_ONE(floor);
    ORRERY_ONE(ceil);
    ORRERY_ONE(rint);
    ORRERY_ONE(roundeven);
    ORRERY_ONE(trunc);
    // What LLVM makes of pow with a constant base or exponent.
    ORRERY_ONE(cbrt);
    ORRERY_ONE(exp2);
    ORRERY_ONE(exp10);
#undef ORRERY_ONE
    add("ldexp", static_cast<double (*)(double, int)>(::ldexp));
    add("ldexpf", static_cast<float (*)(float, int)>(::ldexpf));
    add("pow", static_cast<Two*>(::pow));
    add("powf", static_cast<TwoF*>(::powf));
    add("fmod", static_cast<Two*>(::fmod));
    add("fmodf", static_cast<TwoF*>(::fmodf));
    add("fma", static_cast<double (*)(double, double, double)>(::fma));
    add("fmaf", static_cast<float (*)(float, float, float)>(::fmaf));
    add("memcpy", static_cast<void* (*)(void*, const void*, std::size_t)>(std::memcpy));
    add("memmove", static_cast<void* (*)(void*, const void*, std::size_t)>(std::memmove));
    add("memset", static_cast<void* (*)(void*, int, std::size_t)>(std::memset));
    for (const std::string& symbol : runtime::extern_symbols())
        add(extern_symbol(symbol).c_str(), runtime::find_extern(symbol)->function);
    return map;
}

class JitCode final : public LoadedCode {
  public:
    explicit JitCode(std::unique_ptr<llvm::orc::LLJIT> jit) : jit_(std::move(jit)) {}
    [[nodiscard]] orrery_kernel find(const std::string& symbol) const override {
        const auto found = kernels_.find(symbol);
        return found == kernels_.end() ? nullptr : found->second;
    }
    llvm::Error add(const std::string& symbol) {
        llvm::Expected<llvm::orc::ExecutorAddr> address = jit_->lookup(kernel_symbol(symbol));
        if (!address) return address.takeError();
        kernels_[symbol] = address->toPtr<orrery_kernel>();
        return llvm::Error::success();
    }

  private:
    std::unique_ptr<llvm::orc::LLJIT> jit_;
    std::unordered_map<std::string, orrery_kernel> kernels_;
};

llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> make_jit(llvm::TargetMachine& machine) {
    llvm::orc::JITTargetMachineBuilder target(machine.getTargetTriple());
    target.setCPU(machine.getTargetCPU().str());
    return llvm::orc::LLJITBuilder()
        .setJITTargetMachineBuilder(std::move(target))
        .setDataLayout(machine.createDataLayout())
        .setLinkProcessSymbolsByDefault(false)
        .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
        .create();
}

} // namespace

Result<std::shared_ptr<const LoadedCode>> load_objects(std::span<const KernelObject> objects) {
    runtime::request_tile_registers();
    ORRERY_TRY(TargetMachinePtr machine, make_target_machine(Target(), 0));
    llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> made = make_jit(*machine);
    if (!made) return failure(made.takeError());
    llvm::orc::LLJIT& jit = **made;
    if (llvm::Error error = jit.getMainJITDylib().define(llvm::orc::absoluteSymbols(allowed_symbols(jit))))
        return failure(std::move(error));
    for (const KernelObject& object : objects) {
        auto buffer = llvm::MemoryBuffer::getMemBufferCopy(object.object, object.symbol);
        if (llvm::Error error = jit.addObjectFile(std::move(buffer))) return failure(std::move(error));
    }
    auto code = std::make_shared<JitCode>(std::move(*made));
    for (const KernelObject& object : objects)
        if (llvm::Error error = code->add(object.symbol)) return failure(std::move(error));
    return std::shared_ptr<const LoadedCode>(std::move(code));
}

} // namespace orrery::codegen
