"""The values of a lowered method: integers, fields, numbers of messages, calls, conditions."""

import ast
from collections.abc import Callable
from typing import Any

from simulator import kernel_node
from simulator.kernel_columns import FIRST
from simulator.lowering import (
    ARGUMENTS,
    RESERVED,
    SINGLE,
    Layout,
    Method,
    assigned,
    method_of,
    name_in_text,
)
from simulator.protocols.protocol import MOST_FIELDS, Message, Protocol, payload_names

OF_NODE = frozenset({"now", "parent", "nchildren", "domain", "leader"})
OF_WORLD = frozenset(
    {"window", "items", "entries", "count", "domains", "root", "reporter", "round_ps"}
)
SIZES = {"operation": "WINDOW", "item": "ITEMS", "node": "COUNT", "entry": "ENTRIES"}
EXTENT_NAMES = {"operation": "window", "item": "items", "node": "count", "entry": "entries"}
OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift, ast.BitAnd,
    ast.BitOr, ast.BitXor,
)  # fmt: skip
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
FITS = 1 << 63
ACTIONS = {"send": 2, "multicast": 1, "timer": 2, "work": 1, "record": 3, "done": 2}
ASKED = {"slot": 1, "transfer_ps": 2, "random": 1}
STARTERS = ", ".join(ARGUMENTS)


