"""From a protocol class to module-level functions on integer arrays, for the compiled engine.

The class stays the one source: its handlers and the methods that they call, inherited and
overridden ones and those behind `super()`, become functions of the same names, in a module of its
own that is named by the hash of its text. Whatever the notation does not have (protocol.py) is
refused with the file and the line.
"""

import ast
import builtins
import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from simulator import kernel_node
from simulator.errors import SimulatorError
from simulator.kernel_columns import FIRST_BASE, FIRST_FIELD
from simulator.protocols.protocol import (
    Message,
    Protocol,
    declared_fields,
    handled_kinds,
)

SINGLE = ("one", "parameter")
ARGUMENTS = ("st", "world", "mail", "me")
"""What every lowered function takes first."""
RESERVED = (*ARGUMENTS, "dispatch", "int", "range", "w")
"""Names that mean something else in the text, or to what compiles it."""


class LoweringError(SimulatorError):
    """Something in a protocol that the compiled engine has no form for."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a class: the class that defines it, its function and its syntax tree."""

    owner: type[Any]
    function: FunctionType
    tree: ast.FunctionDef
    file: str

    @property
    def name(self) -> str:
        """The name under which the class has it."""
        return self.tree.name

    def refuse(self, node: ast.AST, why: str) -> LoweringError:
        """Return the error for a place in this method."""
        line = getattr(node, "lineno", self.tree.lineno)
        return LoweringError(f"{self.file}:{line}: {why}")

    def meaning(self, name: str) -> Any:
        """Return what a name that is not local means where the method was written, or None."""
        closed = inspect.getclosurevars(self.function)
        for names in (closed.nonlocals, self.function.__globals__, vars(builtins)):
            if name in names:
                return names[name]
        return None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of a protocol stand.

    `singles` gives the column of `st` of a field with one number, `arrays` the place in `world`
    where it is written at which column a field with many begins; `extents` is that of each.
    """

    singles: dict[str, int]
    arrays: dict[str, int]
    extents: dict[str, str]


@dataclass(frozen=True, slots=True)
class Lowered:
    """A protocol as text, whose entry is `dispatch`, and the name of that module."""

    name: str
    text: str


_LAYOUTS: dict[type[Protocol], Layout] = {}


def layout_of(protocol: type[Protocol]) -> Layout:
    """Return where the fields of a protocol stand, in the order of their declaration."""
    if protocol not in _LAYOUTS:
        _LAYOUTS[protocol] = _layout(protocol)
    return _LAYOUTS[protocol]


def _layout(protocol: type[Protocol]) -> Layout:
    extents = declared_fields(protocol)
    single = [name for name, extent in extents.items() if extent in SINGLE]
    many = [name for name in extents if name not in single]
    return Layout(
        singles={name: FIRST_FIELD + at for at, name in enumerate(single)},
        arrays={name: FIRST_BASE + at for at, name in enumerate(many)},
        extents=extents,
    )


_LOWERED: dict[type[Protocol], Lowered] = {}


def lowered(protocol: type[Protocol]) -> Lowered:
    """Lower a protocol; raises `LoweringError` naming file and line of what is not allowed."""
    if protocol not in _LOWERED:
        _LOWERED[protocol] = _lower(protocol)
    return _LOWERED[protocol]


def _lower(protocol: type[Protocol]) -> Lowered:
    from simulator.lowering_text import Writer

    if protocol.__init__ is not Protocol.__init__:
        method = method_of(protocol, "__init__")
        raise method.refuse(method.tree, "a node begins with zeros: a protocol has no __init__")
    return Writer(protocol).module()


def method_of(protocol: type[Any], name: str, behind: type[Any] | None = None) -> Method:
    """Return the method that a name means for a protocol, or behind one of its classes.

    Raises `LoweringError` where it is no plain method, or its source cannot be read.
    """
    line = protocol.__mro__
    if behind is not None:
        line = line[line.index(behind) + 1 :]
    for owner in line:
        if name in vars(owner):
            function = vars(owner)[name]
            if not isinstance(function, FunctionType):
                raise LoweringError(f"{owner.__name__}.{name} is no plain method")
            tree, file = _tree_of(function)
            return Method(owner, function, tree, file)
    raise LoweringError(f"{protocol.__name__} has no method {name}")


def name_in_text(protocol: type[Any], method: Method) -> str:
    """Return the name of a method's function: its own, with the class where it is overridden."""
    taken = method.name in RESERVED or hasattr(kernel_node, method.name)
    if not taken and method.function is getattr(protocol, method.name):
        return method.name
    return f"{method.name}_of_{method.owner.__name__}"


def kinds_of(protocol: type[Protocol]) -> dict[type[Message], int]:
    """Return the number of each kind of message that a protocol handles."""
    return {kind: number for number, kind in enumerate(handled_kinds(protocol))}


def stem_of(protocol: type[Protocol], text: str) -> str:
    """Return the name of a lowered module."""
    return f"{protocol.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


@cache
def _functions_of(file: str) -> dict[int, ast.FunctionDef]:
    """Return the functions of a file by their first line, decorators included."""
    found = {}
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            found[min((node.lineno, *(each.lineno for each in node.decorator_list)))] = node
    return found


def _tree_of(function: FunctionType) -> tuple[ast.FunctionDef, str]:
    file = function.__code__.co_filename
    try:
        return _functions_of(file)[function.__code__.co_firstlineno], file
    except (OSError, KeyError, SyntaxError) as fault:
        raise LoweringError(f"{file}: the source of {function.__qualname__} is gone") from fault


def assigned(tree: ast.FunctionDef) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield each local name that a method assigns to, and the value where that is plain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.AugAssign | ast.For) and isinstance(node.target, ast.Name):
            yield node.target.id, None
