#pragma once
// The compiler that session tests share, so that a network is imported and compiled once.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/compiler.hpp"

inline std::shared_ptr<orrery::session::Compiler> shared_compiler() {
    using orrery::session::Compiler;
    static const auto made = std::make_shared<Compiler>(orrery::make_llvm_backend(), Compiler::Options{});
    return made;
}

inline orrery::session::Compiler& compiler() { return *shared_compiler(); }
