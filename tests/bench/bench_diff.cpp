// Times a comparison of two graphs of 10,000 operators: matching, both texts, tables, the graph of both.
// usage: bench_diff [OPERATORS]

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/search_view.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

using namespace orrery;

namespace {

/// A row of the program: operator (-1: weight), operands by number.
struct Row {
    int op = 0, a = 0, b = 0, name = 0;
};

std::vector<Row> random_rows(int count, std::mt19937& rng) {
    std::vector<Row> rows;
    for (int i = 1; i <= count; ++i) {
        const auto near = [&] { return std::max(0, i - 1 - static_cast<int>(rng() % 4)); };
        rows.push_back({rng() % 5 == 0 ? -1 : static_cast<int>(rng() % 5), near(), near(), i});
    }
    return rows;
}

graph::Module module_of(const std::vector<Row>& rows) {
    static const char* const kOps[] = {"relu", "sigmoid", "tanh", "add", "multiply"};
    graph::FunctionBuilder builder;
    const graph::Type type = graph::tensor_type(DType::F32, Shape{1, 64});
    std::vector<graph::Var> vars{builder.param("x", type)};
    auto sources = std::make_shared<std::vector<graph::Source>>();
    for (const Row& row : rows) {
        const OriginSet origin(static_cast<SourceId>(row.name));
        const std::string name = "/block" + std::to_string(row.name / 40) + "/node" + std::to_string(row.name);
        if (row.op < 0) {
            NDArray value = NDArray::zeros(DType::F32, {1, 64});
            value.set(0, row.name);
            vars.push_back(builder.constant(value, origin, name));
            continue;
        }
        const auto at = [&](int k) {
            return vars[static_cast<std::size_t>(std::min<int>(k, static_cast<int>(vars.size()) - 1))];
        };
        std::vector<graph::Var> args{at(row.a)};
        if (row.op >= 3) args.push_back(at(row.b));
        vars.push_back(builder.call(ops::op(kOps[row.op]), args, {}, origin, name));
    }
    sources->resize(rows.size() * 2 + 2, {"node", "Node"});
    return {builder.finish("main", vars.back()), {"y"}, sources};
}

template <class F> double milliseconds(F&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 10'000;
    std::mt19937 rng(1);
    std::vector<Row> rows = random_rows(count, rng);
    const graph::Module before = module_of(rows);
    for (int edit = 0; edit < count / 33; ++edit) {
        const std::size_t at = rng() % rows.size();
        if (rows[at].op >= 0) rows[at].op = static_cast<int>((static_cast<unsigned>(rows[at].op) + 1) % 3);
        if (edit % 3 == 0) rows[at].a = std::max(0, rows[at].a - 1);
    }
    auto snapshot = std::make_shared<session::Snapshot>();
    for (const auto& [name, module] : {std::pair("import", before), {"Edited", module_of(rows)}}) {
        auto step = std::make_shared<session::GraphStep>();
        step->name = name, step->module = module, step->changed = true;
        snapshot->steps.push_back(step);
    }
    const views::DiffRequest request{
        snapshot, snapshot, {session::Level::Graph, 0, {}}, {session::Level::Graph, 1, {}}, {}};
    views::DiffViewData diff;
    std::printf("%d operators\n", count);
    std::printf("match, texts, tables   %8.1f ms (first time: works counted)\n",
                milliseconds([&] { diff = views::build_diff(request, {}).value(); }));
    std::printf("match, texts, tables   %8.1f ms\n",
                milliseconds([&] { diff = views::build_diff(request, {}).value(); }));
    std::printf("graph of both          %8.1f ms\n", milliseconds([&] { (void)views::describe_diff(request); }));
    views::SearchViewData search;
    std::printf("search index           %8.1f ms\n", milliseconds([&] { search = views::build_search(*snapshot); }));
    std::size_t hits = 0;
    std::printf("search, two words      %8.2f ms",
                milliseconds([&] { hits = views::search(search, "sigmoid block17", 200).size(); }));
    std::printf(" (%zu hits)\n%s, %d lines\n", hits, diff.summary.c_str(), diff.left->line_count());
}
