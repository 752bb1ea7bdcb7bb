#pragma once

#include "vta-sim/program.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery::vta {

enum class DiagnosticKind : std::uint8_t {
    Faulted,           ///< the instruction moved no data; `fault` says why
    UninitializedRead, ///< a tile read that nothing wrote
    UnorderedAccess,   ///< two modules touch one address and no token orders them
    DanglingFlag,      ///< a flag that has no queue in this module; ignored
    SurplusTokens,     ///< tokens left in a queue at the end; `count` says how many
    AfterFinish,       ///< an instruction behind FINISH
    MissingFinish,     ///< the program has no FINISH
    ReuseHazard,       ///< a micro-op rewrites a tile closer than the configuration's reuse gap allows
};

/// Which memory an access diagnostic speaks of; Dram addresses are bytes, the others elements.
enum class Place : std::uint8_t { Uop, Wgt, Inp, Acc, Out, Dram };

inline constexpr std::uint32_t kNoInstruction = 0xffffffffU;

/// One finding: what, at which instruction, which address, and the other party where there is one.
struct Diagnostic {
    DiagnosticKind kind;
    Fault fault = Fault::None;
    std::uint32_t instruction = kNoInstruction;
    Place place = Place::Uop;
    std::uint64_t address = 0;                      ///< first offending element or byte
    std::uint64_t count = 0;                        ///< offending addresses, or tokens
    std::uint32_t other = kNoInstruction;           ///< the unordered access that came first
    std::optional<TokenQueue> queue = std::nullopt; ///< the queue of a flag or of surplus tokens
};

/// One module that cannot go on.
struct Blocked {
    Module module = Module::Load;
    std::uint32_t instruction = kNoInstruction;
    std::optional<TokenQueue> missing; ///< the token it waits for; empty when it waits for fetch or a full queue
    bool flag_next = false;            ///< the waiting flag: pop_next, else pop_prev
    std::uint32_t next_pusher = kNoInstruction; ///< first instruction not yet run that would push that token
    std::optional<TokenQueue> full;             ///< a push that waits for room
    std::optional<Module> full_commands;        ///< for fetch: the command queue without room
    bool operator==(const Blocked&) const = default;
};

[[nodiscard]] std::string_view diagnostic_name(DiagnosticKind kind);
[[nodiscard]] std::string_view place_name(Place place);
/// One sentence naming instruction, address and flag.
[[nodiscard]] std::string describe(const Diagnostic& diagnostic);
[[nodiscard]] std::string describe(const Blocked& blocked);

} // namespace orrery::vta
