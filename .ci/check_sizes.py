#!/usr/bin/env python3
"""Fails when a file, a function or a parameter list is longer than the house style allows.

usage: check_sizes.py [ROOT]

Functions are found by a scanner that follows braces, not by a compiler; it knows namespaces, classes,
constructors' initializers and Catch's test macros.

What is over a limit and cannot be split yet stands in .ci/size_allow.txt, one "KIND PLACE NUMBER" a line.
The list only shrinks: a number above what is measured, or a line no longer needed, fails too.
"""
import os
import re
import sys

LIMITS = {"header": 300, "source": 800, "function": 80, "parameters": 5, "adjacent_bools": 0}
ROOTS = ("app", "core", "views", "backends", "vta-sim", "tests")
HEADERS, SOURCES = (".hpp", ".h"), (".cpp", ".c")
NOT_FUNCTIONS = re.compile(r"^(static_assert|using|typedef|friend|if|for|while|switch|return|case|extern template)\b")


def blank_out(text):
    """The text with comments, literals and preprocessor lines as spaces; newlines stay."""
    keep_newlines = lambda found: re.sub(r"[^\n]", " ", found[0])
    pattern = re.compile(
        r'R"(?P<d>[^()\\ ]{0,16})\(.*?\)(?P=d)"'  # raw strings
        r'|//[^\n]*|/\*.*?\*/'
        r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\''
        r"|^[ \t]*#(?:\\\n|[^\n])*", re.S | re.M)
    return pattern.sub(keep_newlines, text)


def strip_template(head):
    """Without leading template parameter lists, attributes, and the colon of an access label."""
    head = re.sub(r"^(\s*(public|private|protected)\s*:(?!:))+", "", head).strip()
    while True:
        shorter = re.sub(r"^\[\[.*?\]\]\s*", "", head, flags=re.S)
        found = re.match(r"template\s*<", shorter)
        if found:
            depth, end = 1, found.end()
            while end < len(shorter) and depth:
                depth += {"<": 1, ">": -1}.get(shorter[end], 0)
                end += 1
            shorter = shorter[end:].strip()
            shorter = re.sub(r"^requires\s*(\([^()]*(\([^()]*\)[^()]*)*\)|[\w:]+\s*(<[^<>]*>)?)\s*", "", shorter)
        if shorter == head:
            return head
        head = shorter


def parameter_list(head):
    """(name, parameters) of a function's head, or None where it is not one."""
    head = strip_template(head)
    if NOT_FUNCTIONS.match(head):
        return None
    found = re.search(r"(operator\s*(?:\(\s*\)|[^\w\s(]+|[\w:<>*&\s]+)|~?\w+(?:\s*<[^()]*>)?)\s*\(", head)
    if not found or "=" in re.sub(r"operator\s*[^\w\s(]+", "", head[:found.start(1)]):
        return None
    depth, parts, current = 1, [], ""
    for c in head[found.end():]:
        if c in "([{<":
            depth += 1
        elif c in ")]}>":
            depth -= 1
            if depth == 0:
                break
        if c == "," and depth == 1:
            parts.append(current.strip())
            current = ""
        else:
            current += c
    parts.append(current.strip())
    if parts in ([""], ["void"]):
        parts = []
    return found[1], parts


def kind_of(head):
    """What an opening brace begins: "scope", "function", "initializer" or "other"."""
    head = strip_template(head)
    if re.match(r"(inline\s+)?namespace\b", head) or re.match(r'extern\s*$', head):
        return "scope"
    if re.match(r"(typedef\s+)?(class|struct|union)\b", head) and not re.search(r"\)\s*(const|noexcept)?\s*$", head):
        return "scope"
    if re.match(r"enum\b", head) or head.endswith("=") or not parameter_list(head):
        return "other"
    # A constructor's initializer, "X() : a_": the brace follows a name instead of ")" or "}".
    if re.search(r"\)\s*(noexcept\s*)?:[^:].*[\w>]\s*$", head, re.S) and not head.rstrip().endswith(("const", "noexcept")):
        return "initializer"
    return "function"


def scan(text):
    """Yields (kind, name, line, lines, parameters) of each function's definition and declaration."""
    text = blank_out(text)
    stack, head_start, parens = [], 0, 0
    for at, c in enumerate(text):
        in_scope = all(entry[0] == "scope" for entry in stack)
        if c in "()":
            parens += 1 if c == "(" else -1
        elif c == "{" and (parens == 0 or not in_scope):
            head = text[head_start:at]
            kind = kind_of(head) if in_scope else "other"
            stack.append((kind, head, head_start, parens))
            if kind == "scope":
                head_start = at + 1
        elif c == "{":
            stack.append(("initializer", "", at, parens))
        elif c == "}" and stack:
            kind, head, start, parens = stack.pop()
            if kind == "function":
                start += len(head) - len(head.lstrip())
                name, parameters = parameter_list(head)
                line = text.count("\n", 0, start) + 1
                yield "definition", name, line, text.count("\n", start, at) + 1, parameters
            if kind in ("scope", "function") or kind == "other" and all(entry[0] == "scope" for entry in stack) and \
                    not re.search(r"[=\w>)\]]\s*$", head):
                head_start = at + 1
        elif c == ";" and in_scope and parens == 0:
            head = text[head_start:at]
            found = parameter_list(head)
            if found and not found[0].isupper() and " " in strip_template(head).split("(")[0].strip():
                start = head_start + len(head) - len(head.lstrip())
                yield "declaration", found[0], text.count("\n", 0, start) + 1, 0, found[1]
            head_start = at + 1


def measure(root):
    """{(kind, place): (number, line)} of everything over its limit."""
    over = {}

    def note(kind, place, number, line):
        if number > LIMITS[kind] and number > over.get((kind, place), (0,))[0]:
            over[kind, place] = (number, line)

    for top in ROOTS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if not name.endswith(HEADERS + SOURCES):
                    continue
                path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    text = file.read()
                note("header" if name.endswith(HEADERS) else "source", path, text.count("\n"), 1)
                for _, function, line, lines, parameters in scan(text):
                    place = f"{path}:{function.strip()}"
                    note("function", place, lines, line)
                    if function.isupper() or re.match(r"[A-Z]+_", function):
                        continue  # a macro's arguments are not parameters
                    note("parameters", place, len(parameters), line)
                    bools = [re.match(r"(const\s+)?bool\b(?!\s*[*&(])", p) is not None for p in parameters]
                    note("adjacent_bools", place, sum(a and b for a, b in zip(bools, bools[1:])), line)
    return over


def read_allowed(path):
    allowed = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.split("#")[0].strip()
                if line:
                    kind, rest = line.split(None, 1)
                    place, number = rest.rsplit(None, 1)
                    allowed[kind, place] = int(number)
    return allowed


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    over, problems = measure(root), []
    allowed = read_allowed(os.path.join(root, ".ci", "size_allow.txt"))
    for (kind, place), (number, line) in sorted(over.items()):
        path, _, function = place.partition(":")
        if number > allowed.get((kind, place), LIMITS[kind]):
            what = f"{function}: " if function else ""
            problems.append(f"{path}:{line}: {what}{kind} {number}, limit {allowed.get((kind, place), LIMITS[kind])}")
    for (kind, place), number in sorted(allowed.items()):
        measured = over.get((kind, place), (0,))[0]
        if measured < number:
            problems.append(f".ci/size_allow.txt: '{kind} {place} {number}': it is {measured or 'within the limit'} now; "
                            "lower the number or take the line out")
    for problem in problems:
        print(problem)
    print(f"sizes: {len(problems)} problems" if problems else "sizes: within the limits")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
