"""Which errors a function can raise, read from the source of the four packages.

`tools/lint/check_docstrings.py` compares this with what the docstrings say. Calls are followed by name: a function by
the module's names and imports, `self.method` by the class and its bases, and any other `value.method` to every method
of that name, since no types are inferred. So `reachable` has every error of ours that can come out of a function, and
some that cannot; `certain` has only those whose way out is plain: raised in the function's own body or in a private
helper that it calls, and not caught on the way.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef

FOREIGN: Final = {
    "AttributeError": {"getattr", "import_module"},
    "FileNotFoundError": {"open", "read_text", "read_bytes"},
    "ImportError": {"import_module", "import", "version"},
    "KeyError": {"[]"},
    "IndexError": {"[]"},
    "MemoryError": {"empty", "zeros", "ones", "rfft", "fft", "array"},
    "OSError": {
        *(
            "open",
            "read_text",
            "read_bytes",
            "write_text",
            "write_bytes",
            "mkdir",
            "replace",
            "unlink",
            "stat",
            "write",
        ),
        *("load", "savez_compressed", "connect", "socket", "bind", "openpty", "Popen", "fsync", "iterdir", "touch"),
        *("Serial", "serial_for_url", "comports", "read", "save", "savefig", "NamedTemporaryFile", "create_server"),
        *("symlink_to", "rename", "create_connection", "run", "accept", "recv", "sendall", "select", "flush"),
    },
    "TypeError": {"int", "float", "asarray", "array"},
    "UnicodeDecodeError": {"decode", "read_text"},
    "ValueError": {"int", "float", "loads", "load", "asarray", "array", "fromhex", "decode", "Fraction"},
    "KeyboardInterrupt": {"*"},
}
"""Errors of Python and of the libraries, and the calls that raise them; `*`: at any moment."""


NO_ERRORS: Final = frozenset({"NotImplementedError", "AssertionError", "Exit", "Abort"})
"""What no caller catches: bugs, and click's ways to end a command without a message."""

CONSTRUCTION: Final = ("__init__", "__post_init__", "__enter__", "__exit__")
"""Methods that run where a class is called, perhaps in a `with` statement."""


@dataclass
class Found:
    """What one function does.

    Attributes:
        module: full name of its module.
        owner: its class; empty for a function of the module.
        node: its definition.
        errors: classes that leave its body.
        handed_on: classes that it gives to another function, which may raise them.
        calls: what it calls, and what is caught around each call.
        later: what functions inside it call.
        has_subscript: whether it looks something up by key or index.
    """

    module: str
    owner: str
    node: Function
    errors: set[str] = field(default_factory=set)
    handed_on: set[str] = field(default_factory=set)
    calls: list[tuple[ast.expr, frozenset[str]]] = field(default_factory=list)
    later: list[tuple[ast.expr, frozenset[str]]] = field(default_factory=list)
    has_subscript: bool = False


def _names(node: ast.expr | None) -> set[str]:
    """Class names in an `except` clause or an annotation."""
    if node is None:
        return {"BaseException"}
    if isinstance(node, ast.Attribute):
        return {node.attr}
    if isinstance(node, ast.Name):
        return {node.id}
    return {name for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr) for name in _names(child)}


def _suppressed(node: ast.With) -> set[str]:
    """Errors that a `with contextlib.suppress(...)` drops."""
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    arguments = [one for call in calls if ast.unparse(call.func).endswith("suppress") for one in call.args]
    return {name for one in arguments for name in _names(one)}


