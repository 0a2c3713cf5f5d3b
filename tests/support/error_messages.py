"""Every message of an error that this package raises, read from its source.

A message is a string whose values are not known yet: they stand as `…`. It is found where an error's class is called,
and where a `raise` calls a helper with a text; a variable stands for every text that its function assigns to it.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

import elm11_lua_driver.errors
from elm11_lua_driver.cli._errors import FailureError
from paths import ROOT

VALUE = "…"
DRIVER = ROOT / "driver" / "elm11_lua_driver"
CLASSES = {name for name in vars(elm11_lua_driver.errors) if name.endswith("Error")} | {
    FailureError.__name__,
    "ValueError",
    "TypeError",
    "AttributeError",
    "TimeoutError",
    "BadParameter",
}


HELPERS = {"fault": 2, "_wrong": 2, "_fail": 1, "_probe_before_timeout": 0, "fail": 0}
"""Functions that make or raise an error of a text that they are given, and which argument that is."""

DETAILS = {"_other_arguments"}
"""Helpers that put the text into a message of their own, which is read there."""

HANDED_ON = {
    "_files/reading.py:open_regular": "the operating system's words, with the file's name",
    "jobs/storage.py:_members": "a field's name, which `_damage` puts into a text",
    "analysis/coherence.py:_lag1": "the text of another error, with the series' name",
    "board/console.py:_check_syntax": "Lua's own message",
    "board/job_runner.py:_line_of_run": "a helper, whose texts are read where it makes the error",
    "board/job_runner.py:ask": "a helper, whose texts are read where it makes the error",
    "board/program_store.py:verify": "the text of another error",
    "cli/commands/board.py:detect_command": "a helper, whose texts are read where it makes the error",
    "cli/_errors.py:fail": "the operating system's words, with the file's name",
    "cli/_errors.py:_exit_codes": "the text of another error",
    "config.py:_checked": "the words of the type, with the name of the setting",
    "protocol/repl/machine.py:_booted": "a helper, whose texts are read where it makes the error",
    "protocol/repl/machine.py:_probe_before_timeout": "a text that is read where it is given",
    "series/reader.py:fault": "puts a text together that is read where it is given",
    "cli/commands/virtual.py:_board": "the text of another error",
    "cli/_output.py:_check_plot": "the text of another error",
    "board/detect.py:choose": "a helper, whose texts are read where it makes the error",
    "engines/dask.py:simulate": "a worker's own message",
    "engines/pool.py:_exchange": "a helper, whose texts are read where it makes the error",
    "engines/pool.py:_receive": "a helper, whose texts are read where it makes the error",
    "protocol/repl/machine.py:_take": "a helper, whose texts are read where it makes the error",
    "protocol/repl/lua_errors.py:split_error": "Lua's own message",
    "protocol/upload.py:_take": "a helper, whose texts are read where it makes the error",
    "protocol/repl/recovery.py:_advance": "a helper, whose texts are read where it makes the error",
    "protocol/repl/session.py:check": "a helper, whose texts are read where it makes the error",
    "jobs/storage.py:read": "a field's name, which `_damage` puts into a text",
}
"""Where an error is raised without a text of this package's, and why that is no gap."""


class Message(NamedTuple):
    """A message, and where it is given."""

    place: str
    kind: str
    text: str


def texts(node: ast.expr, names: dict[str, list[ast.expr]]) -> list[str]:
    """The texts that an expression may be; none where it is nothing but a value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        parts = [""]
        for value in node.values:
            inner = value.value if isinstance(value, ast.FormattedValue) else value
            # A variable that is one of some texts stands for each of them.
            found = texts(inner, names) if isinstance(inner, ast.Constant | ast.Name | ast.IfExp) else []
            parts = [part + one for part in parts for one in found or [VALUE]]
        return parts
    if isinstance(node, ast.IfExp | ast.BoolOp):
        values = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        return [text for value in values for text in texts(value, names)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = texts(node.left, names) or [VALUE], texts(node.right, names) or [VALUE]
        return [one + other for one in left for other in right]
    if isinstance(node, ast.Name):
        without = {name: values for name, values in names.items() if name != node.id}
        return [text for value in names.get(node.id, []) for text in texts(value, without)]
    return []


def assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    """What a function assigns to its variables."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
                elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    for one, value in zip(target.elts, node.value.elts, strict=True):
                        if isinstance(one, ast.Name):
                            found.setdefault(one.id, []).append(value)
    return found


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def messages() -> tuple[list[Message], list[str]]:
    """All messages, and the places of `raise` where no text was found."""
    found, unknown = [], []
    for path in sorted(DRIVER.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        for function in functions:
            names = assigned(function)
            raised = {id(node.exc): node for node in ast.walk(function) if isinstance(node, ast.Raise)}
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                name = name_of(call)
                if name in DETAILS or not (name in CLASSES or name in HELPERS or id(call) in raised):
                    continue
                arguments = call.args[HELPERS[name] :][:1] if name in HELPERS else call.args
                place = f"{path.relative_to(DRIVER).as_posix()}:{function.name}"
                told = next((text for argument in arguments if (text := texts(argument, names))), [])
                told = [text for text in told if sum(letter.isalpha() for letter in text) > len("not")]
                found += [Message(place, name, text) for text in told]
                if not told:
                    unknown.append(place)
    return sorted(set(found)), sorted(set(unknown))
