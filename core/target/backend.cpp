#include "core/target/backend.hpp"

namespace orrery {

Hash BuildOptions::hash() const {
    return Hasher().add(opt_level).add(contract ? 1 : 0).add(bounds_checks ? 1 : 0).finish();
}

Result<std::vector<BackendPass>> Backend::list_passes(const tensor::Program&, const Target&,
                                                      const BuildOptions&) const {
    return std::vector<BackendPass>();
}

Result<Listing> Backend::list_after(const tensor::Program&, const Target&, const BuildOptions&,
                                    std::size_t pass) const {
    return Diagnostic{Code::UnknownName, name() + " has no pass number " + std::to_string(pass), {}, {}};
}

} // namespace orrery
