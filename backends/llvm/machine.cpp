#include "backends/llvm/machine.hpp"

#include "core/schedule/intrinsics.hpp"

#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>

namespace orrery::codegen {

namespace {

/// LLVM 19 chooses the assembler's dialect by a command line option only.
void choose_intel_syntax() {
    auto& options = llvm::cl::getRegisteredOptions();
    const auto found = options.find("x86-asm-syntax");
    if (found != options.end()) found->second->addOccurrence(1, "x86-asm-syntax", "intel");
}

void initialize_native() {
    static std::once_flag once;
    std::call_once(once, [] {
        llvm::InitializeAllTargetInfos(); // LLVM's list of targets, which is read without a lock from now on
        llvm::InitializeNativeTarget();
        llvm::InitializeNativeTargetAsmPrinter();
        llvm::InitializeNativeTargetAsmParser();
        choose_intel_syntax();
    });
}

void initialize_all() {
    static std::once_flag once;
    std::call_once(once, [] {
        llvm::InitializeAllTargets();
        llvm::InitializeAllTargetMCs();
        llvm::InitializeAllAsmPrinters();
        llvm::InitializeAllAsmParsers();
    });
}

std::string triple_of(const Target& target) {
    return llvm::Triple::normalize(target.triple.empty() ? llvm::sys::getDefaultTargetTriple() : target.triple);
}

std::string host_features() {
    std::vector<std::string> names;
    for (const auto& feature : llvm::sys::getHostCPUFeatures())
        names.push_back((feature.second ? "+" : "-") + feature.first().str());
    std::sort(names.begin(), names.end(),
              [](const std::string& a, const std::string& b) { return a.substr(1) < b.substr(1); });
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ",") + name;
    return out;
}

std::int64_t cache_bytes(int name, std::int64_t otherwise) {
    const long bytes = sysconf(name);
    return bytes > 0 ? bytes : otherwise;
}

int usable_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return std::max(1, CPU_COUNT(&set));
}

/// The features are ones the processors of this kind have, each with its sign. LLVM would ignore the others.
Result<void> check_features(const llvm::MCSubtargetInfo& info, std::string_view features) {
    const auto known = info.getAllProcessorFeatures();
    for (std::string_view rest = features; !rest.empty();) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        const bool is_signed = name.starts_with('+') || name.starts_with('-');
        const llvm::StringRef bare(name.substr(is_signed ? 1 : 0));
        if (is_signed && std::ranges::any_of(known, [&](const auto& one) { return bare == one.Key; })) continue;
        return Diagnostic{Code::NoTarget,
                          info.getTargetTriple().str() + " has no feature '" + std::string(name) + "'",
                          {},
                          "features read like \"+avx2,-avx512f\"; see `llc-19 -mtriple=... -mattr=help`"};
    }
    return {};
}

/// The products of tiles (intrinsics.hpp) that the processor has. Source: Intel 64 manual, volume 2.
std::set<std::string> tile_products_of(const llvm::MCSubtargetInfo& info, const llvm::Triple& triple) {
    std::set<std::string> out;
    if (!triple.isX86() || !triple.isArch64Bit()) return out;
    if (info.checkFeatures("+amx-bf16")) out.insert("tdpbf16ps");
    if (info.checkFeatures("+amx-int8")) out.insert({"tdpbssd", "tdpbusd"});
    return out;
}

/// Whether the processor has arithmetic in f16. Source: Intel 64 manual, volume 2; Arm's A64 (FEAT_FP16).
bool computes_half(const llvm::MCSubtargetInfo& info, const llvm::Triple& triple) {
    if (triple.isX86()) return info.checkFeatures("+avx512fp16,+avx512vl");
    return triple.isAArch64() && info.checkFeatures("+fullfp16");
}

