"""What is wrong with a Lua file, before a port is opened: all of it at once.

The board tells little: a syntax error prints nothing, a missing import shows when the line runs, a decimal number
loses digits without a word. So files are read here first. The check knows Lua's words and strings but does not follow
values: what it reports is wrong as far as the text shows, what it passes may still fail.
"""

from __future__ import annotations

import importlib
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import elm11_firmware

from .repl.tokenizer import MAX_LINE
from .upload import MAX_NAME, MAX_PROGRAM_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BASE = _words(
    "assert error getmetatable ipairs load next pairs pcall warn rawequal rawlen rawget rawset select setmetatable "
    "tonumber tostring type xpcall"
)
"""Base functions that `import` brings."""

LIBRARIES = {
    "math": _words(
        "abs acos asin atan ceil cos deg exp floor fmod log max min modf rad sin sqrt tan tointeger type ult"
    ),
    "string": _words(
        "byte char dump find format gmatch gsub len lower match rep reverse sub upper pack packsize unpack"
    ),
    "table": _words("concat insert remove unpack pack sort move"),
}
"""Library functions that `import` brings."""

LIBRARY_AT_BOOT = {
    "math": _words("pi huge maxinteger mininteger random randomseed"),
    "string": _words(""),
    "table": _words(""),
}

ABSENT = {
    "require": 'use run_program("name.lua"), which returns what the file returns',
    "dofile": 'use run_program("name.lua")',
    "loadfile": 'use run_program("name.lua")',
    "package": 'use run_program("name.lua")',
    "io": "print is the only output, and nothing in Lua reads the host",
    "os": "there is no clock and no file system",
    "coroutine": "there are no coroutines",
    "debug": "there is no debug library",
    "utf8": "use string.byte and string.char",
}

_MAX_INTEGER = 2**31 - 1
_MAX_UNSIGNED = 2**32 - 1


@dataclass(frozen=True)
class Problem:
    """Something that the board will not take, or will take otherwise than meant.

    Args:
        file: name of the file.
        line: number of the line, from 1; 0 for the file as a whole.
        what: what is wrong.
        advice: what to do.
    """

    file: str
    line: int
    what: str
    advice: str

    def __str__(self) -> str:
        """As compilers write it: ``file:line: what; advice``; without a line where the whole file is meant."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what}; {self.advice}"


def check_files(paths: Iterable[Path], *, imported: Collection[str] = ()) -> list[Problem]:
    """Check files; each is named by the last part of its path, as on the board.

    Args:
        paths: the files.
        imported: what other programs import first, as ``"pcall"`` or ``"math.sin"``.
    """
    problems: list[Problem] = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            problems.append(Problem(str(path), 0, f"it cannot be read ({error.strerror})", "check its name"))
            continue
        problems += check_source(path.name, content, imported=imported)
    return problems


def check_source(
    name: str, content: bytes, *, imported: Collection[str] = (), is_strict: bool = False
) -> list[Problem]:
    """Check the content of one file.

    Args:
        name: the program's name on the board.
        content: its bytes.
        imported: what other programs import first, as ``"pcall"`` or ``"math.sin"``.
        is_strict: the rules for this project's own programs as well: an import stands before what it brings and brings
            something, hexadecimal integers have at most 32 bits, no tabs, a line feed at the end.
    """
    problems = [*_check_size(name, content), *_check_characters(name, content)]
    if is_strict:
        problems += _check_layout(name, content)
    text = content.decode("latin-1")
    syntax = _check_syntax(name, text)
    problems += syntax
    if not syntax:
        problems += _Reader(name, text, imported, is_strict=is_strict).problems()
    return sorted(problems, key=lambda problem: problem.line)


def _check_size(name: str, content: bytes) -> Iterator[Problem]:
    if len(name) > MAX_NAME:
        yield Problem(name, 0, f"its name has {len(name)} characters", f"the board takes {MAX_NAME}: shorten it")
    if not name or not (name.isascii() and name.isprintable()) or '"' in name:
        yield Problem(name, 0, "its name has other than printable ASCII, or quotes", "rename it")
    size = len(_as_stored(name, content))
    if size > MAX_PROGRAM_BYTES:
        what = f"it has {size} bytes"
        yield Problem(name, 0, what, f"the board takes {MAX_PROGRAM_BYTES}: shorten or divide it")
    if not content:
        yield Problem(name, 0, "it is empty", "the board cannot store an empty program")


def _as_stored(name: str, content: bytes) -> bytes:
    """What the board is sent: the project's own programs without comments and with a check, others as they are."""
    own = next((each for each in elm11_firmware.programs() if each.name == name), None)
    if own is not None and elm11_firmware.text(name).encode("ascii") == content:
        return elm11_firmware.stored_text(name).encode("ascii")
    return content


