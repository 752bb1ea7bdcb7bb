#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/isa.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;
using orrery::vta::testing::Random;

namespace {

Instruction load_vector() {
    Instruction in;
    in.opcode = Opcode::Load;
    in.memory = MemoryId::Inp;
    in.push_next = true;
    in.sram_base = 0x12;
    in.dram_base = 0x345;
    in.y_size = 3;
    in.x_size = 4;
    in.x_stride = 14;
    in.y_pad_0 = 1;
    in.x_pad_1 = 2;
    return in;
}

Instruction gemm_vector() {
    Instruction in;
    in.opcode = Opcode::Gemm;
    in.pop_prev = true;
    in.push_prev = true;
    in.uop_begin = 8;
    in.uop_end = 17;
    in.iter_out = 14;
    in.iter_in = 7;
    in.dst_out = 14;
    in.dst_in = 1;
    in.src_out = 16;
    in.src_in = 1;
    in.wgt_out = 0;
    in.wgt_in = 3;
    return in;
}

Instruction alu_vector(AluOp op, std::int16_t imm) {
    Instruction in;
    in.opcode = Opcode::Alu;
    in.alu_op = op;
    in.use_imm = true;
    in.imm = imm;
    in.push_next = true;
    in.uop_begin = 0;
    in.uop_end = 1;
    in.iter_out = 1;
    in.iter_in = 98;
    in.dst_in = 1;
    in.src_in = 1;
    return in;
}

Config with_block(int log_block) {
    Config c;
    c.log_block = log_block;
    REQUIRE(check(c).empty());
    return c;
}

int offset_of(const Codec& codec, Opcode opcode, Field field) {
    for (const FieldLayout& at : codec.layout(opcode)) {
        if (at.field == field) return at.offset;
    }
    return -1;
}

} // namespace

TEST_CASE("published encodings of the default configuration", "[vta][isa]") {
    const Codec codec{Config{}};
    const std::pair<Instruction, Encoded> vectors[] = {
        {load_vector(), {0x0000000d14004940, 0x2001000e00040003}},
        {gemm_vector(), {0x000e00700220082a, 0x00c000020400080e}},
        {alu_vector(AluOp::Shr, 8), {0x00c4000800200044, 0x0008b00200000800}},
        {alu_vector(AluOp::Max, -128), {0x00c4000800200044, 0xff80900200000800}},
    };
    for (const auto& [instruction, bits] : vectors) {
        const Result<Encoded> encoded = codec.encode(instruction);
        REQUIRE(encoded);
        CHECK(encoded->word0 == bits.word0);
        CHECK(encoded->word1 == bits.word1);
        const Result<Instruction> decoded = codec.decode(bits);
        REQUIRE(decoded);
        CHECK(*decoded == instruction);
    }
}

TEST_CASE("micro-ops of blocks 16, 32 and 64", "[vta][isa]") {
    const std::pair<int, std::uint32_t> vectors[] = {{4, 0x01c03005}, {5, 0x00701805}, {6, 0x001c0c05}};
    for (const auto& [log_block, bits] : vectors) {
        const Codec codec(with_block(log_block));
        CHECK(codec.encode_uop({5, 6, 7}).value() == bits);
        CHECK(codec.decode_uop(bits) == Uop{5, 6, 7});
    }
}

TEST_CASE("fields slide down within their word as memories shrink", "[vta][isa]") {
    const Codec block32(with_block(5));
    CHECK(offset_of(block32, Opcode::Gemm, Field::WgtOut) == 104);
    CHECK(offset_of(block32, Opcode::Gemm, Field::WgtIn) == 112);
    CHECK(offset_of(block32, Opcode::Alu, Field::AluOp) == 104);
    CHECK(offset_of(block32, Opcode::Alu, Field::UseImm) == 107);
    CHECK(offset_of(block32, Opcode::Alu, Field::Imm) == 108);
    const Codec block64(with_block(6));
    CHECK(offset_of(block64, Opcode::Gemm, Field::WgtOut) == 100);
    CHECK(offset_of(block64, Opcode::Gemm, Field::WgtIn) == 106);
    CHECK(offset_of(block64, Opcode::Alu, Field::AluOp) == 100);
    CHECK(offset_of(block64, Opcode::Alu, Field::UseImm) == 103);
    CHECK(offset_of(block64, Opcode::Alu, Field::Imm) == 104);
    CHECK(offset_of(block64, Opcode::Gemm, Field::DstOut) == 64);
}