/// How a processor multiplies bytes in registers of that many bits.
ByteProducts byte_products_of(const llvm::MCSubtargetInfo& info, const llvm::Triple& triple, int bits) {
    constexpr int kWide = 512;
    if (tile_products_of(info, triple).contains("tdpbusd")) return ByteProducts::Tiles;
    const bool dots = triple.isX86() && info.checkFeatures(bits >= kWide ? "+avx512vnni" : "+avxvnni");
    return dots ? ByteProducts::Dots : ByteProducts::None;
}

struct Vectors {
    int bits = 0, registers = 0;
    bool bf16_tiles = false, f16_arithmetic = false;
    ByteProducts byte_products = ByteProducts::None;
};
/// The widest vectors that a processor has instructions for. Source: LLVM's description of it.
Vectors vectors_of(const llvm::TargetMachine& machine) {
    llvm::LLVMContext context;
    llvm::Module module("vectors", context);
    module.setDataLayout(machine.createDataLayout());
    auto* function = llvm::Function::Create(llvm::FunctionType::get(llvm::Type::getVoidTy(context), false),
                                            llvm::Function::ExternalLinkage, "f", module);
    function->addFnAttr("prefer-vector-width", "65536"); // some have wider ones than LLVM prefers for them
    const llvm::TargetTransformInfo info = machine.getTargetTransformInfo(*function);
    const auto bits = info.getRegisterBitWidth(llvm::TargetTransformInfo::RGK_FixedWidthVector).getKnownMinValue();
    const unsigned registers = info.getNumberOfRegisters(info.getRegisterClassForType(bits > 0));
    constexpr std::uint64_t kScalar = 32; // an element: code for processors without vectors has one lane
    const llvm::MCSubtargetInfo& here = *machine.getMCSubtargetInfo();
    const llvm::Triple& triple = machine.getTargetTriple();
    const int width = static_cast<int>(std::bit_floor(std::max<std::uint64_t>(bits, kScalar)));
    return {width, static_cast<int>(std::max(registers, 1U)), tile_products_of(here, triple).contains("tdpbf16ps"),
            computes_half(here, triple), byte_products_of(here, triple, width)};
}

/// The intrinsics whose feature, "x86:avx512vnni", the processor has.
std::set<std::string> intrinsics_of(const llvm::MCSubtargetInfo& info, const llvm::Triple& triple) {
    std::set<std::string> out;
    for (const std::string& name : schedule::intrinsic_names()) {
        const auto intrinsic = schedule::find_intrinsic(name);
        if (!intrinsic || (intrinsic->llvm_name.empty() && !intrinsic->implementation)) continue;
        const std::size_t colon = intrinsic->needs.find(':');
        const std::string machine = intrinsic->needs.substr(0, colon);
        const bool here = intrinsic->needs.empty() || (machine == "x86" && triple.isX86()) ||
                          (machine == "aarch64" && triple.isAArch64());
        if (!here) continue;
        const std::string features = colon == std::string::npos ? "" : intrinsic->needs.substr(colon + 1);
        bool has = features.empty();
        for (std::size_t from = 0; from < features.size(); from = features.find('|', from) + 1) { // one of them
            has = has || info.checkFeatures("+" + features.substr(from, features.find('|', from) - from));
            if (features.find('|', from) == std::string::npos) break;
        }
        if (has) out.insert(name);
    }
    return out;
}

/// Whether generated code may use an x86 feature: the others are for systems, and virtual machines hide them.
bool computes(std::string_view feature) {
    constexpr std::array<std::string_view, 5> kFamilies = {"sse", "ssse", "avx", "amx", "fma"};
    constexpr std::array<std::string_view, 11> kOthers = {"f16c", "bmi", "bmi2", "lzcnt", "popcnt", "movbe",
                                                          "adx",  "tbm", "xop",  "gfni",  "cmov"};
    const auto begins = [&](std::string_view family) { return feature.starts_with(family); };
    return std::ranges::any_of(kFamilies, begins) || std::ranges::find(kOthers, feature) != kOthers.end();
}

} // namespace

void DeleteMachine::operator()(llvm::TargetMachine* machine) const { delete machine; }