def _check_characters(name: str, content: bytes) -> Iterator[Problem]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = line.removesuffix(b"\r")
        if len(text) > MAX_LINE:
            what = f"the line has {len(text)} characters"
            yield Problem(name, number, what, f"with more than {MAX_LINE} it cannot be read back: break it")
        if b"\x00" in text:
            yield Problem(name, number, "the line holds a zero byte", "the board's store ends there: remove it")
        if b"\r" in text:
            yield Problem(name, number, "a CR stands in mid-line", "reading back drops it: use LF as line end")
        other = next((byte for byte in text if not 0x20 <= byte <= 0x7E and byte not in b"\t\r\x00"), None)
        if other is not None:
            what = f"the line holds the byte {other:02x}"
            yield Problem(name, number, what, f"use ASCII; in a string write \\x{other:02x}")


def _check_layout(name: str, content: bytes) -> Iterator[Problem]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if b"\t" in line or b"\r" in line:
            yield Problem(name, number, "the line holds a tab or CR", "use spaces, and LF as line end")
    if not content.endswith(b"\n"):
        yield Problem(name, content.count(b"\n") + 1, "the last line has no line feed", "add one")


def _check_syntax(name: str, text: str) -> list[Problem]:
    try:
        runtime = importlib.import_module("lupa.lua54").LuaRuntime
    except ImportError:
        return []  # a system without lupa: the board will tell
    compiled = runtime(unpack_returned_tuples=True, encoding="latin-1").globals().load(text, "=x", "t")
    if not isinstance(compiled, tuple):
        return []
    match = re.fullmatch(r"x:(\d+): (.*)", str(compiled[1]), re.DOTALL)
    line, message = (int(match[1]), match[2]) if match else (0, str(compiled[1]))
    return [Problem(name, line, f"syntax error: {message}", "the board would reject the whole file without a word")]