class Source:
    """All functions and classes of some files.

    Args:
        paths: the files, with the full name of the module that each is.
    """

    def __init__(self, paths: Iterable[tuple[Path, str]]) -> None:
        self.functions: dict[tuple[str, str], Found] = {}
        self.bases: dict[str, list[str]] = {}
        self._imports: dict[str, dict[str, str]] = {}
        self._classes: set[str] = set()
        self._nodes: dict[str, list[Function]] = {}
        self._by_name: dict[str, list[tuple[str, str]]] = {}
        self._above: dict[str, set[str]] = {}
        self._reachable: dict[tuple[str, str], set[str]] | None = None
        trees = [(module, ast.parse(path.read_text(encoding="utf-8"))) for path, module in paths]
        for module, tree in trees:
            self._imports[module] = self._imported(module, tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.bases[node.name] = [name for base in node.bases for name in _names(base)]
                    self._classes.add(node.name)
                elif isinstance(node, Function):
                    self._nodes.setdefault(node.name, []).append(node)
        for module, tree in trees:
            self._collect(module, tree.body, "")

    def errors_above(self, name: str) -> set[str]:
        """An error's class and all its bases.

        Args:
            name: of the class.

        Returns:
            Names, without `object`; the name alone where the class is not known.
        """
        if name not in self._above:
            known = getattr(builtins, name, None)
            if isinstance(known, type):
                self._above[name] = {base.__name__ for base in known.__mro__} - {"object"}
            else:
                bases = [base for base in self.bases.get(name, []) if base != name]
                self._above[name] = {name}.union(*(self.errors_above(base) for base in bases))
        return self._above[name]

    def certain(self, module: str, name: str) -> set[str]:
        """Errors that leave a function from its own body, or from private helpers, followed where it is plain.

        Args:
            module: full name of the module.
            name: of the function; a method's is `Class.method`.

        Returns:
            Names of classes.
        """
        return self._follow((module, name), set(), private_only=True)

    def reachable(self, module: str, name: str) -> set[str]:
        """Errors that can leave a function, and perhaps more.

        Args:
            module: full name of the module.
            name: of the function; a method's is `Class.method`.

        Returns:
            Names of classes, those of `FOREIGN` included.
        """
        if self._reachable is None:
            self._reachable = {key: self._own(key) for key in self.functions}
            goals = {
                key: {
                    (goal, caught)
                    for call, caught in found.calls + found.later
                    for goal in self._goals(found, call, loosely=True)
                }
                for key, found in self.functions.items()
            }
            grows = True
            while grows:
                grows = False
                for key, ways in goals.items():
                    before = len(self._reachable[key])
                    for goal, caught in ways:
                        self._reachable[key] |= self._uncaught(self._reachable[goal] - self._reachable[key], caught)
                    grows |= len(self._reachable[key]) > before
        return self._reachable[module, name] | {"KeyboardInterrupt"}

    def _own(self, key: tuple[str, str]) -> set[str]:
        found = self.functions[key]
        called = {"[]"} if found.has_subscript else set()
        called |= {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call, _ in found.calls}
        return found.errors | found.handed_on | {error for error, calls in FOREIGN.items() if called & calls}

    def _follow(self, key: tuple[str, str], seen: set[tuple[str, str]], *, private_only: bool) -> set[str]:
        seen.add(key)
        found = self.functions[key]
        errors = set(found.errors)
        for call, caught in found.calls:
            for goal in self._goals(found, call, loosely=False):
                private = goal[1].rsplit(".", 1)[-1].startswith("_") and not goal[1].endswith("__")
                if goal not in seen and goal[0] == found.module and (private or not private_only):
                    errors |= self._uncaught(self._follow(goal, seen, private_only=private_only), caught)
        return errors

    def _uncaught(self, errors: set[str], caught: frozenset[str]) -> set[str]:
        return {error for error in errors if not self.errors_above(error) & caught}

    def _imported(self, module: str, tree: ast.Module) -> dict[str, str]:
        """What the names stand for that a module imports: full names."""
        package = module.split(".")[:-1]
        names: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = ".".join([*above, *filter(None, [node.module])])
                names |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                names |= {alias.asname or alias.name: alias.name for alias in node.names}
        return names

    def _collect(self, module: str, body: list[ast.stmt], owner: str) -> None:
        for node in body:
            if isinstance(node, Function):
                name = f"{owner}.{node.name}" if owner else node.name
                if any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in node.decorator_list):
                    continue
                found = Found(module, owner, node)
                self.functions[module, name] = found
                self._by_name.setdefault(node.name, []).append((module, name))
                self._body(found, node.body, frozenset(), {})
            elif isinstance(node, ast.ClassDef):
                self._collect(module, node.body, f"{owner}.{node.name}" if owner else node.name)
            elif isinstance(node, ast.If | ast.Try):
                self._collect(module, [*node.body, *node.orelse], owner)

    def _body(
        self, found: Found, body: Iterable[ast.AST], caught: frozenset[str], handled: dict[str, set[str]]
    ) -> None:
        """Note what statements do. `caught`: by the tries around them; `handled`: errors that names stand for."""
        for node in body:
            if isinstance(node, Function | ast.Lambda):  # runs when somebody calls it
                later = Found(found.module, found.owner, found.node)
                self._body(later, ast.iter_child_nodes(node), caught, handled)
                found.handed_on |= later.errors | later.handed_on
                found.later += later.calls + later.later
            elif isinstance(node, ast.Try):
                inner = caught.union(*(_names(handler.type) for handler in node.handlers))
                self._body(found, node.body, inner, handled)
                for handler in node.handlers:
                    errors = _names(handler.type)
                    self._body(found, handler.body, caught, {**handled, "": errors, handler.name or "": errors})
                self._body(found, [*node.orelse, *node.finalbody], caught, handled)
            elif isinstance(node, ast.With):
                self._body(found, [item.context_expr for item in node.items], caught, handled)
                self._body(found, node.body, caught | _suppressed(node), handled)
            else:
                self._note(found, node, caught, handled)
                self._body(found, ast.iter_child_nodes(node), caught, handled)

    def _note(self, found: Found, node: ast.AST, caught: frozenset[str], handled: dict[str, set[str]]) -> None:
        """Note what one node does."""
        if isinstance(node, ast.Raise):
            found.errors |= self._uncaught(self._raised(found, node.exc, handled), caught)
        elif isinstance(node, ast.Call):
            found.calls.append((node.func, caught))
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            found.handed_on |= {one.id for one in given if isinstance(one, ast.Name) and self._is_error(one.id)}
        elif isinstance(node, ast.Attribute):
            found.calls.append((node, caught))  # perhaps a property
        elif isinstance(node, ast.Subscript):
            found.has_subscript = True
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.calls.append((ast.Name("import"), caught))

    def _raised(self, found: Found, error: ast.expr | None, handled: dict[str, set[str]]) -> set[str]:
        """Classes of the error that a `raise` raises."""
        if error is None:  # cleaned up behind, and passed on
            return handled.get("", set()) - {"BaseException", "Exception"} - NO_ERRORS
        if isinstance(error, ast.IfExp):
            return self._raised(found, error.body, handled) | self._raised(found, error.orelse, handled)
        called = error.func if isinstance(error, ast.Call) else error
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in handled:
            return handled[name]
        if name[:1].isupper():
            return {name} - NO_ERRORS
        given = error.args if isinstance(error, ast.Call) else []
        classes = {one.id for one in given if isinstance(one, ast.Name) and self._is_error(one.id)}
        return classes or (self._made(name) if isinstance(error, ast.Call) else set())

    def _made(self, helper: str) -> set[str]:
        """Classes of the errors that a function makes and returns."""
        found: set[str] = set()
        for node in self._nodes.get(helper, []):
            made = [child.func for child in ast.walk(node) if isinstance(child, ast.Call)]
            found |= {one.id for one in made if isinstance(one, ast.Name) and self._is_error(one.id)} or {
                name for name in _names(node.returns) if self._is_error(name)
            }
        return found

    def _is_error(self, name: str) -> bool:
        return "BaseException" in self.errors_above(name)

    def _goals(self, found: Found, call: ast.expr, *, loosely: bool) -> list[tuple[str, str]]:
        """Functions that a call may mean; `loosely`: any method of the name, where the object is not known."""
        if isinstance(call, ast.Name):
            imported = self._imports[found.module].get(call.id, f"{found.module}.{call.id}")
            return self._named(*imported.rpartition(".")[::2])
        if not isinstance(call, ast.Attribute):
            return []
        if isinstance(call.value, ast.Name):
            if call.value.id in {"self", "cls"} and found.owner:
                return self._method(found.owner.rsplit(".", 1)[-1], call.attr, found.module)
            if call.value.id in self._imports[found.module]:
                return self._named(self._imports[found.module][call.value.id], call.attr)
            if call.value.id in self._classes:
                return self._method(call.value.id, call.attr, found.module)
        return list(self._by_name.get(call.attr, [])) if loosely else []

    def _named(self, module: str, name: str) -> list[tuple[str, str]]:
        if (module, name) in self.functions:
            return [(module, name)]
        owner = module.rpartition(".")[2]
        if owner in self._classes:  # a class that was imported
            return self._method(owner, name)
        if name in self._classes and name[:1].isupper():
            return [goal for method in CONSTRUCTION for goal in self._method(name, method, module)]
        imported = self._imports.get(module, {}).get(name)  # the package's own name of another module's function
        return self._named(*imported.rpartition(".")[::2]) if imported and imported != f"{module}.{name}" else []

    def _method(self, owner: str, name: str, module: str = "") -> list[tuple[str, str]]:
        """A class's method, or that of a base; of classes with the same name the one in `module`."""
        for one in [owner, *self.bases.get(owner, [])]:
            keys = [key for key in self._by_name.get(name, []) if f".{key[1]}".endswith(f".{one}.{name}")]
            if keys:
                return [key for key in keys if key[0] == module] or keys
            if one != owner and (above := self._method(one, name)):
                return above
        return []
