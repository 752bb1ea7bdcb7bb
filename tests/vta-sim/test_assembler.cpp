#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/assembler.hpp"
#include "vta-sim/conv2d.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;
using orrery::vta::testing::Random;

TEST_CASE("instructions read as documented", "[vta][assembler]") {
    for (const std::string_view text : {
             "load.inp sram=18 dram=837 size=3x4 stride=14 pad_y=1,0 pad_x=0,2 push=next",
             "gemm uops=8:17 iter=14x7 dst=14,1 src=16,1 wgt=0,3 pop=prev push=prev",
             "gemm.reset uops=0:1 iter=1x98 dst=0,1 src=0,0",
             "alu.shr imm=8 uops=0:1 iter=1x98 dst=0,1 src=0,1 push=next",
             "alu.add uops=0:1 iter=1x98 dst=0,1 src=0,1 pop=prev,next",
             "store sram=0 dram=64 size=1x16 stride=16 pop=prev push=prev",
             "finish pop=prev,next",
         }) {
        const Result<Instruction> in = assemble_instruction(text);
        REQUIRE(in);
        CHECK(disassemble(*in) == text);
    }
}

TEST_CASE("random instructions survive text", "[vta][assembler]") {
    Random random(3);
    for (int i = 0; i < 20000; ++i) {
        static const Codec codec{Config{}};
        const Instruction in = testing::random_instruction(random, codec);
        const Result<Instruction> again = assemble_instruction(disassemble(in));
        INFO(disassemble(in));
        REQUIRE(again);
        REQUIRE(*again == in);
    }
}

TEST_CASE("operands may come in any order and base, with a comment", "[vta][assembler]") {
    const Result<Instruction> in = assemble_instruction("load.wgt  size=2x3 dram=0x40 ; two rows");
    REQUIRE(in);
    CHECK(in->y_size == 2);
    CHECK(in->x_size == 3);
    CHECK(in->dram_base == 64);
}

TEST_CASE("bad text is refused with the word", "[vta][assembler]") {
    const auto error = [](std::string_view text) { return assemble_instruction(text).error(); };
    CHECK(error("jump").where == "jump");
    CHECK(error("load.ram").where == "load.ram");
    CHECK(error("alu.xor").where == "alu.xor");
    CHECK(error("gemm uops=1").where == "uops=1");
    CHECK(error("gemm iter=1xq").where == "iter=1xq");
    CHECK(error("gemm depth=3").where == "depth=3");
    CHECK(error("finish pop=up").where == "pop=up");
    CHECK(error("load.inp sram=70000").code == ErrorCode::FieldOverflow);
    CHECK(error("load.inp sram=-1").code == ErrorCode::FieldOverflow);
    CHECK(error("").code == ErrorCode::BadSyntax);
}

TEST_CASE("a whole program survives text", "[vta][assembler]") {
    Random random(4);
    ConvJob job;
    job.name = "conv one";
    job.shape = {.in_channels = 20,
                 .out_channels = 18,
                 .height = 6,
                 .width = 5,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
    job.tile = {3, 5, 1, 1, 2};
    job.epilogue = {.bias = true, .shift = 4, .clip = true};
    const auto input = testing::random_values(random, std::size_t(job.shape.input().size()), 8);
    const auto weight = testing::random_values(random, std::size_t(job.shape.weight().size()), 8);
    job.tensors = {input, weight, {}};
    const Program program = conv2d_program(preset("tsim-de10").value(), job).value();
    const Result<Program> again = assemble(disassemble(program));
    if (!again) FAIL(again.error().where << ": " << again.error().message);
    CHECK(again->config == program.config);
    CHECK(again->instructions == program.instructions);
    CHECK(again->origins == program.origins);
    CHECK(again->origin_names == program.origin_names);
    CHECK(again->buffers == program.buffers);
    CHECK(again->dram == program.dram);
}

TEST_CASE("program text is refused with the line", "[vta][assembler]") {
    const auto where = [](std::string_view text) { return assemble(text).error().where; };
    CHECK(where("finish\nfinish\nhalt\n") == "line 3, halt");
    CHECK(assemble(".dram 16\n.data 12 0011223344\n").error().code == ErrorCode::OutOfDram);
    CHECK(assemble(".uops 0\nuop dst=1\n").error().code == ErrorCode::OutOfDram);
    CHECK(assemble(".config {\"LOG_BLOCK\": 9}\n").error().code == ErrorCode::BadConfig);
    CHECK(assemble(".stack 9\n").error().code == ErrorCode::UnknownName);
    // 14 bits of iter_out are judged against the configuration.
    CHECK(assemble("gemm iter=16384x1\n").error().code == ErrorCode::FieldOverflow);
}