Result<TargetMachinePtr> make_target_machine(const Target& target, int opt_level) {
    if (target.backend != "llvm")
        return Diagnostic{Code::NoTarget,
                          "there is no code generator named '" + target.backend + "'",
                          {},
                          "a target reads like \"llvm -mcpu=znver4\""};
    initialize_native();
    const std::string triple = triple_of(target);
    if (llvm::Triple(triple).getArch() != llvm::Triple(llvm::sys::getDefaultTargetTriple()).getArch()) initialize_all();
    std::string why;
    const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, why);
    if (!found)
        return Diagnostic{
            Code::NoTarget, "no code can be made for " + triple + ": " + why, {}, "see `llc-19 --version`"};
    const bool host = target.cpu.empty() && target.triple.empty();
    const std::string cpu = host ? llvm::sys::getHostCPUName().str() : target.cpu;
    const std::string features = host && target.features.empty() ? host_features() : target.features;
    std::unique_ptr<llvm::MCSubtargetInfo> info(found->createMCSubtargetInfo(triple, "", ""));
    if (!info || (!cpu.empty() && !info->isCPUStringValid(cpu)))
        return Diagnostic{Code::NoTarget, triple + " has no processor '" + cpu + "'", {}, "see `llc-19 -mcpu=help`"};
    ORRERY_CHECK_OK(check_features(*info, features));
    constexpr std::array<llvm::CodeGenOptLevel, 4> kLevels = {llvm::CodeGenOptLevel::None, llvm::CodeGenOptLevel::Less,
                                                              llvm::CodeGenOptLevel::Default,
                                                              llvm::CodeGenOptLevel::Default};
    const llvm::CodeGenOptLevel level = kLevels[static_cast<std::size_t>(std::clamp(opt_level, 0, 3))];
    llvm::TargetOptions options;
    options.MCOptions.AsmVerbose = false;
    TargetMachinePtr machine(
        found->createTargetMachine(triple, cpu, features, options, llvm::Reloc::PIC_, std::nullopt, level));
    if (!machine) return Diagnostic{Code::NoTarget, "LLVM was built without code generation for " + triple, {}, ""};
    const llvm::DataLayout layout = machine->createDataLayout();
    if (layout.getProgramAddressSpace() != 0 || layout.getAllocaAddrSpace() != 0)
        return Diagnostic{Code::NoTarget,
                          "kernels hold code, stack and data in one memory, and " + triple + " has several",
                          {},
                          "choose a processor with one address space"};
    return machine;
}

Machine describe(const llvm::TargetMachine& machine, const Target& target) {
    const llvm::MCSubtargetInfo& info = *machine.getMCSubtargetInfo();
    const llvm::Triple& triple = machine.getTargetTriple();
    Machine out;
    out.vector_bits = target.vector_bits;
    out.vector_registers = target.vector_registers;
    if (triple.isX86()) {
        out.native_half = info.checkFeatures("+f16c") || info.checkFeatures("+avx512f");
        out.masked_memory = target.vector_bits >= 512 ? info.checkFeatures("+avx512f") : info.checkFeatures("+avx2");
    } else {
        out.native_half = triple.isAArch64();
    }
    out.intrinsics = intrinsics_of(info, triple);
    out.tile_products = tile_products_of(info, triple);
    out.computes_half = target.f16_arithmetic && computes_half(info, triple);
    out.native_bfloat = triple.isX86() && info.checkFeatures("+avx512bf16,+avx512vl");
    return out;
}

Target host_target() {
    initialize_native();
    Target out;
    out.backend = "llvm";
    out.triple = llvm::Triple::normalize(llvm::sys::getDefaultTargetTriple());
    out.cpu = llvm::sys::getHostCPUName().str();
    out.features = host_features();
    static const Vectors vectors = [&out] {
        const Result<TargetMachinePtr> machine = make_target_machine(out, 0);
        return machine ? vectors_of(**machine) : Vectors{out.vector_bits, out.vector_registers};
    }();
    out.vector_bits = vectors.bits;
    out.vector_registers = vectors.registers;
    out.bf16_tiles = vectors.bf16_tiles;
    out.f16_arithmetic = vectors.f16_arithmetic;
    out.byte_products = vectors.byte_products;
    out.cores = usable_cores();
    out.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, out.l1_bytes);
    out.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, out.l2_bytes);
    out.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, out.l3_bytes);
    return out;
}

