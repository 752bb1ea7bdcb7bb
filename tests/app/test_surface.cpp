// What the program says to wrong arguments and odd surroundings, and the form of what it prints.

#include "tests/app/shell.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <onnx/onnx_pb.h>

#include <fstream>

using nlohmann::json;
using orrery::tests::orrery_line;
using orrery::tests::Outcome;
using orrery::tests::run_line;
using orrery::tests::TestFolder;

namespace {

bool says(const Outcome& out, const std::string& part) { return out.text.find(part) != std::string::npos; }

long lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

void write_text(const std::string& file, std::string_view text) { std::ofstream(file, std::ios::binary) << text; }

} // namespace

TEST_CASE("a display that cannot be reached is said in one line, as having none is", "[app][cli]") {
    for (const char* line : {"lenet", "capture lenet -o none.png"})
        for (const char* display : {"DISPLAY=:94711 QT_QPA_PLATFORM=xcb", "QT_QPA_PLATFORM=nonsense",
                                    "-u DISPLAY -u WAYLAND_DISPLAY -u QT_QPA_PLATFORM"}) {
            const Outcome out = run_line(std::string("env ") + display + " " + orrery_line(line) + " 2>&1");
            INFO(display << "\n" << out.text);
            CHECK(out.status == 1);
            CHECK(out.text.starts_with("orrery: there is no display"));
            CHECK(lines_of(out.text) == 1);
        }
}

TEST_CASE("every view is one JSON document when JSON is asked for", "[app][dump]") {
    for (const char* view : {"stages", "graph", "operators", "tensor", "inspector", "problems", "memory", "statistics"})
        for (const char* form : {" --json", " --format json"}) {
            const Outcome out = run_line(orrery_line(std::string("dump lenet --view ") + view + form));
            INFO(view << form << "\n" << out.text.substr(0, 200));
            CHECK(out.status == 0);
            CHECK(json::accept(out.text));
        }
    const json table = json::parse(run_line(orrery_line("dump mlp --view operators --json")).text);
    CHECK(table["table"]["rows"].size() == 4);
    // The view of a program with a mistake is still one document; the mistake goes to standard error.
    const Outcome broken = run_line(orrery_line("dump 'scratch:y[i: 8] = x[i]' --view edit --json 2>/dev/null"));
    CHECK(broken.status == 1);
    CHECK(json::parse(broken.text)["error_line"] == 1);
}

TEST_CASE("a function that is not there is refused, with those that are", "[app][cli]") {
    for (const char* line : {"show mlp --at tensor", "dump mlp --view tensor", "dump mlp --view loops"}) {
        const Outcome out = run_line(orrery_line(std::string(line) + " --function nope 2>&1"));
        INFO(line << "\n" << out.text);
        CHECK(out.status == 1);
        CHECK(says(out, "softmax"));
    }
}

TEST_CASE("a layout that is not there is refused", "[app][cli]") {
    const Outcome out = run_line(orrery_line("capture mlp --layout Nowhere -o none.png 2>&1"));
    CHECK(out.status == 1);
    CHECK(says(out, "Explore"));
}

TEST_CASE("a triple is enough of a target, and a target nobody generates code for is none", "[app][cli]") {
    const TestFolder folder;
    const std::string file = folder.file("mlp.s");
    const Outcome made = run_line(orrery_line("compile mlp --target 'llvm -mtriple=aarch64-linux-gnu' -o " + file));
    CHECK(made.status == 0);
    std::ifstream in(file);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    CHECK(text.find("fmla") != std::string::npos); // a vector instruction that no other architecture has
    const Outcome none = run_line(orrery_line("compile mlp --target cuda -o " + file + " 2>&1"));
    CHECK(none.status == 1);
    CHECK(says(none, "cuda"));
}

