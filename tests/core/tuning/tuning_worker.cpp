// `orrery worker` alone: PROGRAM worker --socket PATH.

#include "backends/llvm/llvm_backend.hpp"
#include "core/tuning/worker.hpp"

#include <cstdio>

int main(int argc, char** argv) {
    if (argc != 4) return 1;
    const auto backend = orrery::make_llvm_backend();
    const orrery::Result<void> served = orrery::tuning::serve_worker(*backend, argv[3]);
    if (!served) std::fprintf(stderr, "%s\n", to_string(served.error()).c_str());
    return served ? 0 : 1;
}
