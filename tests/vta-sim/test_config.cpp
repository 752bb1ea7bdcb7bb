#include "vta-sim/config.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery::vta;

namespace {

bool breaks(const Config& config, Rule rule) {
    const auto found = check(config);
    return std::any_of(found.begin(), found.end(), [&](const Violation& v) { return v.rule == rule; });
}

} // namespace

TEST_CASE("every preset is legal and known by name", "[vta][config]") {
    for (const std::string_view name : preset_names()) {
        const Result<Config> config = preset(name);
        REQUIRE(config);
        CHECK(config->name == name);
        for (const Violation& v : check(*config)) FAIL_CHECK(name << ": " << v.message);
    }
    const Result<Config> unknown = preset("tsim-none");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == ErrorCode::UnknownName);
}

TEST_CASE("derived sizes of the default configuration", "[vta][config]") {
    const Config c;
    // 32 KB / 4 B, 32 KB / 16 B, 256 KB / 256 B, 128 KB / 64 B.
    CHECK(c.uop_index_bits() == 13);
    CHECK(c.inp_depth() == 2048);
    CHECK(c.wgt_depth() == 1024);
    CHECK(c.acc_depth() == 2048);
    CHECK(c.inp_bytes() == 16);
    CHECK(c.wgt_bytes() == 256);
    CHECK(c.acc_bytes() == 64);
    CHECK(c.out_bytes() == 16);
    // 2 x 256 x 100 MHz = 51.2 GOPS over 0.8 GB/s: ridge at 64 operations a byte.
    CHECK(c.peak_gops() == Approx(51.2));
    CHECK(c.bandwidth_gbytes() == Approx(0.8));
    CHECK(c.ridge_ops_per_byte() == Approx(64));
}

TEST_CASE("the wide GEMM presets reach their published peaks", "[vta][config]") {
    const Config wide = preset("gemm-1x32x32").value();
    CHECK(wide.macs_per_step() == 1024);
    CHECK(wide.peak_gops() == Approx(307.2));
    const Config batched = preset("gemm-4x16x16").value();
    CHECK(batched.macs_per_step() == 1024);
    CHECK(batched.peak_gops() == Approx(256));
    CHECK(preset("hls-ultra96").value().peak_gops() == Approx(170.5).epsilon(0.001));
}

TEST_CASE("each broken rule is named with the nearest legal value", "[vta][config]") {
    struct Case {
        std::string_view key;
        int value;
        Rule rule;
        std::string_view repair;
        int nearest;
    };
    const Case cases[] = {
        // 4 a + 20 <= 64 allows a = 11; LOG_ACC_BUFF_SIZE 18 makes a = 12.
        {"LOG_ACC_BUFF_SIZE", 18, Rule::AluWord, "LOG_ACC_BUFF_SIZE", 17},
        // u <= 13 is LOG_UOP_BUFF_SIZE 15.
        {"LOG_UOP_BUFF_SIZE", 16, Rule::LoopWord, "LOG_UOP_BUFF_SIZE", 15},
        // 11 + 11 + w <= 32 allows w = 10, which is LOG_WGT_BUFF_SIZE 18.
        {"LOG_WGT_BUFF_SIZE", 19, Rule::UopWord, "LOG_WGT_BUFF_SIZE", 18},
        // 2 (11 + 12 + 10) = 66 > 64; one bit of wgt repairs it.
        {"LOG_INP_BUFF_SIZE", 16, Rule::GemmWord, "LOG_WGT_BUFF_SIZE", 17},
        {"UOP_DEPTH", 9000, Rule::UopDepth, "UOP_DEPTH", 8192},
        {"LOG_ACC_WIDTH", 4, Rule::AccWidth, "LOG_ACC_WIDTH", 5},
        {"BUS_BYTES", 12, Rule::PowerOfTwo, "BUS_BYTES", 8},
        {"MAX_BURST_BEATS", 100, Rule::PowerOfTwo, "MAX_BURST_BEATS", 128},
        {"LOG_INP_BUFF_SIZE", 4, Rule::DepthRange, "LOG_INP_BUFF_SIZE", 5},
        {"DRAM_LATENCY", -1, Rule::FieldRange, "DRAM_LATENCY", 0},
        {"LOG_INP_WIDTH", 9, Rule::FieldRange, "LOG_INP_WIDTH", 4},
    };
    for (const Case& c : cases) {
        Config config;
        REQUIRE(set_knob(config, c.key, c.value));
        const auto found = check(config);
        const auto it = std::find_if(found.begin(), found.end(), [&](const Violation& v) { return v.rule == c.rule; });
        INFO(c.key << " = " << c.value);
        REQUIRE(it != found.end());
        CHECK(it->key == c.repair);
        CHECK(it->nearest == c.nearest);
        REQUIRE(set_knob(config, it->key, it->nearest));
        CHECK_FALSE(breaks(config, c.rule));
    }
}

TEST_CASE("element sizes are bounded on both sides", "[vta][config]") {
    Config c;
    c.log_block = 7; // 128 x 128 int8 weights are 16384 bytes
    CHECK(breaks(c, Rule::ElementLimit));
    c = Config{};
    c.log_block = 6; // 64 x 64 int8 weights are exactly 4096 bytes
    CHECK_FALSE(breaks(c, Rule::ElementLimit));
    CHECK(check(c).empty());
    c = Config{};
    c.log_block = 1;
    c.log_inp_width = 1; // 2 lanes of 2 bits
    CHECK(breaks(c, Rule::WholeByteElement));
}

TEST_CASE("configurations survive JSON", "[vta][config]") {
    for (const std::string_view name : preset_names()) {
        const Config config = preset(name).value();
        const Result<Config> again = config_from_json(to_json(config));
        REQUIRE(again);
        CHECK(*again == config);
    }
}

TEST_CASE("the public JSON files are understood", "[vta][config]") {
    const Result<Config> c =
        config_from_json(R"({"TARGET": "pynq", "HW_VER": "0.0.2", "LOG_INP_WIDTH": 3, "LOG_WGT_WIDTH": 3,
        "LOG_ACC_WIDTH": 5, "LOG_BATCH": 2, "LOG_BLOCK": 3, "LOG_UOP_BUFF_SIZE": 13, "LOG_INP_BUFF_SIZE": 16,
        "LOG_WGT_BUFF_SIZE": 16, "LOG_ACC_BUFF_SIZE": 18})");
    REQUIRE(c);
    CHECK(c->batch() == 4);
    CHECK(c->block() == 8);
    CHECK(c->uop_depth == 2048); // 8 KB / 4 B
    CHECK(c->acc_index_bits() == 11);
}

TEST_CASE("bad JSON is refused with the key", "[vta][config]") {
    const auto code = [](std::string_view text) { return config_from_json(text).error().code; };
    CHECK(code("[1]") == ErrorCode::BadJson);
    CHECK(code("{") == ErrorCode::BadJson);
    CHECK(code(R"({"LOG_BLOCK": "four"})") == ErrorCode::BadJson);
    CHECK(code(R"({"LOG_BLOCKS": 4})") == ErrorCode::UnknownName);
    CHECK(code(R"({"PRESET": "none"})") == ErrorCode::UnknownName);
    CHECK(code(R"({"LOG_UOP_BUFF_SIZE": 16, "UOP_DEPTH": 2048})") == ErrorCode::BadConfig);
    CHECK(config_from_json(R"({"SHIFT_RULE": "left"})").error().where == "SHIFT_RULE");
    CHECK(config_from_json(R"({"PRESET": "tsim-2019", "CLOCK_MHZ": 200})").value().timing.gemm_interval == 4);
}
