#pragma once
// Line numbers of the printed tensor program as LLVM debug locations.

#include "core/tensor/text.hpp"

#include <memory>
#include <string>
#include <unordered_map>

namespace llvm {
class DISubprogram;
class Function;
class IRBuilderBase;
class Module;
} // namespace llvm

namespace orrery::codegen {

/// For one program in a module; call finish() when all its functions are written.
class DebugLines {
  public:
    using From = std::unordered_map<const tensor::Node*, const tensor::Node*>;
    /// The program as it is shown; `from` leads statements made of it for code generation back to its own.
    DebugLines(llvm::Module& module, const tensor::Program& program, From from);
    ~DebugLines();
    DebugLines(const DebugLines&) = delete;
    DebugLines& operator=(const DebugLines&) = delete;

    /// Gives a function a scope whose file is the program's name with ".tir".
    llvm::DISubprogram* add_function(llvm::Function& function);
    /// What is built from here on belongs to the line of `node`; null is the program's first line. A node that was not
    /// printed leaves the line as it is.
    void set(llvm::IRBuilderBase& builder, llvm::DISubprogram* scope, const tensor::Node* node) const;
    void finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Passes drop the lines of instructions they move out of loops, merge or insert. Each such instruction gets the line
/// of what uses its result, else of what it takes values from. Changes nothing but debug locations.
void relink_lines(llvm::Module& module);

} // namespace orrery::codegen
