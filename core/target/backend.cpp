#include "core/target/backend.hpp"

namespace orrery {

Hash BuildOptions::hash() const {
    return Hasher().add(opt_level).add(contract ? 1 : 0).add(bounds_checks ? 1 : 0).finish();
}

Result<Target> Backend::read_target(std::string_view text) const { return parse_target(text, host()); }

Result<void> Backend::runs_here(const Target&) const { return {}; }

Result<FunctionCode> Backend::list_all(const tensor::Program& program, const Target& target,
                                       const BuildOptions& options, const CodeSink&) const {
    FunctionCode code;
    ORRERY_TRY(code.ir, list(program, target, options, ListingKind::BackendIr));
    ORRERY_TRY(code.optimized_ir, list(program, target, options, ListingKind::OptimizedIr));
    ORRERY_TRY(code.assembly, list(program, target, options, ListingKind::Assembly));
    ORRERY_TRY(code.passes, list_passes(program, target, options));
    code.cost.unknown = name() + " has no model of the processor";
    return code;
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
