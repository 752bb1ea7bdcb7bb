#pragma once
// The machines of other kinds that code is made for here.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace orrery::portable {

struct Machine {
    const char* name;
    const char* target;   ///< as Backend::read_target reads it: all but its registers
    const char* emulator; ///< a program of qemu-user and its options; empty for what it does not emulate
    int vector_bits, vector_registers;
    std::string_view
        multiply;            ///< how the instruction begins that multiplies whole f32 vectors, with an addition or not
    std::string_view vector; ///< how the assembly writes a register of that width; %: its number
    std::string_view narrower; ///< the same of half the width; empty for what is narrowest
    std::string_view stack;    ///< the stack pointer

    [[nodiscard]] std::int64_t lanes() const { return vector_bits / 32; }
};

#define ORRERY_PORTABLE_REST " -threads=1 -l1=32768 -l2=524288 -l3=8388608"
inline constexpr Machine kNeon{"NEON",
                               "llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72" ORRERY_PORTABLE_REST,
                               "qemu-aarch64 -cpu cortex-a72",
                               128,
                               32,
                               "fmla",
                               "v%.4s",
                               "",
                               "sp"};
inline constexpr Machine kSse{"SSE2",
                              "llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64" ORRERY_PORTABLE_REST,
                              "qemu-x86_64 -cpu qemu64",
                              128,
                              16,
                              "mulps",
                              "xmm%",
                              "",
                              "rsp"};
inline constexpr Machine kAvx2{"AVX2",
                               "llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64-v3" ORRERY_PORTABLE_REST,
                               "qemu-x86_64 -cpu max",
                               256,
                               16,
                               "vfm",
                               "ymm%",
                               "xmm%",
                               "rsp"};
inline constexpr Machine kAvx512{"AVX-512", "llvm -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids" ORRERY_PORTABLE_REST,
                                 "",        512,
                                 32,        "vfm",
                                 "zmm%",    "ymm%",
                                 "rsp"};
#undef ORRERY_PORTABLE_REST
inline constexpr std::array<Machine, 4> kMachines = {kNeon, kSse, kAvx2, kAvx512};

} // namespace orrery::portable