TEST_CASE("no field crosses a word and none overlap, in any configuration", "[vta][isa]") {
    Random random(1);
    for (int i = 0; i < 300; ++i) {
        const Codec codec(testing::random_config(random, 1, 11));
        for (const Opcode opcode : {Opcode::Load, Opcode::Gemm, Opcode::Alu, Opcode::Finish}) {
            std::uint64_t used[2] = {0, 0};
            for (const FieldLayout& at : codec.layout(opcode)) {
                REQUIRE(at.width >= 1);
                REQUIRE(at.offset / 64 == (at.offset + at.width - 1) / 64);
                const std::uint64_t bits = ((1ULL << at.width) - 1) << (at.offset % 64);
                REQUIRE((used[at.offset / 64] & bits) == 0);
                used[at.offset / 64] |= bits;
            }
        }
    }
}

TEST_CASE("random instructions and micro-ops survive encoding in random configurations", "[vta][isa]") {
    Random random(2);
    for (int i = 0; i < 300; ++i) {
        const Config config = testing::random_config(random, 1, 11);
        const Codec codec(config);
        for (int k = 0; k < 50; ++k) {
            const Instruction in = testing::random_instruction(random, codec);
            const Result<Encoded> bits = codec.encode(in);
            REQUIRE(bits);
            REQUIRE(codec.decode(*bits).value() == in);
            const Uop uop{static_cast<std::uint16_t>(random() % static_cast<unsigned>(config.acc_depth())),
                          static_cast<std::uint16_t>(
                              random() % static_cast<unsigned>(std::max(config.acc_depth(), config.inp_depth()))),
                          static_cast<std::uint16_t>(random() % static_cast<unsigned>(config.wgt_depth()))};
            REQUIRE(codec.decode_uop(codec.encode_uop(uop).value()) == uop);
        }
    }
}

TEST_CASE("values too large for a field are refused by name", "[vta][isa]") {
    const Codec codec{Config{}};
    Instruction in = gemm_vector();
    in.iter_out = 16384;
    REQUIRE_FALSE(codec.encode(in));
    CHECK(codec.encode(in).error().code == ErrorCode::FieldOverflow);
    CHECK(codec.encode(in).error().where == "iter_out");
    CHECK(codec.encode_uop({2048, 0, 0}).error().where == "dst");
    CHECK(codec.encode_uop({0, 0, 1024}).error().where == "wgt");
}

TEST_CASE("bits that are no instruction are refused", "[vta][isa]") {
    const Codec codec{Config{}};
    CHECK(codec.decode({5, 0}).error().where == "opcode");
    CHECK(codec.decode({0x6ULL << 7, 0}).error().where == "memory");
    CHECK(codec.decode({4, 5ULL << 44}).error().where == "alu_op");
    CHECK(codec.decode({1ULL << 60, 0}).error().where == "unused");
    CHECK(codec.decode({3, 1}).error().where == "unused");
    CHECK(codec.decode({5, 0}).error().code == ErrorCode::BadEncoding);
}

TEST_CASE("flags name the queues of their module", "[vta][isa]") {
    CHECK(pop_queue(Module::Load, true) == TokenQueue::ComputeToLoad);
    CHECK_FALSE(pop_queue(Module::Load, false));
    CHECK(pop_queue(Module::Compute, false) == TokenQueue::LoadToCompute);
    CHECK(pop_queue(Module::Compute, true) == TokenQueue::StoreToCompute);
    CHECK(pop_queue(Module::Store, false) == TokenQueue::ComputeToStore);
    CHECK_FALSE(pop_queue(Module::Store, true));
    CHECK(push_queue(Module::Load, true) == TokenQueue::LoadToCompute);
    CHECK(push_queue(Module::Compute, false) == TokenQueue::ComputeToLoad);
    CHECK(push_queue(Module::Compute, true) == TokenQueue::ComputeToStore);
    CHECK(push_queue(Module::Store, false) == TokenQueue::StoreToCompute);
}
