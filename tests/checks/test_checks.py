#!/usr/bin/env python3
"""Runs the checkers of .ci on small trees, each with one thing wrong or nothing."""
import os
import subprocess
import sys
import tempfile
import unittest

CI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".ci")
README = "# Folder\n\nHolds one thing.\n\nDoes not hold another.\n"


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def run_check(script, files, readmes=True, arguments=()):
    """(exit status, output) of the checker on a tree of those files."""
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        if readmes:
            write_tree(root, {os.path.join(os.path.dirname(path), "README.md"): README for path in files
                              if path.endswith((".cpp", ".hpp")) and not path.startswith("tests")})
            if os.path.isdir(os.path.join(root, "tests")):
                write_tree(root, {"tests/README.md": README})
        done = subprocess.run([sys.executable, os.path.join(CI, script), root, *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


class Layers(unittest.TestCase):
    def check(self, path, include, passes, extra=None):
        files = {"core/base/a.hpp": "", "core/graph/a.hpp": "", "core/tensor/a.hpp": "", "core/session/a.hpp": "",
                 "views/model/a.hpp": "", "vta-sim/a.hpp": "", "core/runtime/a.hpp": ""}
        files.update(extra or {})
        files[path] = files.get(path, "") + f"#pragma once\n#include {include}\n"
        status, output = run_check("check_layers.py", files)
        self.assertEqual(status, 0 if passes else 1, output)
        if not passes:
            self.assertIn(f"{path}:2", output)

    def test_down_is_allowed(self):
        self.check("core/graph/b.hpp", '"core/base/a.hpp"', True)
        self.check("core/lower/b.cpp", '"core/tensor/a.hpp"', True)  # through core/ops
        self.check("views/model/b.cpp", '"core/session/a.hpp"', True)
        self.check("backends/llvm/b.cpp", '"core/graph/a.hpp"', True)
        self.check("backends/vta/b.cpp", '"vta-sim/a.hpp"', True)
        self.check("tests/core/b.cpp", '"core/session/a.hpp"', True)

    def test_up_and_sideways_are_refused(self):
        self.check("core/base/b.hpp", '"core/graph/a.hpp"', False)
        self.check("core/graph/b.hpp", '"core/tensor/a.hpp"', False)
        self.check("core/graph/b.hpp", '"core/session/a.hpp"', False)
        self.check("core/session/b.hpp", '"views/model/a.hpp"', False)
        self.check("vta-sim/b.hpp", '"core/base/a.hpp"', False)
        self.check("backends/llvm/b.cpp", '"vta-sim/a.hpp"', False)
        self.check("core/frontends/onnx/b.cpp", '"core/frontends/tflite/a.hpp"', False, {"core/frontends/tflite/a.hpp": ""})

    def test_views_see_view_data_only(self):
        self.check("views/qt/b.cpp", '"views/model/a.hpp"', True)
        self.check("views/qt/b.cpp", '"core/session/a.hpp"', False)
        self.check("views/imgui/b.cpp", '"core/base/a.hpp"', False)

    def test_angle_brackets_do_not_hide_an_edge(self):
        self.check("core/base/b.hpp", "<core/graph/a.hpp>", False)

    def test_relative_includes_are_refused(self):
        self.check("core/graph/b.cpp", '"../base/a.hpp"', False)
        self.check("core/graph/b.cpp", '"core/graph/../base/a.hpp"', False)
        self.check("core/graph/b.cpp", '"a.hpp"', False)

    def test_fences(self):
        self.check("views/qt/b.cpp", "<QWidget>", True)
        self.check("views/model/b.cpp", "<QString>", False)
        self.check("core/base/b.cpp", "<QtCore/QString>", False)
        self.check("views/imgui/b.cpp", "<imgui.h>", True)
        self.check("views/qt/b.cpp", "<imgui.h>", False)
        self.check("views/layout/b.cpp", "<graphviz/gvc.h>", True)
        self.check("views/model/b.cpp", "<graphviz/gvc.h>", False)
        self.check("backends/llvm/b.cpp", "<llvm/IR/Module.h>", True)
        self.check("backends/llvm/b.hpp", "<llvm/IR/Module.h>", False)
        self.check("app/b.cpp", "<llvm/IR/Module.h>", False)
        self.check("core/base/b.cpp", "<iostream>", True)
        self.check("core/base/b.hpp", "<iostream>", False)
        self.check("core/base/b.hpp", "<regex>", False)
        self.check("core/runtime/b.cpp", "<vector>", True)
        self.check("core/runtime/b.cpp", "<sys/mman.h>", True)
        self.check("core/runtime/b.cpp", "<spdlog/spdlog.h>", False)

    def test_sqlite_has_one_home(self):
        one = {"core/tuning/a.cpp": "#include <sqlite3.h>\n"}
        self.assertEqual(run_check("check_layers.py", one)[0], 0)
        two = dict(one, **{"core/session/b.cpp": "#include <sqlite3.h>\n"})
        self.assertEqual(run_check("check_layers.py", two)[0], 1)
        self.assertEqual(run_check("check_layers.py", {"core/tuning/a.hpp": "#include <sqlite3.h>\n"})[0], 1)

    def test_unknown_folders_are_refused(self):
        self.assertEqual(run_check("check_layers.py", {"core/other/a.cpp": ""})[0], 1)

    def test_readmes(self):
        files = {"core/base/a.cpp": ""}
        self.assertEqual(run_check("check_layers.py", files, readmes=False)[0], 1)
        for lines, status in ((4, 1), (5, 0), (15, 0), (16, 1)):
            readme = {"core/base/README.md": "line\n" * lines}
            self.assertEqual(run_check("check_layers.py", {**files, **readme}, readmes=False)[0], status, lines)


class Sizes(unittest.TestCase):
    def check(self, text, problem=None, path="core/base/a.cpp", allow=None):
        files = {path: text}
        if allow is not None:
            files[".ci/size_allow.txt"] = allow
        status, output = run_check("check_sizes.py", files)
        self.assertEqual(status, 1 if problem else 0, output)
        if problem:
            self.assertIn(problem, output)

    def test_files(self):
        self.check("int x;\n" * 800)
        self.check("int x;\n" * 801, "a.cpp:1: source 801")
        self.check("int x;\n" * 300, path="core/base/a.hpp")
        self.check("int x;\n" * 301, "header 301", path="core/base/a.hpp")

    def test_functions(self):
        body = "    f();\n"
        self.check("void g() {\n" + body * 78 + "}\n")
        self.check("void g() {\n" + body * 79 + "}\n", "g: function 81")
        self.check("namespace a {\nint y;\n}\nnamespace b {\nstruct S {\n    int m = 1;\n    void g() const {\n" + body * 79 +
                   "    }\n};\n}\n", "a.cpp:7: g: function 81")
        self.check("S::S(int a) : a_{a}, b_(a) {\n" + body * 79 + "}\n", "S: function 81")
        self.check("TEST_CASE(\"a { b\", \"[c]\") {\n" + body * 79 + "}\n", "TEST_CASE: function 81")
        self.check("template <class T> requires(sizeof(T) > 1) auto g(T t) -> int {\n" + body * 79 + "}\n", "g: function 81")

    def test_functions_end_where_they_end(self):
        two = "void g() {\n" + "    if (a) {\n        f();\n    }\n" * 20 + "}\n"
        self.check(two + two.replace("g", "h"))
        self.check("const int table[] = {\n" + "    1,\n" * 100 + "};\nvoid g() {}\n")
        self.check("struct S {\n" + "    int f() { return 1; }\n" * 100 + "};\n")
        self.check("// {\nconst char* a = \"{\"; const char b = '{'; const char* c = R\"({)\";\nint f() {\n    return 1'000;\n}\n" +
                   "int y;\n" * 90)

    def test_parameters(self):
        self.check("void g(int a, int b, int c, int d, int e);\n")
        self.check("void g(int a, int b, int c, int d, int e, int f);\n", "g: parameters 6")
        self.check("void g(std::map<int, int> a, F<void(int, int)> b, int c, int d, int e) {}\n")
        self.check("struct S {\n    static S make(int a, int b, int c, int d, int e, int f = g(1, 2));\n};\n", "make: parameters 6")
        self.check("void g() {\n    call(1, 2, 3, 4, 5, 6, 7);\n}\n")

    def test_adjacent_bools(self):
        self.check("void g(bool a, int b, bool c);\n")
        self.check("void g(int a, bool b, bool c);\n", "g: adjacent_bools 1")
        self.check("void g(int a, bool b = false, const bool c = true) {}\n", "g: adjacent_bools 1")

    def test_allow_list_only_shrinks(self):
        long = "int x;\n" * 900
        self.check(long, allow="source core/base/a.cpp 900  # why\n")
        self.check(long, "source 900, limit 890", allow="source core/base/a.cpp 890\n")
        self.check(long, "it is 900 now", allow="source core/base/a.cpp 950\n")
        self.check("int x;\n", "within the limit", allow="source core/base/a.cpp 900\n")


class BuildCost(unittest.TestCase):
    def run_cost(self, log, limit):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {".ninja_log": log} if log is not None else {})
            done = subprocess.run([sys.executable, os.path.join(CI, "build_cost.py"), root, "--limit", str(limit)],
                                  capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_newest_entry_counts(self):
        log = "# ninja log v5\n0\t9000\t0\ta.o\tff\n0\t2000\t0\tb.o\tff\n100\t1100\t0\ta.o\tff\n"
        status, output = self.run_cost(log, 3)
        self.assertEqual(status, 0)
        self.assertIn("3 s of one core for 2 outputs", output)
        self.assertLess(output.index("b.o"), output.index("a.o"))
        self.assertEqual(self.run_cost(log, 2.9)[0], 1)

    def test_no_log(self):
        self.assertEqual(self.run_cost(None, 10)[0], 1)


if __name__ == "__main__":
    unittest.main()
