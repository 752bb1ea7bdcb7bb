#pragma once
// The record of what passes did, rewrite by rewrite; generic over the IR.

#include "core/base/object.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace orrery::pass {

/// One replacement: `before` no longer stands, `after` does (null when it was removed).
struct Rewrite {
    Ref<const Object> before, after;
    const char* rule = ""; ///< the rule's name, a literal
    const char* file = ""; ///< where in the compiler's source the rule is
    unsigned line = 0;
};

/// Collects rewrites; given to rewriters by the manager. Not for several threads at once.
class Recorder {
  public:
    void add(Rewrite rewrite) { rewrites_.push_back(std::move(rewrite)); }
    [[nodiscard]] const std::vector<Rewrite>& rewrites() const { return rewrites_; }
    [[nodiscard]] std::vector<Rewrite> take() { return std::move(rewrites_); }

  private:
    std::vector<Rewrite> rewrites_;
};

} // namespace orrery::pass