Result<Target> read_target(std::string_view text) {
    const Target host = host_target();
    ORRERY_TRY(Target base, parse_target(text, host));
    ORRERY_TRY(const TargetMachinePtr machine, make_target_machine(base, 0));
    const Vectors has = vectors_of(*machine);
    base.vector_bits = has.bits;
    base.vector_registers = has.registers;
    if (machine->getTargetTriple().getArch() != llvm::Triple(host.triple).getArch()) {
        const Target plain;
        base.l1_bytes = plain.l1_bytes;
        base.l2_bytes = plain.l2_bytes;
        base.l3_bytes = plain.l3_bytes;
    }
    ORRERY_TRY(Target target, parse_target(text, base));
    if (text.find("-tiles=") == std::string_view::npos) target.bf16_tiles = has.bf16_tiles;
    if (text.find("-f16=") == std::string_view::npos) target.f16_arithmetic = has.f16_arithmetic;
    if (text.find("-bytes=") == std::string_view::npos) target.byte_products = has.byte_products;
    if (target.byte_products > has.byte_products)
        return Diagnostic{Code::BadArgument,
                          (target.cpu.empty() ? machine->getTargetTriple().str() : target.cpu) + " has no " +
                              std::string(to_string(target.byte_products)) + " of bytes",
                          {},
                          "leave -bytes out, or name a processor with VNNI or AMX, like sapphirerapids"};
    if (target.bf16_tiles && !has.bf16_tiles)
        return Diagnostic{Code::BadArgument,
                          (target.cpu.empty() ? machine->getTargetTriple().str() : target.cpu) +
                              " has no tiles of bf16",
                          {},
                          "leave -tiles out, or name a processor with AMX, like sapphirerapids"};
    if (target.f16_arithmetic && !has.f16_arithmetic)
        return Diagnostic{Code::BadArgument,
                          (target.cpu.empty() ? machine->getTargetTriple().str() : target.cpu) +
                              " has no arithmetic in f16",
                          {},
                          "leave -f16 out, or name a processor with it, like sapphirerapids"};
    if (target.vector_bits <= has.bits && target.vector_registers <= has.registers) return target;
    const std::string name = target.cpu.empty() ? machine->getTargetTriple().str() : target.cpu;
    return Diagnostic{Code::BadArgument,
                      name + " has " + std::to_string(has.registers) + " vector registers of " +
                          std::to_string(has.bits) + " bits",
                      {},
                      "leave -vector-bits and -vector-registers out, or name a processor that has them"};
}

Result<void> check_runs_here(const Target& target) {
    static const Target host = host_target();
    if (target.triple == host.triple && target.cpu == host.cpu && target.features == host.features) return {};
    ORRERY_TRY(const TargetMachinePtr machine, make_target_machine(target, 0));
    const auto refused = [](const std::string& what) {
        return Diagnostic{
            Code::NoTarget, what, {}, "choose this machine as target; `orrery compile` writes code for others"};
    };
    const llvm::Triple here(host.triple), &there = machine->getTargetTriple();
    const bool system = there.getOS() == llvm::Triple::UnknownOS || there.getOS() == here.getOS();
    if (there.getArch() != here.getArch() || !system)
        return refused("code for " + there.str() + " does not run on this machine, which is " + here.str());
    for (const auto& [name, has] : llvm::sys::getHostCPUFeatures())
        if (!has && (!there.isX86() || computes(name.str())) &&
            machine->getMCSubtargetInfo()->checkFeatures("+" + name.str()))
            return refused("code for " + (target.cpu.empty() ? there.str() : target.cpu) + " may use " + name.str() +
                           ", which this machine lacks");
    return {};
}

} // namespace orrery::codegen
