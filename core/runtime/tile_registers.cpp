#include "core/runtime/tile_registers.hpp"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace orrery::runtime {

void request_tile_registers() {
#if defined(__linux__) && defined(__x86_64__)
    constexpr long kRequestPermission = 0x1023, kTileData = 18; // Source: Linux, Documentation/arch/x86/xstate.rst
    static const long asked = syscall(SYS_arch_prctl, kRequestPermission, kTileData);
    static_cast<void>(asked); // refused where there are none
#endif
}

} // namespace orrery::runtime
