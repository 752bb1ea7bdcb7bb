#include "tests/gui/fake_data.hpp"

#include <cstdio>

namespace orrery::gui_test {
namespace {

using views::GraphDescription;
using views::GraphItem;
using views::OperatorKind;

/// What a fake node says of itself.
struct Label {
    std::string op, title, type;
};

int add(GraphDescription& g, const Label& label, std::vector<int> inputs, const std::string& scope) {
    const int index = static_cast<int>(g.items.size());
    GraphItem item;
    item.name = "v" + std::to_string(index);
    item.title = label.title;
    item.subtitle = label.type;
    item.scope = scope;
    item.signature = label.title;
    item.kind = views::operator_kind(label.op);
    item.origins = OriginSet(static_cast<SourceId>(index));
    item.inputs = std::move(inputs);
    if (item.kind != OperatorKind::Input) item.function = label.op + "_" + std::to_string(index);
    g.items.push_back(std::move(item));
    return index;
}

} // namespace

GraphDescription residual_network(bool with_times) {
    GraphDescription g;
    g.title = "fused";
    int at = add(g, {"input", "data", "1×3×224×224"}, {}, "");
    at = add(g, {"conv2d", "conv2d 7×7 /2 · relu", "64×112×112"}, {at}, "stem");
    at = add(g, {"max_pool2d", "max_pool2d 3×3 /2", "64×56×56"}, {at}, "stem");
    const char* const types[] = {"64×56×56", "128×28×28", "256×14×14", "512×7×7"};
    for (int stage = 0; stage < 4; ++stage)
        for (int block = 0; block < 2; ++block) {
            const std::string scope = "layer" + std::to_string(stage + 1) + "/" + std::to_string(block);
            const int before = at;
            const int a = add(g, {"conv2d", "conv2d 3×3 · relu", types[stage]}, {before}, scope);
            const int b = add(g, {"conv2d", "conv2d 3×3", types[stage]}, {a}, scope);
            const int s = add(g, {"add", "add", types[stage]}, {b, before}, scope);
            at = add(g, {"relu", "relu", types[stage]}, {s}, scope);
        }
    at = add(g, {"global_avg_pool", "global_avg_pool", "512×1×1"}, {at}, "head");
    at = add(g, {"dense", "dense", "1000"}, {at}, "head");
    at = add(g, {"softmax", "softmax", "1000"}, {at}, "head");
    if (with_times)
        for (std::size_t i = 1; i < g.items.size(); ++i)
            g.items[i].time_ms = 0.1 + 2.3 * static_cast<double>((i * 37) % 11) / 10;
    return g;
}

GraphDescription transformer(int operators) {
    GraphDescription g;
    g.title = "imported";
    const int mask = add(g, {"input", "mask", "1×128"}, {}, "");
    int at = add(g, {"input", "tokens", "1×128×768"}, {}, "");
    const char* const ops[] = {"layer_norm", "matmul",  "matmul", "matmul", "transpose", "matmul",
                               "add",        "softmax", "matmul", "add",    "dense",     "gelu"};
    while (static_cast<int>(g.items.size()) + 12 <= operators + 2) {
        const int before = at;
        const std::string scope = "layer/" + std::to_string(g.items.size() / 12);
        for (int k = 0; k < 12; ++k) {
            std::vector<int> inputs{k == 1 || k == 2 || k == 3 ? before + 1 : at};
            if (k == 0) inputs = {before};
            if (k == 6) inputs.push_back(mask);
            if (k == 9) inputs.push_back(before);
            at = add(g, {ops[k], ops[k], "1×128×768"}, inputs, scope);
        }
    }
    return g;
}

views::StagesViewData stages(int selected) {
    views::StagesViewData data;
    int id = 0;
    const auto step = [&](views::StageSection& section, const char* name, const char* detail, const char* time,
                          bool changed, bool pass) {
        views::StageStep s;
        s.id = id, s.name = name, s.detail = detail, s.time = time, s.changed = changed, s.selected = id == selected,
        s.can_disable = pass;
        ++id;
        section.steps.push_back(s);
    };
    views::StageSection graph{"Graph", {}}, tensor{"Tensor · conv2d_add_relu_3", {}}, code{"LLVM", {}};
    step(graph, "import", "69 ops", "", true, false);
    step(graph, "FoldConstant", "-0", "2 ms", true, true);
    step(graph, "SimplifyInference", "-20", "1 ms", true, true);
    step(graph, "EliminateDead", "", "0 ms", false, true);
    step(graph, "EliminateCommon", "", "0 ms", false, true);
    step(graph, "FuseOps", "-31", "2 ms", true, true);
    step(tensor, "lower", "4 loops", "", true, false);
    step(tensor, "split", "ic → 4×16", "", true, false);
    step(tensor, "vectorize", "oc_i", "", true, false);
    step(tensor, "parallel", "oh_o", "", true, false);
    step(code, "optimize", "12 of 61", "9 ms", true, false);
    step(code, "codegen", "86 lines", "31 ms", true, false);
    data.sections = {graph, tensor, code};
    return data;
}

std::shared_ptr<views::TextViewData> tensor_program(const std::string& function) {
    auto data = std::make_shared<views::TextViewData>();
    data->language = views::TextLanguage::Tensor;
    data->title = "Tensor program";
    data->subject = function;
    data->note = "after vectorize · exact, max err 1.2e-6";
    views::set_text(*data, "fn " + function +
                               "(x: f32[1, 4, 58, 58, 16], w: f32[4, 4, 3, 3, 16, 16],\n"
                               "                    r: f32[1, 4, 56, 56, 16]) -> y: f32[1, 4, 56, 56, 16] {\n"
                               "  parallel oc_o, oh in 4, 56 {\n"
                               "    for ow_o in 4 {\n"
                               "      alloc acc: f32[14, 16] scope registers\n"
                               "      block init { acc[ow_i, v] = 0.0 }\n"
                               "      for ic_o, kh, kw in 4, 3, 3 {\n"
                               "        for ic_i in 16 {   # 92 % of the time\n"
                               "          unroll ow_i in 14 { vector v in 16 {\n"
                               "            block conv(reduce ic, kh, kw)\n"
                               "              acc[ow_i, v] += x[0, ic_o, oh + kh, 14*ow_o + ow_i + kw, ic_i]\n"
                               "                            * w[oc_o, ic_o, kh, kw, ic_i, v]\n"
                               "      } } } }\n"
                               "      unroll ow_i in 14 { vector v in 16 {\n"
                               "        block relu   y[0, oc_o, oh, 14*ow_o + ow_i, v] = max(acc[ow_i, v] + r[0, oc_o, "
                               "oh, 14*ow_o + ow_i, v], 0.0)\n"
                               "  } } } }\n");
    const int tints[] = {-1, -1, -1, -1, -1, 0, 1, 1, 1, 1, 1, 1, -1, 2, 2, -1};
    for (int i = 0; i < data->line_count(); ++i) {
        views::LineLink link;
        link.tensor_line = i + 1;
        link.tint = static_cast<std::int8_t>(i < 16 ? tints[i] : -1);
        link.origins = OriginSet(static_cast<SourceId>(i < 13 ? 4 : 5));
        data->links.push_back(link);
        data->heat.push_back(i == 7 ? 0.92f : i == 10 ? 0.4f : 0);
    }
    data->folds = {{2, 15}, {3, 14}, {6, 12}, {7, 11}, {13, 14}};
    return data;
}

std::shared_ptr<views::TextViewData> assembly(const views::TextViewData& tensor) {
    auto data = std::make_shared<views::TextViewData>();
    data->language = views::TextLanguage::Assembly;
    data->title = "Assembly";
    data->subject = tensor.subject;
    data->note = "86 lines · 30 zmm · 0 spills";
    std::string text;
    std::vector<int> lines;
    const auto write = [&](const std::string& line, int tensor_line) {
        text += line + "\n";
        lines.push_back(tensor_line);
    };
    write(tensor.subject + ":", 0);
    for (int i = 0; i < 6; ++i)
        write("\tvxorps\tzmm" + std::to_string(i) + ", zmm" + std::to_string(i) + ", zmm" + std::to_string(i), 6);
    write(".LBB3_4:                         # inner loop", 0);
    write("\tvmovups\tzmm28, zmmword ptr [r9 + rcx]", 11);
    for (int i = 0; i < 14; ++i)
        write("\tvfmadd231ps\tzmm" + std::to_string(i) + ", zmm28, dword ptr [rdi + 4*rdx + " + std::to_string(64 * i) +
                  "]{1to16}",
              11);
    write("\tadd\trcx, 64", 8);
    write("\tcmp\trcx, 1024", 8);
    write("\tjne\t.LBB3_4", 8);
    for (int i = 0; i < 6; ++i) {
        write("\tvaddps\tzmm" + std::to_string(i) + ", zmm" + std::to_string(i) + ", zmmword ptr [r10]", 15);
        write("\tvmaxps\tzmm" + std::to_string(i) + ", zmm" + std::to_string(i) + ", zmm31", 15);
        write("\tvmovups\tzmmword ptr [r11], zmm" + std::to_string(i), 15);
    }
    write("\tvzeroupper", 0);
    write("\tret", 0);
    views::set_text(*data, text);
    for (const int line : lines) data->links.push_back({OriginSet(static_cast<SourceId>(line < 14 ? 4 : 5)), line, -1});
    data->folds = views::folds_of(*data);
    views::tint_like(*data, tensor);
    return data;
}

std::shared_ptr<views::TextViewData> llvm(const views::TextViewData& tensor) {
    auto data = std::make_shared<views::TextViewData>();
    data->language = views::TextLanguage::Llvm;
    data->title = "LLVM IR";
    data->subject = tensor.subject;
    data->note = "optimized";
    views::set_text(*data, "define void @" + tensor.subject +
                               "(ptr noalias %args, i64 %begin, i64 %end) {\n"
                               "entry:\n"
                               "  %x = load ptr, ptr %args, align 8\n"
                               "  br label %loop\n"
                               "\n"
                               "loop:                                 ; preds = %loop, %entry\n"
                               "  %i = phi i64 [ 0, %entry ], [ %next, %loop ]\n"
                               "  %acc = phi <16 x float> [ zeroinitializer, %entry ], [ %sum, %loop ]\n"
                               "  %p = getelementptr inbounds float, ptr %x, i64 %i\n"
                               "  %v = load <16 x float>, ptr %p, align 64, !tbaa !3\n"
                               "  %sum = tail call contract <16 x float> @llvm.fma.v16f32(<16 x float> %v, <16 x "
                               "float> %v, <16 x float> %acc)\n"
                               "  %next = add nuw nsw i64 %i, 16\n"
                               "  %done = icmp eq i64 %next, %end\n"
                               "  br i1 %done, label %exit, label %loop\n"
                               "\n"
                               "exit:\n"
                               "  ret void\n"
                               "}\n");
    const int lines[] = {0, 0, 6, 6, 0, 0, 8, 8, 11, 11, 11, 8, 8, 8, 0, 0, 15, 0};
    for (const int line : lines) data->links.push_back({OriginSet(static_cast<SourceId>(line < 14 ? 4 : 5)), line, -1});
    data->folds = views::folds_of(*data);
    views::tint_like(*data, tensor);
    return data;
}

std::shared_ptr<views::TextViewData> long_text(int lines) {
    auto data = std::make_shared<views::TextViewData>();
    data->language = views::TextLanguage::Assembly;
    data->subject = "long";
    std::string text;
    text.reserve(static_cast<std::size_t>(lines) * 52);
    char line[80];
    for (int i = 0; i < lines; ++i) {
        std::snprintf(line, sizeof line, "\tvfmadd231ps\tzmm%d, zmm28, dword ptr [rdi + 4*rdx + %d]\n", i % 32, i);
        text += line;
    }
    views::set_text(*data, std::move(text));
    return data;
}

views::MemoryViewData memory_plan(const GraphDescription& graph) {
    views::MemoryViewData data;
    const int steps = static_cast<int>(graph.items.size());
    std::uint64_t top = 0;
    for (int i = 0; i < steps; ++i) {
        const GraphItem& item = graph.items[static_cast<std::size_t>(i)];
        data.step_names.push_back(item.function.empty() ? item.title : item.function);
        int last = i;
        for (int k = i + 1; k < steps; ++k)
            for (const int input : graph.items[static_cast<std::size_t>(k)].inputs)
                if (input == i) last = k;
        views::MemoryBox box;
        box.name = item.name, box.type = "f32[" + item.subtitle + "]", box.kind = item.kind, box.origins = item.origins;
        box.bytes = 802816ull << (i % 3);
        box.offset = (static_cast<std::uint64_t>(i) % 4) * 1605632ull;
        box.first_step = i, box.last_step = last;
        top = std::max(top, box.offset + box.bytes);
        data.boxes.push_back(box);
    }
    data.arena_bytes = top;
    data.bound_bytes = top * 9 / 10;
    data.constant_bytes = 46'800'000;
    views::summarize(data);
    return data;
}

views::RunViewData run_result(const GraphDescription& graph) {
    views::RunViewData data;
    data.summary = "13.4 ms on 2 threads, seed 0";
    data.agreement = "all 21 kernels agree with the reference, worst 1.2e-6";
    data.agreement_tone = views::Tone::Good;
    data.outputs.columns = {{"Output", views::Align::Left, 14},
                            {"Type", views::Align::Left, 14},
                            {"Min", views::Align::Right, 9},
                            {"Max", views::Align::Right, 9},
                            {"First values", views::Align::Left, 0}};
    data.outputs.rows.push_back({{{"probabilities", 0, -1},
                                  {"f32[1, 1000]", 0, -1},
                                  {"1.2e-05", 1.2e-5, -1},
                                  {"0.0834", 0.0834, -1},
                                  {"0.00102, 0.00087, 0.00241, 0.00093", 0, -1}},
                                 {},
                                 views::Tone::Normal,
                                 {}});
    data.operators.columns = {
        {"Operator", views::Align::Left, 0}, {"Time", views::Align::Right, 10}, {"Share", views::Align::Right, 12}};
    double total = 0;
    for (const GraphItem& item : graph.items) total += item.time_ms > 0 ? item.time_ms : 0;
    for (const GraphItem& item : graph.items) {
        if (item.time_ms < 0) continue;
        char time[32], share[32];
        std::snprintf(time, sizeof time, "%.2f ms", item.time_ms);
        std::snprintf(share, sizeof share, "%.1f %%", 100 * item.time_ms / total);
        data.operators.rows.push_back({{{item.function, 0, -1},
                                        {time, item.time_ms, -1},
                                        {share, item.time_ms / total, static_cast<float>(4 * item.time_ms / total)}},
                                       item.origins,
                                       views::Tone::Normal,
                                       {}});
    }
    return data;
}

views::InspectorViewData inspector(const GraphItem& item) {
    views::InspectorViewData data;
    data.title = item.title;
    data.subtitle = item.name + " · " + item.scope;
    data.sections.push_back({"Type",
                             "",
                             {{"result", "f32[1, 64, 56, 56]", true},
                              {"input", "f32[1, 64, 56, 56]", true},
                              {"weight", "f32[64, 64, 3, 3]", true}}});
    data.sections.push_back(
        {"Attributes", "", {{"strides", "[1, 1]", true}, {"pads", "[1, 1, 1, 1]", true}, {"groups", "1", true}}});
    data.sections.push_back(
        {"conv2d",
         "Slides a window over the input and sums the products with the kernel over channels and window.",
         {}});
    data.sections.push_back(
        {"Constant weight",
         "",
         {{"min, max", "-0.312, 0.298"}, {"mean", "1.1e-4"}, {"first", "0.0213, -0.1142, 0.0077, 0.0518", true}}});
    return data;
}

} // namespace orrery::gui_test
