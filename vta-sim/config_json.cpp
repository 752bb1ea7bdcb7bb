#include "vta-sim/config.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace orrery::vta {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 3> kShiftNames = {"signed", "register-right", "low-five-signed"};
constexpr std::array<std::string_view, 2> kImmediateNames = {"destination", "source"};
constexpr std::array<std::string_view, 2> kOverflowNames = {"stall", "drop"};

struct FlagRow {
    std::string_view key;
    bool& (*ref)(Config&);
};

const std::array kFlags = {
    FlagRow{"RESET_REFRESHES_OUT", [](Config& c) -> bool& { return c.semantics.reset_refreshes_out; }},
    FlagRow{"STORE_FROM_ACC", [](Config& c) -> bool& { return c.semantics.store_from_acc; }},
    FlagRow{"MULTIPLY", [](Config& c) -> bool& { return c.semantics.multiply; }},
    FlagRow{"ACC_8BIT", [](Config& c) -> bool& { return c.semantics.acc_8bit; }},
};

template <class Enum, std::size_t N>
Status read_choice(const Json& value, const std::array<std::string_view, N>& names, Enum& out) {
    if (value.is_string()) {
        for (std::size_t i = 0; i < N; ++i) {
            if (value.get_ref<const std::string&>() == names[i]) {
                out = static_cast<Enum>(i);
                return Done{};
            }
        }
    }
    std::string known;
    for (const std::string_view name : names) known += (known.empty() ? "" : ", ") + std::string(name);
    return Error{ErrorCode::BadJson, "expected one of " + known, {}};
}

Status read_text(const Json& value, std::string& out) {
    if (!value.is_string()) return Error{ErrorCode::BadJson, "expected a string", {}};
    out = value.get<std::string>();
    return Done{};
}

Status read_key(Config& config, const std::string& key, const Json& value) {
    if (key == "PRESET") return Done{};
    if (key == "NAME") return read_text(value, config.name);
    if (key == "TARGET") return read_text(value, config.target);
    if (key == "HW_VER") return read_text(value, config.hw_version);
    if (key == "SHIFT_RULE") return read_choice(value, kShiftNames, config.semantics.shift);
    if (key == "IMMEDIATE_OPERAND") return read_choice(value, kImmediateNames, config.semantics.immediate);
    if (key == "TOKEN_OVERFLOW") return read_choice(value, kOverflowNames, config.timing.token_overflow);
    for (const FlagRow& flag : kFlags) {
        if (flag.key != key) continue;
        if (!value.is_boolean()) return Error{ErrorCode::BadJson, "expected true or false", {}};
        flag.ref(config) = value.get<bool>();
        return Done{};
    }
    if (!value.is_number_integer()) return Error{ErrorCode::BadJson, "expected an integer", {}};
    const auto number = value.get<std::int64_t>();
    if (number < -1'000'000'000 || number > 1'000'000'000) return Error{ErrorCode::BadJson, "number out of range", {}};
    return set_knob(config, key, static_cast<int>(number));
}

} // namespace

std::string to_json(const Config& config) {
    Json json;
    json["NAME"] = config.name;
    json["TARGET"] = config.target;
    json["HW_VER"] = config.hw_version;
    for (const Knob& knob : knobs()) json[std::string(knob.key)] = knob_value(config, knob.key);
    json["TOKEN_OVERFLOW"] = kOverflowNames[static_cast<std::size_t>(config.timing.token_overflow)];
    json["SHIFT_RULE"] = kShiftNames[static_cast<std::size_t>(config.semantics.shift)];
    json["IMMEDIATE_OPERAND"] = kImmediateNames[static_cast<std::size_t>(config.semantics.immediate)];
    Config copy = config;
    for (const FlagRow& flag : kFlags) json[std::string(flag.key)] = flag.ref(copy);
    return json.dump(2);
}

Result<Config> config_from_json(std::string_view text) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return Error{ErrorCode::BadJson, "not a JSON object", {}};
    Config config;
    if (json.contains("PRESET")) {
        if (!json["PRESET"].is_string()) return Error{ErrorCode::BadJson, "expected a string", "PRESET"};
        Result<Config> base = preset(json["PRESET"].get<std::string>());
        if (!base) return base.error();
        config = *base;
    } else if (json.contains("LOG_UOP_BUFF_SIZE") && !json.contains("UOP_DEPTH")) {
        // The public files have no separate depth: the field and the memory agree there.
        const Json& bytes = json["LOG_UOP_BUFF_SIZE"];
        if (bytes.is_number_integer() && bytes.get<std::int64_t>() >= 3 && bytes.get<std::int64_t>() <= 18) {
            config.uop_depth = 1 << (bytes.get<int>() - 2);
        }
    }
    for (const auto& [key, value] : json.items()) {
        const Status status = read_key(config, key, value);
        if (!status) return Error{status.error().code, key + ": " + status.error().message, key};
    }
    return checked(std::move(config));
}

} // namespace orrery::vta
