#include "core/target/backend.hpp"

namespace orrery {

Hash BuildOptions::hash() const {
    return Hasher().add(opt_level).add(contract ? 1 : 0).add(bounds_checks ? 1 : 0).finish();
}

} // namespace orrery
