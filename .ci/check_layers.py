#!/usr/bin/env python3
"""Fails when an include breaks the layering, a library leaves its fence, or a folder has no README.

usage: check_layers.py [ROOT]
"""
import os
import re
import sys

# Folder: the folders it may include, besides itself. What those may include comes along, except for a
# folder in ISOLATED, which sees exactly what is listed. "*" ends a name for each folder below it.
LAYERS = {
    "app": ["*"],
    "tests": ["*"],
    "views/qt": ["views/model"],
    "views/imgui": ["views/model"],
    "views/model": ["views/layout", "core/*", "vta-sim"],
    "views/layout": ["core/base"],
    "backends/vta": ["core/*", "vta-sim"],
    "backends/*": ["core/*"],
    "core/session": ["core/*"],
    "core/tuning": ["core/schedule", "core/target", "core/runtime"],
    "core/frontends/*": ["core/graph", "core/ops", "core/transform"],  # a model may ask for derivatives
    "core/transform": ["core/graph", "core/ops", "core/pass", "core/target"],  # partitioning asks what a backend takes
    "core/lower": ["core/ops", "core/schedule", "core/pass"],
    "core/schedule": ["core/tensor", "core/pass", "core/target"],  # its rules write traces for a target
    "core/ops": ["core/graph", "core/tensor"],
    "core/target": ["core/graph", "core/tensor", "core/runtime"],  # code generators produce the runtime's ABI
    "core/graph": ["core/base", "core/pass"],
    "core/tensor": ["core/base", "core/pass", "core/runtime"],  # extern calls name functions of the runtime
    "core/pass": ["core/base"],
    "core/runtime": [],
    "core/base": [],
    "vta-sim": [],
}
ISOLATED = {"views/qt", "views/imgui"}

# Library: (pattern of its headers, pattern of the files that may include them). Tests may include all.
FENCES = {
    "Qt": (r"(Q[A-Z]|Qt).*", r"(views/qt|app)/.*"),
    "Dear ImGui": (r"(imgui/)?(imgui|imgui_impl_\w+|imgui_internal)\.h", r"views/imgui/.*|app/window_imgui_host\.cpp"),
    "Graphviz": (r"(graphviz/.*|gvc\.h|cgraph\.h|gvplugin\w*\.h)", r"views/layout/.*"),
    "LLVM": (r"(llvm|llvm-c|lld)/.*", r"backends/llvm/[^/]*\.cpp"),
    "oneDNN": (r"(oneapi/dnnl/)?dnnl\w*\.hp*", r"backends/dnnl/.*"),
    "SQLite": (r"sqlite3\.h", r".*\.cpp"),
    "gRPC": (r"grpc(pp)?/.*|.*\.grpc\.pb\.h", r"core/tuning/worker_channel\.cpp"),
    "XGBoost": (r"xgboost/.*", r"core/tuning/cost_model\.cpp"),
    "<iostream>, <regex>": (r"iostream|regex", r".*\.(cpp|c)"),
}
# Libraries for one file of the whole project.
ONE_FILE = {"SQLite", }

# Folders that link the standard library only, and what else they may include.
STANDARD_ONLY = {"core/runtime": (), "vta-sim": ("nlohmann/json.hpp",)}
# Names without a dot are C++'s own, these are the system's.
SYSTEM_HEADERS = re.compile(r"(pthread|sched|link|unistd|dlfcn|fcntl|signal|errno|time|math|string|std\w+|\w*intrin|cpuid)\.h"
                            r"|(sys|linux)/\w+\.h")

ROOTS = ("app", "core", "views", "backends", "vta-sim", "tests")
SOURCE = re.compile(r".*\.(cpp|hpp|c|h|cc|inc|def)$")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]')
README_LINES = range(5, 16)


def folder_of(path):
    """The row of LAYERS a file belongs to, as a concrete folder ("backends/llvm"), or None."""
    parts = path.split("/")[:-1]
    for size in range(len(parts), 0, -1):
        name = "/".join(parts[:size])
        if name in LAYERS or "/".join(parts[:size - 1] + ["*"]) in LAYERS and size > 1:
            return name
    return None


def row(folder):
    return LAYERS.get(folder, LAYERS.get(folder.rsplit("/", 1)[0] + "/*"))


def matches(pattern, folder):
    if pattern == "*":
        return True
    if pattern.endswith("/*"):
        return folder.startswith(pattern[:-1])
    return folder == pattern


def may_include(folder, other, seen=None):
    if folder == other:
        return True
    seen = seen if seen is not None else {folder}
    for pattern in row(folder):
        if matches(pattern, other):
            return True
    if folder in ISOLATED:
        return False
    for pattern in row(folder):
        if "*" not in pattern and pattern not in seen:
            seen.add(pattern)
            if may_include(pattern, other, seen):
                return True
    return False


def sources(root):
    for top in ROOTS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
                if SOURCE.match(path):
                    yield path


def check_include(root, path, quote, name):
    """Why the include is forbidden, or None."""
    if name.startswith("../") or "/../" in name:
        return "leaves its folder by '..'; includes start at the repository's root"
    folder = folder_of(path)
    top = name.split("/")[0]
    if top in ROOTS and os.path.exists(os.path.join(root, name)):
        other = folder_of(name)
        if other is None or folder is None:
            return "is in no folder of the layer table"
        return None if may_include(folder, other) else f"'{folder}' may not include '{other}'"
    if quote == '"' and not name.endswith(".moc"):
        return "is not a file of the repository (libraries are included with <>)"
    for library, (headers, where) in FENCES.items():
        if re.fullmatch(headers, name) and not re.fullmatch(where, path) and not path.startswith("tests/"):
            return f"{library} may be included only by {where}"
    standard = re.fullmatch(r"[a-z_]+", name) or SYSTEM_HEADERS.fullmatch(name)
    if folder in STANDARD_ONLY and not standard and name not in STANDARD_ONLY[folder]:
        return f"'{folder}' depends on the standard library only"
    return None


def check_sources(root):
    problems, users, folders = [], {}, set()
    for path in sources(root):
        if folder_of(path) is None:
            problems.append(f"{path}: its folder is not in the layer table")
            continue
        if not path.startswith("tests/"):
            folders.add(os.path.dirname(path))
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                reason = check_include(root, path, found[1], found[2])
                if reason:
                    problems.append(f"{path}:{number}: {found[2]}: {reason}")
                for library in ONE_FILE:
                    if re.fullmatch(FENCES[library][0], found[2]) and not path.startswith("tests/"):
                        users.setdefault(library, set()).add(path)
    for library, paths in users.items():
        if len(paths) > 1:
            problems.append(f"{library} belongs in one file, and is included by {', '.join(sorted(paths))}")
    return problems, folders


def check_readmes(root, folders):
    wanted = set(folders) | {name for name in ("resources", "tests") if os.path.isdir(os.path.join(root, name))}
    for folder in sorted(wanted):
        path = os.path.join(root, folder, "README.md")
        if not os.path.exists(path):
            yield f"{folder}: has no README.md"
            continue
        with open(path, encoding="utf-8") as file:
            lines = len(file.read().splitlines())
        if lines not in README_LINES:
            yield f"{folder}/README.md: {lines} lines; 5 to 15 say what belongs, what does not, where to enter, what holds"


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    problems, folders = check_sources(root)
    problems += check_readmes(root, folders)
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} problems" if problems else "layers: every include points down")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
