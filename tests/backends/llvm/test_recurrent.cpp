#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "tests/backends/llvm/harness.hpp"

#include <cstring>

using namespace orrery;
using namespace orrery::testing;

namespace {

tensor::Program steps_of(const char* op, std::int64_t gates, std::int64_t batch, bool lengths) {
    const std::int64_t time = 5, hidden = 256, lanes = gates == 1 ? 64 : 16; // enough for several threads
    graph::FunctionBuilder builder;
    const auto param = [&](DType dtype, const Shape& shape) {
        return builder.param("p", graph::tensor_type(dtype, shape));
    };
    std::vector<graph::Var> args{param(DType::F32, {time, batch, gates * hidden}),
                                 param(DType::F32, {1, hidden / lanes, hidden, gates, lanes})};
    if (lengths) args.push_back(param(DType::I32, {batch}));
    const graph::Var all = builder.call(ops::op(op), args, {{"direction", std::string("reverse")}}, {}, "all");
    const auto call = graph::as<graph::CallOp>(builder.value_of(all));
    const Result<tensor::Program> program = ops::program_of(*call, all->type);
    if (!program) FAIL(to_string(program.error()));
    return *program;
}

} // namespace

TEST_CASE("steps of recurrent networks give the same bits on any number of threads", "[llvm][parallel][recurrent]") {
    struct Row {
        const char* op;
        std::int64_t gates;
        std::int64_t batch;
        bool lengths;
    };
    for (const Row& row : {Row{"rnn_steps", 1, 1, false}, Row{"gru_steps", 3, 2, true}, Row{"lstm_steps", 4, 1, false},
                           Row{"lstm_steps", 4, 5, true}}) {
        INFO(row.op << ", " << row.batch << " rows");
        const tensor::Program program = steps_of(row.op, row.gates, row.batch, row.lengths);
        REQUIRE(tensor::to_string(program).find("parallel") != std::string::npos);
        std::vector<NDArray> start = random_args(program, 4);
        for (std::int64_t i = 0; i < start[1].size(); ++i) start[1].set(i, start[1].as_double(i) / 64);
        std::vector<NDArray> expected = copies(start);
        REQUIRE(tensor::interpret(program, expected));
        Compiled compiled(program);
        std::vector<NDArray> alone = copies(start);
        compiled.run(alone);
        for (std::size_t i = program->input_count; i < alone.size(); ++i)
            REQUIRE(compare(alone[i], expected[i]).max_rel < 1e-4);
        for (const int threads : {2, 3, 5}) {
            runtime::ThreadPool pool(threads);
            std::vector<NDArray> args = copies(start);
            for (int round = 0; round < 3; ++round) compiled.run(args, pool);
            for (std::size_t i = program->input_count; i < args.size(); ++i)
                REQUIRE(std::memcmp(args[i].data(), alone[i].data(), args[i].bytes()) == 0);
        }
    }
}
