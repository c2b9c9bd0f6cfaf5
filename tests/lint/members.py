#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that no class of lib, gst and plugins has more data members than a reader keeps in mind.

usage: members.py [CHECKOUT]
       members.py --list FILE ...     counts the members of each class of these files

Structs of settings may have more: those whose names end in one of SETTINGS. What a class inherits
is not counted. Classes are read as text, which the style of this code allows: no macros that
declare members, and no data member of a type with parentheses but function pointers.
"""
import pathlib
import re
import sys

import checkout

MEMBERS = 20
SETTINGS = ("Options", "Settings", "Properties")
# Comments, literals, what the preprocessor reads; and macros that say something of a member.
IGNORED = re.compile(r'//[^\n]*|/\*.*?\*/|R"\(.*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
                     r"|^[ \t]*#(?:\\\n|[^\n])*", re.DOTALL | re.MULTILINE)
ATTRIBUTE = re.compile(r"\[\[.*?\]\]|\b(?:alignas|decltype|[A-Z][A-Z_]+)\s*\([^()]*\)")
CLASS = re.compile(r"\b(?<!enum )(?:class|struct|union)\s+((?:\w+::)*\w+)[^;{}()=]*$")
TEMPLATE = re.compile(r"<[^<>]*>")
# Statements that declare no data member.
OTHER = re.compile(r"(?:using|typedef|friend|static|constexpr|inline|template|static_assert|"
                   r"enum|class|struct|union)\b")
ACCESS = re.compile(r"^\s*(?:public|private|protected)\s*:(?!:)")


# The only names with other characters in them.
OPERATOR = re.compile(r"\boperator\s*(?:\(\)|\[\]|[^\s\w(]+)")


def blank(match):
    return "\n" * match.group().count("\n") or " "


def closing(text, start):
    """Where the brace at `start` ends."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


def without_templates(text):
    before = None
    while before != text:
        before, text = text, TEMPLATE.sub("", text)
    return text


def declared(statement):
    """How many data members a statement of a class body declares; {} stands for any braces."""
    text = without_templates(ATTRIBUTE.sub("", statement)).strip()
    while ACCESS.match(text):
        text = ACCESS.sub("", text).strip()
    if re.match(r"(?:enum|struct|union)\b[^{]*\{\}\s*\w", text):
        return 1  # declared together with its type
    if not text or OTHER.match(text):
        return 0
    head = text.partition("=")[0]
    if re.search(r"\boperator_", head) or "(" in head and not re.search(r"\(\s*\*", head):
        return 0
    return 1 + text.count(",") if "(" not in text else 1


def body(text, start, end, name, found):
    """Adds to `found` how many members each class between these offsets has; where `name` is given,
    they are the body of that class."""
    statement = ""
    i = start
    while i < end:
        if text[i] == ";":
            found[name] = found.get(name, 0) + declared(statement)
            statement = ""
        elif text[i] == "{":
            last = min(closing(text, i), end)
            if statement.count("(") > statement.count(")"):  # a value in a list of parameters
                statement += "{}"
                i = last + 1
                continue
            nested = CLASS.search(without_templates(statement))
            if nested:
                inner = f"{name}::{nested.group(1)}" if name else nested.group(1)
                found.setdefault(inner, 0)
                body(text, i + 1, last, inner, found)
                # A member may be declared behind the brace: `struct {...} name;`
                rest = text[last + 1:text.find(";", last)]
                statement = "int" if rest.strip() else ""
            elif not name and re.match(r"\s*(?:inline\s+)?(?:namespace\b|extern\b)", statement):
                body(text, i + 1, last, name, found)
                statement = ""
            elif "(" in without_templates(ATTRIBUTE.sub("", statement)).partition("=")[0]:
                # A function; braces may also be in its list of initialisers.
                if not name:
                    body(text, i + 1, last, name, found)  # classes in functions
                following = text[last + 1:end].lstrip()[:1]
                statement = statement + "{}" if following in ("{", ",") and following else ""
            else:
                statement += "{}"
            i = last
        else:
            statement += text[i]
        i += 1


def classes(source):
    """The classes of a source, each with the number of its data members."""
    text = OPERATOR.sub("operator_", IGNORED.sub(blank, source))
    found = {}
    body(text, 0, len(text), "", found)
    found.pop("", None)
    return found


def check(root):
    counts = {}
    total = 0
    for file in checkout.files(root, *checkout.SOURCES):
        if file.parts[0] not in ("gst", "lib", "plugins"):
            continue
        for name, count in classes((root / file).read_text()).items():
            total += 1
            if not name.endswith(SETTINGS):
                counts[f"{file.as_posix()}:{name}"] = count
    known = checkout.Known(root, "members")
    return (list(known.compare(counts, MEMBERS)),
            f"{total} classes, none but {len(known.allowed)} of more than {MEMBERS} data members")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        for each in sys.argv[2:]:
            for name, count in sorted(classes(pathlib.Path(each).read_text()).items()):
                print(f"{count:3} {each}:{name}")
    else:
        checkout.run(check)