class ValueWriter:
    """Writes the values of one method.

    `needs(name)` is told of each name that the text takes from kernel_columns or kernel_node,
    `constant(name, value)` of each constant of the module in which the method was written,
    `calls(method)` of each method that it calls, `number(kind)` gives the number of a kind.
    """

    def __init__(
        self,
        protocol: type[Protocol],
        method: Method,
        layout: Layout,
        *,
        needs: Callable[[str], None],
        constant: Callable[[str, int], str],
        calls: Callable[[Method], None],
        number: Callable[[type[Message]], int | None],
    ) -> None:
        """Look at the arguments and local names of the method."""
        self.protocol, self.method, self.layout = protocol, method, layout
        self.needs, self.constant, self.calls, self.number = needs, constant, calls, number
        self.lines: list[str] = []
        self.loops = 0
        self.messages: dict[str, type[Message]] = {}
        self.arguments = self._arguments()
        names = {name for name, _ in assigned(method.tree)}
        self.locals = {name: self._free(name) for name in (*names, *self.arguments)}
        values: dict[str, list[ast.expr | None]] = {}
        for name, value in assigned(method.tree):
            values.setdefault(name, []).append(value)
        self.slots = {
            name
            for name, given in values.items()
            if name not in self.arguments and all(self._is_slot(value) for value in given)
        }

    def condition(self, node: ast.expr) -> str:
        """Write what decides."""
        match node:
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                return "(" + word.join(self.condition(value) for value in node.values) + ")"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"(not {self.condition(operand)})"
            case ast.Compare():
                return self.comparison(node)
            case ast.Constant(value=bool() as known):
                return str(known)
        return f"{self.value(node)} != 0"

    def comparison(self, node: ast.Compare) -> str:
        """Write a comparison, or a chain of them."""
        text = self.value(node.left)
        for sign, right in zip(node.ops, node.comparators, strict=True):
            if not isinstance(sign, COMPARISONS):
                raise self.method.refuse(node, f"numbers are compared, not {named(sign)}")
            word = ast.unparse(ast.Compare(ast.Name("a"), [sign], [ast.Name("b")]))[2:-2]
            text += f" {word} {self.value(right)}"
        return f"({text})"

    def value(self, node: ast.expr) -> str:
        """Write an integer."""
        match node:
            case ast.Constant(value=bool() as known):
                return str(int(known))
            case ast.Constant(value=int() as known) if -FITS <= known < FITS:
                return str(known)
            case ast.BinOp(
                left=ast.Constant(value=int() as left),
                op=ast.Pow(),
                right=ast.Constant(value=int() as right),
            ) if 0 <= right < 64 and abs(left**right) < FITS:
                return str(left**right)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.Attribute():
                return self.attribute(node)
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if name in self.layout.arrays:
                    return self.element(name, node.slice)
            case ast.BinOp(op=op) if isinstance(op, OPERATORS):
                sign = ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[2:-2]
                return f"({self.value(node.left)} {sign} {self.value(node.right)})"
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Invert() as op):
                sign = ast.unparse(ast.UnaryOp(op, ast.Name("a")))[:-1]
                return f"({sign}{self.value(node.operand)})"
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return f"(1 if {self.condition(node)} else 0)"
            case ast.BoolOp() if all(_is_boolean(value) for value in node.values):
                return f"(1 if {self.condition(node)} else 0)"
            case ast.IfExp():
                yes, no = self.value(node.body), self.value(node.orelse)
                return f"({yes} if {self.condition(node.test)} else {no})"
            case ast.Call():
                return self.called(node, as_value=True)
        raise self.method.refuse(
            node,
            f"a handler has no {named(node)} {ast.unparse(node)!r}: values are integers, fields, "
            "fields of the message, constants of the module, + - * // % << >> & | ^, and "
            "calls of own methods",
        )

    def name(self, node: ast.Name, name: str) -> str:
        """Write a local name, or a constant of the module."""
        if name in self.messages:
            raise self.method.refuse(node, f"the message {name} is no integer")
        if name in self.locals:
            return self.locals[name]
        known = self.method.meaning(name)
        if isinstance(known, int) and not isinstance(known, bool) and -FITS <= known < FITS:
            return self.constant(name, known)
        raise self.method.refuse(node, f"{name} is no local name and no integer of the module")

    def local(self, node: ast.expr, name: str) -> str:
        """Write a local name that is assigned to."""
        if name in self.messages:
            raise self.method.refuse(node, f"the message {name} stays as it came")
        return self.locals[name]

    def attribute(self, node: ast.Attribute) -> str:
        """Write a field, a number of the node, or one of a message."""
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr="me"):
                return "me"
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                if self.layout.extents.get(name) in SINGLE:
                    return self.field(name)
                if name in OF_NODE:
                    self.needs(name.upper())
                    return f"st[me, {name.upper()}]"
                if name in OF_WORLD:
                    self.needs(name.upper())
                    return f"world[{name.upper()}]"
            case ast.Attribute(value=ast.Name(id=name), attr=what) if name in self.messages:
                return self.of_message(node, name, what)
        raise self.method.refuse(
            node, f"{ast.unparse(node)} is no field, no number of the node and none of a message"
        )

    def of_message(self, node: ast.expr, name: str, what: str) -> str:
        """Write a number of a message."""
        row = self.locals[name]
        if what == "op":
            self.needs("OP")
            return f"mail[{row}, OP]"
        if what == "source":
            self.needs("source_of")
            return f"source_of(mail, {row})"
        names = payload_names(self.messages[name])
        if what not in names:
            raise self.method.refuse(node, f"a {self.messages[name].__name__} has no {what}")
        return f"mail[{row}, {FIRST + names.index(what)}]"

    def field(self, name: str) -> str:
        """Write a field with one number."""
        return f"st[me, {self.constant(f'AT_{name.upper()}', self.layout.singles[name])}]"

    def element(self, name: str, index: ast.expr) -> str:
        """Write a number of a field with many; an index that may be outside is looked at."""
        base = f"world[{self.constant(f'AT_{name.upper()}', self.layout.arrays[name])}]"
        extent = self.layout.extents[name]
        inside = self.value(index)
        if not self._is_sure(extent, index):
            self.needs("within")
            self.needs(SIZES[extent])
            inside = f"within(mail, {inside}, world[{SIZES[extent]}])"
        return f"st[me, {base} + {inside}]"

    def _is_kind(self, name: str) -> bool:
        """Whether a name is that of a kind of message."""
        kind = self.method.meaning(name)
        return isinstance(kind, type) and issubclass(kind, Message)

    def _is_slot(self, value: ast.expr | None) -> bool:
        """Whether a value is surely a place of an operation."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="slot")):
                return self.protocol.slot is Protocol.slot
        return False

    def _is_sure(self, extent: str, index: ast.expr) -> bool:
        """Whether an index is within a field for certain."""
        match index:
            case ast.Name(id=name) if name in self.slots:
                return extent == "operation"
            case ast.BinOp(op=ast.Mod(), right=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return name == EXTENT_NAMES[extent]
        return extent == "operation" and self._is_slot(index)

    # calls

    def called(self, node: ast.Call, *, as_value: bool) -> str:
        """Write a call: an action, a question to the node, or a method of its own."""
        if node.keywords:
            raise self.method.refuse(node, "arguments are given in order, without names")
        behind: type[Any] | None = None
        match node.func:
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                pass
            case ast.Attribute(
                value=ast.Call(func=ast.Name(id="super"), args=[], keywords=[]), attr=name
            ):
                behind = self.method.owner
            case _:
                raise self.method.refuse(
                    node, f"a handler calls methods of its own, not {ast.unparse(node.func)}"
                )
        if not hasattr(self.protocol, name):
            raise self.method.refuse(node, f"{self.protocol.__name__} has no method {name}")
        found = method_of(self.protocol, name, behind)
        if found.owner is Protocol:
            if (name in ACTIONS and not as_value) or (name in ASKED and as_value):
                return self.primitive(node, name)
            what = "says nothing" if name in ACTIONS else "is no action"
            raise self.method.refuse(node, f"self.{name} {what}: it cannot stand here")
        self.calls(found)
        return self.own(node, found)

    def own(self, node: ast.Call, found: Method) -> str:
        """Write a call of a method of the protocol."""
        wanted = found.tree.args.args[1:]
        given = list(node.args)
        if len(given) < len(wanted):
            missing = len(wanted) - len(given)
            defaults = found.tree.args.defaults
            given += defaults[len(defaults) - missing :]
        if len(given) != len(wanted):
            raise self.method.refuse(node, f"{found.name} takes {len(wanted)} arguments")
        texts = [self.argument(value) for value in given]
        return f"{name_in_text(self.protocol, found)}({', '.join((STARTERS, *texts))})"

    def argument(self, node: ast.expr) -> str:
        """Write an argument: an integer, a message as it came, or a new one."""
        match node:
            case ast.Name(id=name) if name in self.messages:
                return self.locals[name]
            case ast.Call(func=ast.Name(id=name)) if self._is_kind(name):
                self.needs("draft")
                return f"draft(mail, {self.made(node)})"
        return self.value(node)

    def primitive(self, node: ast.Call, name: str) -> str:
        """Write an action, or a question to the node."""
        args = list(node.args)
        if name == "record" and len(args) == 2:
            args.append(ast.Constant(0))
        if len(args) != {**ACTIONS, **ASKED}[name] or any(isinstance(a, ast.Starred) for a in args):
            raise self.method.refuse(node, f"{name} takes {({**ACTIONS, **ASKED})[name]} arguments")
        if name not in ("send", "multicast", "timer"):
            self.needs(name)
            before = {"slot": "world", "random": "st, world, me", "transfer_ps": "world, mail"}
            texts = (self.value(arg) for arg in args)
            return f"{name}({', '.join((before.get(name, 'mail'), *texts))})"
        first = {
            "send": lambda: f"mail, {self.value(args[0])}",
            "multicast": lambda: STARTERS,
            "timer": lambda: f"mail, {self.value(args[0])}, me",
        }[name]()
        match args[-1]:
            case ast.Name(id=known) if known in self.messages:
                word = {"send": "forward", "multicast": "multicast_on", "timer": "timer_on"}[name]
                self.needs(word)
                return f"{word}({first}, {self.locals[known]})"
            case ast.Call(func=ast.Name()) as made:
                self.needs(name)
                return f"{name}({first}, {self.made(made)})"
        raise self.method.refuse(node, f"{name} takes a message: a new one, or one as it came")

    def made(self, node: ast.Call) -> str:
        """Write the kind and the numbers of a new message."""
        assert isinstance(node.func, ast.Name)
        if not self._is_kind(node.func.id):
            raise self.method.refuse(node, f"{node.func.id} is no kind of message")
        kind = self.method.meaning(node.func.id)
        number = self.number(kind)
        if number is None:
            raise self.method.refuse(node, f"nobody handles a {kind.__name__}")
        names = payload_names(kind)
        if node.keywords or len(node.args) != len(names) + 1:
            raise self.method.refuse(
                node, f"{kind.__name__} takes op{''.join(f', {name}' for name in names)}, in order"
            )
        numbers = [self.value(arg) for arg in node.args]
        numbers += ["0"] * (MOST_FIELDS - len(names))
        word = self.constant(_shouted(kind.__name__), number)
        return ", ".join((word, *numbers))

    def _free(self, name: str) -> str:
        """Return what a local name is called, where the text needs its own name otherwise."""
        taken = name in RESERVED or hasattr(kernel_node, name) or hasattr(self.protocol, name)
        return f"{name}_" if taken else name

    def _arguments(self) -> list[str]:
        """Return the names of the arguments, and learn which are messages."""
        tree, names = self.method.tree, []
        args = tree.args
        if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or not args.args:
            raise self.method.refuse(tree, "a method takes self, integers and messages, in order")
        for arg in args.args[1:]:
            hint = self.method.function.__annotations__.get(arg.arg)
            kind = self.method.meaning(hint) if isinstance(hint, str) else hint
            if isinstance(kind, type) and issubclass(kind, Message):
                self.messages[arg.arg] = kind
            elif kind not in (int, bool):
                raise self.method.refuse(arg, f"{arg.arg} is neither an integer nor a message")
            names.append(arg.arg)
        return names


def _is_boolean(node: ast.expr) -> bool:
    match node:
        case ast.Compare() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
        case ast.BoolOp():
            return all(_is_boolean(value) for value in node.values)
    return False


def named(node: ast.AST) -> str:
    """Return what a kind of syntax is called, in plain words where Python's name is not one."""
    words = {"AnnAssign": "declaration", "Constant": "constant", "ListComp": "list"}
    name = type(node).__name__
    return words.get(name, name.lower())


def _shouted(name: str) -> str:
    """Return the name of a class as that of a constant."""
    return "".join(f"_{c}" if c.isupper() and at else c for at, c in enumerate(name)).upper()
