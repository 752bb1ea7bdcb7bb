// What instructions do, in a sentence: exact entries, element types, fused multiplications, mnemonics of lines.

#include "views/model/instruction_help.hpp"

#include <catch2/catch.hpp>

using namespace orrery::views;

TEST_CASE("instructions are explained", "[views][asm]") {
    CHECK(instruction_help("vaddps") == "adds packed f32");
    CHECK(instruction_help("vaddsd") == "adds one f64");
    CHECK(instruction_help("vpdpbusd").find("VNNI") != std::string::npos);
    CHECK(instruction_help("vfmadd231ps") ==
          "multiplies operands 2 and 3, adds operand 1, of packed f32, with one rounding");
    CHECK(instruction_help("vfnmsub132ss") ==
          "multiplies operands 1 and 3, takes the negative, subtracts operand 2, of one f32, with one rounding");
    CHECK(instruction_help("vmovups") == "loads, stores or copies packed f32 at any address");
    CHECK(instruction_help("vbroadcastss").find("every lane") != std::string::npos);
    CHECK(instruction_help("frobnicate").empty());
    CHECK(instruction_help("ps").empty());
    CHECK(instruction_help("").empty());
}

TEST_CASE("the mnemonic of a line", "[views][asm]") {
    CHECK(mnemonic_of("    vmovups zmm0, zmm1") == "vmovups");
    CHECK(mnemonic_of("\tret") == "ret");
    CHECK(mnemonic_of("    rep stosq") == "stosq");
    CHECK(mnemonic_of(".LBB0_3:").empty());
    CHECK(mnemonic_of("").empty());
}