# ---- the text -----------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""
      (?P<comment>--\[(?P<c>=*)\[.*?\](?P=c)\]|--[^\n]*)
    | (?P<long>\[(?P<s>=*)\[.*?\](?P=s)\])
    | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    | (?P<number>0[xX][0-9a-fA-F.]+(?:[pP][+-]?\d+)?|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<sign>\.\.\.|\.\.|::|//|<<|>>|==|~=|<=|>=|[^\s\w])
    """,
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_MAGIC = re.compile(r"[\^$*+?.()\[\]%-]")
_MISSING_FORMATS = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[eEgG]")
_COMPARISONS = {"<", "<=", ">", ">="}
_OPERATOR_WORDS = {"and", "or", "not"}
_STATEMENTS = _words("local for if while repeat return function goto break do end else elseif until ; ::")


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


class _Reader:
    """Looks at the words of one file that compiles."""

    def __init__(self, name: str, text: str, imported: Collection[str], *, is_strict: bool) -> None:
        self._name = name
        self._is_strict = is_strict
        self._tokens = list(_tokens(text))
        self._found: list[Problem] = []
        self._told: set[str] = set()
        self._imported = dict.fromkeys(imported, -1)  # and the place of the import
        self._declarations: set[int] = set()
        self._locals = self._local_names()
        # What a call means: the library function behind each word.
        self._functions = {
            f"{library}.{one}": f"{library}.{one}" for library, ones in LIBRARIES.items() for one in ones
        }
        self._find_aliases()

    def problems(self) -> list[Problem]:
        self._find_imports()
        for place, token in enumerate(self._tokens):
            match token.kind:
                case "name":
                    self._look_at_name(place, token)
                case "number":
                    self._look_at_number(token)
                case "string" | "long":
                    self._look_at_string(place, token)
                case _:
                    pass
        return self._found

    def _tell(self, line: int, what: str, advice: str) -> None:
        self._found.append(Problem(self._name, line, what, advice))

    def _text(self, place: int) -> str:
        return self._tokens[place].text if 0 <= place < len(self._tokens) else ""

    def _local_names(self) -> dict[str, int]:
        """Names that the file declares as locals or parameters, and the place from which they are known."""
        found: dict[str, int] = {}
        for place, token in enumerate(self._tokens):
            names: list[str] = []
            known = place
            if token.text == "local" and self._text(place + 1) != "function":
                names = self._names_from(place + 1, {"="})
                known = self._end_of_expressions(place + 1)
            elif token.text == "for":
                names = self._names_from(place + 1, {"=", "in"})
                known = self._next(place, "do")
            elif token.text == "function":
                names = self._names_from(self._next(place, "(") + 1, {")"})
                if self._text(place - 1) == "local":
                    names.append(self._text(place + 1))
            for name in names:
                found.setdefault(name, known)
        return found

    def _next(self, place: int, text: str) -> int:
        return next((n for n in range(place, len(self._tokens)) if self._text(n) == text), len(self._tokens))

    def _end_of_expressions(self, place: int) -> int:
        """Where a local statement ends, near enough: `local type = type` still means the global on the right."""
        depth = 0
        place = self._next(place, "=") if "=" in self._names_end(place) else place
        for n in range(place + 1, len(self._tokens)):
            token = self._tokens[n]
            if token.text in {"(", "{", "["}:
                depth += 1
            elif token.text in {")", "}", "]"}:
                depth -= 1
            elif depth == 0 and (token.text in _STATEMENTS or (token.kind == "name" and self._ends_a_value(n - 1))):
                return n
        return len(self._tokens)

    def _names_end(self, place: int) -> str:
        """The token after the names of a local statement."""
        while self._text(place + 1) == ",":
            place += 2
        if self._text(place + 1) == "<":  # <const>, <close>
            place += 3
        return self._text(place + 1)

    def _ends_a_value(self, place: int) -> bool:
        token = self._tokens[place]
        return token.text not in _OPERATOR_WORDS and (
            token.kind in {"name", "number", "string", "long"} or token.text in {")", "}", "]", "..."}
        )

    def _names_from(self, place: int, ends: set[str]) -> list[str]:
        names = []
        while self._tokens[place : place + 1] and self._text(place) not in ends:
            if self._tokens[place].kind != "name":
                break
            names.append(self._text(place))
            self._declarations.add(place)
            place += 1
            if self._text(place) == "<":  # <const>, <close>
                place += 3
            if self._text(place) != ",":
                break
            place += 1
        return names

    def _find_aliases(self) -> None:
        """``local find, sub = string.find, string.sub``: find means string.find from there on."""
        for place, token in enumerate(self._tokens):
            if token.text != "local":
                continue
            names = self._names_from(place + 1, {"="})
            here = place + 1 + max(2 * len(names) - 1, 0)
            if self._text(here) != "=":
                continue
            for name in names:
                full = "".join(map(self._text, range(here + 1, here + 4)))
                if full in self._functions and self._text(here + 4) != "(":
                    self._functions[name] = full
                    here += 4
                elif self._tokens[here + 1 : here + 2] and self._text(here + 2) == ",":
                    here += 2
                else:
                    break
                if self._text(here) != ",":
                    break

    def _find_imports(self) -> None:
        for place, token in enumerate(self._tokens):
            if token.text != "import" or self._text(place - 1) in {".", ":"}:
                continue
            words = self._arguments(place + 1)
            if not words or any(len(word) != 1 or word[0].kind != "string" for word in words):
                continue  # computed names: what they bring is not known
            names = [word[0].text[1:-1] for word in words]
            for name in BASE if names == ["all"] else [".".join(names[:2])]:
                self._imported.setdefault(name, place)
            self._look_at_import(names, token.line)

    def _look_at_import(self, names: list[str], line: int) -> None:
        library = names[0]
        if len(names) > 1:
            known = LIBRARIES.get(library, frozenset()) | LIBRARY_AT_BOOT.get(library, frozenset())
            is_wrong = names[1] not in known and (library in LIBRARIES or self._is_strict)
        else:
            is_wrong = library in ABSENT or (self._is_strict and library not in BASE | {"all"})
        if is_wrong:
            advice = ABSENT.get(library, "it would be an error")
            self._tell(line, f"import of {'.'.join(names[:2])}, which the board does not have", advice)

    def _is_imported(self, name: str, place: int) -> bool:
        """An import brings the name; where the rules are strict, it stands before this place."""
        return name in self._imported and (self._imported[name] < place or not self._is_strict)

    def _arguments(self, place: int) -> list[list[_Token]]:
        """The arguments of a call whose opening bracket (or single string) stands at a place."""
        if self._tokens[place : place + 1] and self._tokens[place].kind in {"string", "long"}:
            return [[self._tokens[place]]]
        if self._text(place) != "(":
            return []
        arguments: list[list[_Token]] = [[]]
        depth = 0
        for token in self._tokens[place:]:
            if token.text in {"(", "{", "["}:
                depth += 1
                if depth == 1:
                    continue
            elif token.text in {")", "}", "]"}:
                depth -= 1
                if depth == 0:
                    break
            if depth == 1 and token.text == ",":
                arguments.append([])
            else:
                arguments[-1].append(token)
        return arguments if arguments != [[]] else []

    def _look_at_name(self, place: int, token: _Token) -> None:
        before, after = self._text(place - 1), self._text(place + 1)
        if before == ":":
            if token.text in {"find", "gsub"}:
                self._look_at_call(f"string.{token.text}", [[token], *self._arguments(place + 1)], token.line)
            return
        if before in {".", "goto", "::"} or (after == "=" and before in {"{", ",", ";"} and self._in_table(place)):
            return
        full = f"{token.text}.{self._text(place + 2)}" if after == "." else token.text
        if full in self._functions and (full != token.text or token.text in self._functions):
            call = place + 3 if after == "." else place + 1
            self._look_at_call(self._functions[full], self._arguments(call), token.line)
        if self._is_local(token, place):
            return
        if token.text in ABSENT:
            self._tell_once(token.text, token.line, "which the board does not have", ABSENT[token.text])
        elif token.text in LIBRARIES and after == ".":
            self._look_at_member(token.text, self._text(place + 2), place)
        elif token.text in BASE and not self._is_imported(token.text, place):
            self._tell_once(token.text, token.line, "which is not imported", f'add import("{token.text}")')

    def _look_at_member(self, library: str, name: str, place: int) -> None:
        full, line = f"{library}.{name}", self._tokens[place].line
        if name in LIBRARY_AT_BOOT[library] or self._is_imported(full, place):
            return
        if name in LIBRARIES[library]:
            self._tell_once(full, line, "which is not imported", f'add import("{library}", "{name}")')
        else:
            self._tell_once(full, line, "which the board does not have", "write it yourself")

    def _tell_once(self, name: str, line: int, why: str, advice: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self._tell(line, f"use of {name}, {why}", advice)

    def _is_local(self, token: _Token, place: int) -> bool:
        return place in self._declarations or place >= self._locals.get(token.text, len(self._tokens))

    def _in_table(self, place: int) -> bool:
        """Whether a name before = is a key: the innermost open bracket is a brace."""
        depth = 0
        for n in range(place - 1, -1, -1):
            text = self._text(n)
            if text in {")", "}", "]"}:
                depth += 1
            elif text in {"(", "{", "["}:
                if depth == 0:
                    return text == "{"
                depth -= 1
        return False

    def _look_at_call(self, function: str, arguments: list[list[_Token]], line: int) -> None:
        if function == "string.find" and len(arguments) > 1:
            pattern = arguments[1]
            literal = len(pattern) == 1 and pattern[0].kind == "string" and not _MAGIC.search(pattern[0].text[1:-1])
            plain = len(arguments) > 3 and [token.text for token in arguments[3]] == ["true"]  # the fourth argument
            if literal or plain:
                advice = 'make it a pattern, such as "[x]yz" for "xyz"'
                self._tell(line, "string.find without magic characters, which is broken on the board", advice)
        elif function == "string.gsub" and len(arguments) > 2:  # the third argument
            replacement = arguments[2]
            if replacement and replacement[0].kind in {"string", "long"}:
                advice = "give a function that returns the replacement"
                self._tell(line, "string.gsub with a string as replacement, which is broken on the board", advice)

    def _look_at_number(self, token: _Token) -> None:
        text = token.text
        if text[:2] in {"0x", "0X"}:
            # Exact: integers wrap, hexadecimal floats are read as doubles.
            if self._is_strict and not set(".pP") & set(text) and int(text, 16) > _MAX_UNSIGNED:
                self._tell(token.line, f"{text} has more than 32 bits", "it would wrap")
            return
        value = float(text)
        if text.isdecimal():
            if value > _MAX_INTEGER:
                self._tell(token.line, f"{text} does not fit into 32 bits", "write it in hexadecimal, or as a product")
        elif value != _single(value):
            advice = f"write a ratio of integers, or {value.hex()}"
            self._tell(token.line, f"{text} loses digits: numbers in text have single precision", advice)

    def _look_at_string(self, place: int, token: _Token) -> None:
        beside = {self._text(place - 1), self._text(place + 1)}
        if beside & _COMPARISONS and self._text(place - 1) != "#":
            self._tell(
                token.line, "strings compared by order, which is broken on the board", "compare with == or bytes"
            )
        if self._text(place - 1) in {"(", "format"} and _MISSING_FORMATS.search(token.text):
            before = {self._text(place - 2), self._text(place - 1)}
            if any(self._functions.get(word) == "string.format" or word == "format" for word in before):
                advice = 'use "%a", "%d" or "%s", or "%f" with six decimals'
                self._tell(token.line, 'string.format with "%e" or "%g", which the board does not have', advice)


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    at = 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        if match.lastgroup is not None and not match["comment"]:
            kind = next(kind for kind in ("long", "string", "number", "name", "sign") if match[kind] is not None)
            yield _Token(kind, match[0], line)


def _single(value: float) -> float:
    """The value in single precision; infinite where it does not fit."""
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float("inf")
    return single
