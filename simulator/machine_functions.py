"""From functions on arrays of integers to LLVM: what kernel and lowered protocols consist of.

The functions stay Python, and run as such too (tests/simulator/interpreted.py); here each becomes
one of LLVM, with 64-bit integers for all numbers and an address for each array. There is nothing
else in them, so no types have to be found out.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

from llvmlite import ir

from simulator import kernel_columns as c
from simulator.machine_values import WORD, Body, Matrix

ADDRESS = WORD.as_pointer()
ARRAYS = ("st", "world", "mail")
"""Arguments that are arrays: of `st` the row of the node, which its handlers look at alone."""
SIZES: dict[str, tuple[int, ...]] = {
    "st": (0, 0), "world": (0,), "mail": (0, c.MAIL_COLUMNS), "hot": (0, 4), "heads": (0, 2),
    "node": (0, c.NODE_COLUMNS), "wires": (0, 0, c.WIRE_COLUMNS), "ways": (0,),
    "link": (0, c.LINK_COLUMNS), "boxes": (0, 2), "channel": (0, 0), "ops": (0, c.OP_COLUMNS),
    "order": (0,), "plan": (0,), "ctl": (0,), "rows": (0, c.ROW_COLUMNS + 1), "said": (0, 5),
}  # fmt: skip
"""How large each array of a run is; 0 where that differs from run to run."""
PREFIX = "simulator_"
"""What every function has before its name, as LLVM knows those of the C library by theirs."""
PLACES = 4
"""Words per array in the table of a run: its address, then its sizes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A module: its functions as syntax trees, and what its names mean."""

    trees: dict[str, ast.FunctionDef]
    names: dict[str, Any]


def source_of(text: str, names: dict[str, Any]) -> Source:
    """Return a module from its text and its names."""
    body = ast.parse(text).body
    return Source({node.name: node for node in body if isinstance(node, ast.FunctionDef)}, names)


@cache
def _source_at(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


@dataclass(slots=True)
class Unit:
    """What is compiled together: functions by name, and those that are called and not written yet.

    `apart` names those for which LLVM may judge whether they stand in the place of their calls; all
    others do. None leaves all to it.
    """

    apart: frozenset[str] | None
    module: ir.Module = field(default_factory=lambda: ir.Module("simulator"))
    written: dict[str, ir.Function] = field(default_factory=dict)
    ahead: list[tuple[Source, ast.FunctionDef, ir.Function]] = field(default_factory=list)
    tags: dict[str, Any] = field(default_factory=dict)
    root: Any = None

    def entry(self, source: Source, name: str) -> None:
        """Write a function that is called from outside, and all that it calls."""
        function = self.function(source, name)
        function.linkage = "external"
        function.attributes.discard("alwaysinline")
        while self.ahead:
            where, tree, made = self.ahead.pop()
            FunctionWriter(self, where, tree, made).write()

    def function(self, source: Source, name: str) -> ir.Function:
        """Return a function by the name that it has in a module."""
        if name not in self.written:
            where, known = source, source.names[name]
            if name not in source.trees and isinstance(known, FunctionType):
                trees = _source_at(known.__code__.co_filename).body
                found = {node.name: node for node in trees if isinstance(node, ast.FunctionDef)}
                where = Source(found, known.__globals__)
            tree = where.trees[name]
            numeric = any(
                isinstance(node, ast.Return) and node.value is not None for node in ast.walk(tree)
            )
            kinds = [ADDRESS if _is_address(arg.arg) else WORD for arg in tree.args.args]
            kind = ir.FunctionType(WORD if numeric else ir.VoidType(), kinds)
            made = ir.Function(self.module, kind, PREFIX + name)
            made.linkage = "internal"
            made.attributes.add("nounwind")
            if self.apart is not None and name not in self.apart:
                made.attributes.add("alwaysinline")
            for arg, value in zip(tree.args.args, made.args, strict=True):
                value.name = arg.arg
                if _is_address(arg.arg):
                    value.add_attribute("noalias")
            self.written[name] = made
            self.ahead.append((where, tree, made))
        return self.written[name]

    def tag(self, name: str) -> Any:
        """Return the mark of an array: what stands in one is not in another."""
        if name not in self.tags:
            if self.root is None:
                self.root = self.module.add_metadata(["arrays"])
            kind = self.module.add_metadata([name, self.root, WORD(0)])
            same = [WORD(1)] if name in ("table", "world") else []
            self.tags[name] = self.module.add_metadata([kind, kind, WORD(0), *same])
        return self.tags[name]


def _is_address(name: str) -> bool:
    return name == "w" or name in ARRAYS


class FunctionWriter(Body):
    """Writes one function, statement by statement."""

    def __init__(
        self, unit: Unit, source: Source, tree: ast.FunctionDef, function: ir.Function
    ) -> None:
        """Make room for the local names."""
        self.tree = tree
        first = function.append_basic_block()
        super().__init__(ir.IRBuilder(first), function, source.names, unit.tag)
        self.unit, self.source = unit, source
        self.loops: list[tuple[ir.Block, ir.Block]] = []
        for arg, value in zip(tree.args.args, function.args, strict=True):
            if arg.arg in ARRAYS:
                stride = 0 if arg.arg == "st" else c.MAIL_COLUMNS
                self.arrays[arg.arg] = Matrix(arg.arg, value, (stride,))
            elif arg.arg == "w":
                self.table = value
            else:
                self.place(arg.arg)
                self.builder.store(value, self.places[arg.arg])

    def write(self) -> None:
        """Write the whole function."""
        entry = self.builder.block
        body = self.function.append_basic_block()
        self.builder.position_at_end(body)
        self.block(self.tree.body)
        if not self.builder.block.is_terminated:
            self.leave(None)
        # room for the local names that were met on the way stands before everything
        self.builder.position_at_end(entry)
        self.builder.branch(body)

    def leave(self, value: Any) -> None:
        """Return a number, or nothing."""
        if isinstance(self.function.function_type.return_type, ir.VoidType):
            self.builder.ret_void()
        else:
            self.builder.ret(WORD(0) if value is None else value)

    def block(self, body: list[ast.stmt]) -> None:
        """Write statements up to one that does not come to the next."""
        for node in body:
            if self.builder.block.is_terminated:
                return
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        """Write one statement."""
        match node:
            case ast.Expr(value=ast.Call() as call):
                self.call(call)
            case ast.Expr() | ast.Pass():
                pass
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                found = [self.array(value) or self.value(value) for value in values]
                for target, value in zip(targets, found, strict=True):
                    self.assign(target, value)
            case ast.Assign(targets=[target], value=value):
                self.assign(target, self.array(value) or self.value(value))
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.assign(target, self.value(value))
            case ast.AugAssign(target=target, op=op, value=value):
                self.change(target, op, value)
            case ast.If(test=test, body=body, orelse=other):
                self.choice(test, body, other)
            case ast.While(test=test, body=body, orelse=[]):
                self.again(test, body)
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range"), args=args),
                body=body,
                orelse=[],
            ):
                self.count(name, args, body)
            case ast.Break():
                self.builder.branch(self.loops[-1][1])
            case ast.Continue():
                self.builder.branch(self.loops[-1][0])
            case ast.Return(value=value):
                self.leave(None if value is None else self.value(value))
            case _:
                raise self.unknown(node)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Give a name or a place in an array a value; a name may stand for an array."""
        if isinstance(value, Matrix):
            assert isinstance(target, ast.Name), ast.unparse(target)
            self.arrays[target.id] = value
        elif isinstance(target, ast.Name):
            self.builder.store(value, self.place(target.id))
        else:
            name, address = self.address(target)
            self.mark(self.builder.store(value, address), name)

    def change(self, target: ast.expr, op: ast.operator, value: ast.expr) -> None:
        """Write `a += b`: a is looked at before b, and where it stands is found out once."""
        if isinstance(target, ast.Name):
            place = self.place(target.id)
            before = self.builder.load(place)
            self.builder.store(self.operation(op, before, self.value(value)), place)
            return
        name, address = self.address(target)
        before = self.mark(self.builder.load(address), name)
        after = self.operation(op, before, self.value(value))
        self.mark(self.builder.store(after, address), name)

    def choice(self, test: ast.expr, body: list[ast.stmt], other: list[ast.stmt]) -> None:
        """Write an `if`."""
        yes, behind = self.fresh(), self.fresh()
        no = self.fresh() if other else behind
        self.jump(test, yes, no)
        for at, inside in ((yes, body), (no, other)):
            if at is not behind:
                self.builder.position_at_end(at)
                self.block(inside)
                self.go(behind)
        self.builder.position_at_end(behind)

    def again(self, test: ast.expr, body: list[ast.stmt]) -> None:
        """Write a `while`."""
        head, inside, behind = self.fresh(), self.fresh(), self.fresh()
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.jump(test, inside, behind)
        self.builder.position_at_end(inside)
        self.looped(body, head, behind)

    def looped(self, body: list[ast.stmt], head: ir.Block, behind: ir.Block) -> None:
        """Write what a loop repeats, and go on behind it."""
        self.loops.append((head, behind))
        self.block(body)
        self.loops.pop()
        self.go(head)
        self.builder.position_at_end(behind)

    def count(self, name: str, args: list[ast.expr], body: list[ast.stmt]) -> None:
        """Write a `for` over a range; its name has the last number of it afterwards."""
        given = [self.value(arg) for arg in args]
        begin, end = (WORD(0), given[0]) if len(given) == 1 else given[:2]
        step = given[2] if len(given) > 2 else WORD(1)
        number = self.room()
        self.builder.store(begin, number)
        head, inside = self.fresh(), self.fresh()
        further, behind = self.fresh(), self.fresh()
        self.builder.branch(head)
        self.builder.position_at_end(head)
        now = self.builder.load(number)
        up = self.builder.icmp_signed("<", now, end)
        if not (isinstance(step, ir.Constant) and step.constant > 0):
            down = self.builder.icmp_signed(">", now, end)
            falls = self.builder.icmp_signed("<", step, WORD(0))
            rises = self.builder.icmp_signed(">", step, WORD(0))
            up = self.builder.or_(self.builder.and_(rises, up), self.builder.and_(falls, down))
        self.builder.cbranch(up, inside, behind)
        self.builder.position_at_end(further)
        self.builder.store(self.builder.add(self.builder.load(number), step), number)
        self.builder.branch(head)
        self.builder.position_at_end(inside)
        self.builder.store(self.builder.load(number), self.place(name))
        self.looped(body, further, behind)

    # calls and arrays

    def array(self, node: ast.expr) -> Matrix | None:
        """Return the array that an expression is, if it is one."""
        match node:
            case ast.Name(id=name):
                return self.arrays.get(name)
            case ast.Attribute(value=ast.Name(id="w"), attr=name):
                address = self.builder.inttoptr(self.of_table(name, 0), ADDRESS)
                strides = [known or self.size(name, at) for at, known in enumerate(SIZES[name])]
                return Matrix(name, address, tuple(strides[1:]))
        return None

    def size(self, name: str, at: int) -> Any:
        """Return a size of an array."""
        return self.of_table(name, 1 + at)

    def of_table(self, name: str, at: int) -> Any:
        """Return what the table of the run says of an array."""
        place = WORD(c.Arrays._fields.index(name) * PLACES + at)
        return self.mark(self.builder.load(self.builder.gep(self.table, [place])), "table")

    def call(self, node: ast.Call) -> Any:
        """Write a call; return its number, or None where it has none."""
        assert isinstance(node.func, ast.Name) and not node.keywords, ast.unparse(node)
        name = node.func.id
        if name == "int":
            return self.value(node.args[0])
        if name == "dispatch" and name in self.places:
            return self.handed(node.args)
        made = self.draw() if name == "draw" else self.unit.function(self.source, name)
        given = []
        for arg in node.args:
            if isinstance(arg, ast.Name) and arg.id == "w":
                given.append(self.table)
            elif (known := self.array(arg)) is not None:
                given.append(known.address)
            else:
                given.append(self.value(arg))
        return self.builder.call(made, given)

    def handed(self, args: list[ast.expr]) -> Any:
        """Write the call of a protocol, whose handlers take the row of the node for `st`."""
        nodes, world, mail = (self.array(arg) for arg in args[:3])
        assert nodes is not None and world is not None and mail is not None
        numbers = [self.value(arg) for arg in args[3:]]
        row = self.builder.gep(nodes.address, [self.builder.mul(numbers[0], self.stride(nodes, 0))])
        kind = ir.FunctionType(ir.VoidType(), [ADDRESS] * 3 + [WORD] * 3)
        entry = self.builder.inttoptr(self.builder.load(self.places["dispatch"]), kind.as_pointer())
        return self.builder.call(entry, [row, world.address, mail.address, *numbers])

    def draw(self) -> ir.Function:
        """Return simulator/draws.py's splitmix64 of `mixed ^ number`, modulo a bound."""
        if "draw" not in self.unit.written:
            made = ir.Function(self.unit.module, ir.FunctionType(WORD, [WORD] * 3), f"{PREFIX}draw")
            made.linkage = "internal"
            made.attributes.add("nounwind")
            builder = ir.IRBuilder(made.append_basic_block())
            mixed, number, bound = made.args
            word = builder.add(builder.xor(mixed, number), WORD(0x9E3779B97F4A7C15))
            for shift, times in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
                word = builder.mul(builder.xor(word, builder.lshr(word, WORD(shift))), WORD(times))
            word = builder.xor(word, builder.lshr(word, WORD(31)))
            none = builder.icmp_unsigned("==", bound, WORD(0))
            builder.ret(builder.urem(word, builder.select(none, WORD(1), bound)))
            self.unit.written["draw"] = made
        return self.unit.written["draw"]