TEST_CASE("code that this machine cannot run is not run", "[app][cli]") {
    const TestFolder folder;
    const std::string here = run_line("uname -m").text;
    const std::string other = here.starts_with("x86_64") ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
    for (const char* command : {"run", "check", "bench", "profile --no-peaks", "measure --no-peaks"})
        for (const std::string& target : {"-mtriple=" + other, std::string("-mtriple=riscv64-linux-gnu")}) {
            const Outcome out =
                run_line(orrery_line(std::string(command) + " mlp --target 'llvm " + target + "' 2>&1"));
            INFO(command << " " << target << "\n" << out.text);
            CHECK(out.status == 1);
            CHECK(lines_of(out.text) == 1);
            CHECK(says(out, "this machine"));
        }
    // It is still written as a module.
    const std::string file = folder.file("mlp.so");
    CHECK(run_line(orrery_line("compile mlp --target 'llvm -mtriple=" + other + "' -o " + file)).status == 0);
    CHECK(std::filesystem::file_size(file) > 100000);
}

TEST_CASE("what steers a terminal is written out in messages", "[app][cli]") {
    const TestFolder folder;
    const std::string file = folder.file("odd.te");
    write_text(file, std::string_view("y\0\x1b[31m", 7));
    const Outcome out = run_line(orrery_line("run " + file + " 2>&1"));
    CHECK(out.status == 1);
    CHECK(out.text.find('\0') == std::string::npos);
    CHECK(out.text.find('\x1b') == std::string::npos);
    CHECK(says(out, "\\x"));
}

TEST_CASE("the largest elements are told with labels, whatever ends their lines", "[app][run]") {
    const TestFolder folder;
    write_text(folder.file("labels.txt"), "zero\r\none\r\ntwo\r\n");
    const Outcome out =
        run_line(orrery_line("run lenet --top 10 --json --labels " + folder.file("labels.txt") + " 2>&1"));
    REQUIRE(out.status == 0);
    const json top = json::parse(out.text)["outputs"][0]["top"];
    REQUIRE(top.size() == 10);
    for (std::size_t i = 0; i < top.size(); ++i) {
        if (i > 0) CHECK(top[i]["value"] <= top[i - 1]["value"]);
        if (top[i]["index"] == 1) CHECK(top[i]["label"] == "one");
    }
    CHECK(run_line(orrery_line("run lenet --top -1 2>&1")).status == 1);
}

TEST_CASE("an input given twice, and names that would share a file, are refused", "[app][run]") {
    const TestFolder folder;
    const std::string model = folder.file("twice.onnx"), out = folder.file("out");
    ::onnx::ModelProto proto;
    proto.set_ir_version(8);
    proto.add_opset_import()->set_version(13);
    ::onnx::GraphProto& graph = *proto.mutable_graph();
    graph.set_name("twice");
    const auto value = [](::onnx::ValueInfoProto& info, const char* name) {
        info.set_name(name);
        ::onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
        type.set_elem_type(::onnx::TensorProto::FLOAT);
        type.mutable_shape()->add_dim()->set_dim_value(2);
    };
    value(*graph.add_input(), "x");
    for (const char* name : {"a/b", "a:b"}) {
        ::onnx::NodeProto& node = *graph.add_node();
        node.set_op_type(std::string_view(name) == "a/b" ? "Relu" : "Neg");
        node.add_input("x");
        node.add_output(name);
        value(*graph.add_output(), name);
    }
    std::ofstream(model, std::ios::binary) << proto.SerializeAsString();
    const Outcome shared = run_line(orrery_line("run " + model + " --output " + out + " 2>&1"));
    CHECK(shared.status == 1);
    CHECK(shared.text.find("a/b and a:b would both be written to a_b.npy") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(out + "/a_b.npy")); // nothing is half written
    CHECK(run_line(orrery_line("run lenet --output " + out + " 2>&1")).status == 0);
    const std::string given = " --input " + out + "/input.npy";
    CHECK(run_line(orrery_line("run lenet" + given + " 2>&1")).status == 0);
    const Outcome twice = run_line(orrery_line("run lenet" + given + given + " 2>&1"));
    CHECK(twice.status == 1);
    CHECK(twice.text.find("is given twice") != std::string::npos);
}
