"""The numbers and conditions of a function in LLVM: 64 bits, as Python has them within that."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from simulator.lowering import LoweringError

WORD = ir.IntType(64)
BIT = ir.IntType(1)
SIGNS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Matrix:
    """An array: its name, its address, and its sizes behind the first.

    A first 0 says that it is the row of a node, of which only the last index counts.
    """

    name: str
    address: Any
    strides: tuple[Any, ...]


class Body(ABC):
    """Writes the values of one function."""

    def __init__(
        self,
        builder: ir.IRBuilder,
        function: ir.Function,
        names: dict[str, Any],
        tag: Callable[[str], Any],
    ) -> None:
        """Begin without local names."""
        self.builder, self.function, self.names, self.tag = builder, function, names, tag
        self.places: dict[str, Any] = {}
        self.arrays: dict[str, Matrix] = {}
        self.table: Any = None
        self.first = builder.block

    @abstractmethod
    def call(self, node: ast.Call) -> Any:
        """Write a call; return its number, or None where it has none."""

    @abstractmethod
    def array(self, node: ast.expr) -> Matrix | None:
        """Return the array that an expression is, if it is one."""

    @abstractmethod
    def size(self, name: str, at: int) -> Any:
        """Return a size of an array."""

    def unknown(self, node: ast.AST) -> LoweringError:
        """Return the error for what neither kernel nor lowered protocols have."""
        return LoweringError(f"{self.function.name}: no form for {ast.unparse(node)}")

    def fresh(self) -> ir.Block:
        """Return a new block."""
        return self.function.append_basic_block()

    def go(self, block: ir.Block) -> None:
        """Go on in a block, unless what is here does not come to its end."""
        if not self.builder.block.is_terminated:
            self.builder.branch(block)

    def room(self) -> Any:
        """Return a place for a number, at the begin of the function."""
        with self.builder.goto_block(self.first):
            return self.builder.alloca(WORD)

    def place(self, name: str) -> Any:
        """Return the place of a local name."""
        if name not in self.places:
            self.places[name] = self.room()
        return self.places[name]

    def mark(self, access: Any, name: str) -> Any:
        """Say of a load or a store which array it looks at."""
        access.set_metadata("tbaa", self.tag(name))
        return access

    def address(self, node: ast.expr) -> tuple[str, Any]:
        """Return the array and the address of one of its numbers."""
        assert isinstance(node, ast.Subscript), ast.unparse(node)
        array = self.array(node.value)
        if array is None:
            raise self.unknown(node)
        index = node.slice
        places = index.elts if isinstance(index, ast.Tuple) else [index]
        numbers = [self.value(place) for place in places]
        total = numbers[-1]
        if len(numbers) > 1 and array.strides[0] != 0:
            total = numbers[0]
            for at, number in enumerate(numbers[1:]):
                total = self.builder.add(self.builder.mul(total, self.stride(array, at)), number)
        return array.name, self.builder.gep(array.address, [total])

    def stride(self, array: Matrix, at: int) -> Any:
        """Return the size of the dimension behind one."""
        size = array.strides[at]
        return WORD(size) if isinstance(size, int) else size

    def value(self, node: ast.expr) -> Any:
        """Return the number of an expression."""
        match node:
            case ast.Constant(value=int() as known):
                return WORD(int(known))
            case ast.Name(id=name) if name in self.places:
                return self.builder.load(self.places[name])
            case ast.Name(id=name) if isinstance(self.names.get(name), int):
                return WORD(self.names[name])
            case ast.Subscript(
                value=ast.Attribute(value=whole, attr="shape"),
                slice=ast.Constant(value=int() as at),
            ) if (array := self.array(whole)) is not None:
                return self.size(array.name, at)
            case ast.Subscript():
                name, address = self.address(node)
                return self.mark(self.builder.load(address), name)
            case ast.BinOp(left=left, op=op, right=right):
                before = self.value(left)
                return self.operation(op, before, self.value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.builder.neg(self.value(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.UnaryOp(op=ast.Invert(), operand=operand):
                return self.builder.not_(self.value(operand))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self.either(test, body, other)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp():
                return self.either(node, ast.Constant(1), ast.Constant(0))
            case ast.Call():
                return self.call(node)
        raise self.unknown(node)

    def either(self, test: ast.expr, body: ast.expr, other: ast.expr) -> Any:
        """Return one of two numbers."""
        yes, no, behind = self.fresh(), self.fresh(), self.fresh()
        self.jump(test, yes, no)
        found = []
        for block, node in ((yes, body), (no, other)):
            self.builder.position_at_end(block)
            found.append((self.value(node), self.builder.block))
            self.builder.branch(behind)
        self.builder.position_at_end(behind)
        chosen = self.builder.phi(WORD)
        for value, block in found:
            chosen.add_incoming(value, block)
        return chosen

    def jump(self, node: ast.expr, yes: ir.Block, no: ir.Block) -> None:
        """Go to one of two blocks, by a condition."""
        match node:
            case ast.BoolOp(op=op, values=[*before, last]):
                for value in before:
                    further = self.fresh()
                    if isinstance(op, ast.And):
                        self.jump(value, further, no)
                    else:
                        self.jump(value, yes, further)
                    self.builder.position_at_end(further)
                self.jump(last, yes, no)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.jump(operand, no, yes)
            case ast.Constant(value=known):
                self.builder.branch(yes if known else no)
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple(elts=each)]):
                number = self.value(left)
                found = BIT(0)
                for one in each:
                    same = self.builder.icmp_signed("==", number, self.value(one))
                    found = self.builder.or_(found, same)
                self.builder.cbranch(found, yes, no)
            case ast.Compare(left=left, ops=signs, comparators=others):
                number = self.value(left)
                for at, (sign, other) in enumerate(zip(signs, others, strict=True)):
                    right = self.value(other)
                    holds = self.builder.icmp_signed(SIGNS[type(sign)], number, right)
                    further = yes if at == len(signs) - 1 else self.fresh()
                    self.builder.cbranch(holds, further, no)
                    if further is not yes:
                        self.builder.position_at_end(further)
                    number = right
            case _:
                number = self.value(node)
                self.builder.cbranch(self.builder.icmp_signed("!=", number, WORD(0)), yes, no)

    def operation(self, op: ast.operator, left: Any, right: Any) -> Any:
        """Return what an operator makes of two numbers."""
        match op:
            case ast.Add():
                return self.builder.add(left, right)
            case ast.Sub():
                return self.builder.sub(left, right)
            case ast.Mult():
                return self.builder.mul(left, right)
            case ast.BitAnd():
                return self.builder.and_(left, right)
            case ast.BitOr():
                return self.builder.or_(left, right)
            case ast.BitXor():
                return self.builder.xor(left, right)
            case ast.FloorDiv() | ast.Mod():
                return self.divided(left, right, rest=isinstance(op, ast.Mod))
            case ast.LShift() | ast.RShift():
                return self.shifted(left, right, up=isinstance(op, ast.LShift))
        raise LoweringError(f"{self.function.name}: no form for {type(op).__name__}")

    def divided(self, left: Any, right: Any, *, rest: bool) -> Any:
        """Return a quotient rounded down, or its rest; both are 0 where the divisor is.

        The processor rounds to zero, and stops the program at divisors 0 and -1.
        """
        builder, divisor = self.builder, right
        sure = isinstance(right, ir.Constant) and right.constant > 0
        risky = None
        if not sure:
            risky = builder.icmp_unsigned("<=", builder.add(right, WORD(1)), WORD(1))
            divisor = builder.select(risky, WORD(1), right)
        left_over = builder.srem(left, divisor)
        if sure:
            below = builder.icmp_signed("<", left_over, WORD(0))
        else:
            unlike = builder.icmp_signed("<", builder.xor(left_over, divisor), WORD(0))
            below = builder.and_(builder.icmp_signed("!=", left_over, WORD(0)), unlike)
        if rest:
            return builder.select(below, builder.add(left_over, divisor), left_over)
        quotient = builder.sdiv(left, divisor)
        rounded = builder.sub(quotient, builder.zext(below, WORD))
        if risky is None:
            return rounded
        return builder.select(risky, builder.mul(left, right), rounded)

    def shifted(self, left: Any, right: Any, *, up: bool) -> Any:
        """Return a number shifted; by 64 and more there is nothing left of it but its sign."""
        builder = self.builder
        if isinstance(right, ir.Constant):
            return builder.shl(left, right) if up else builder.ashr(left, right)
        far = builder.icmp_unsigned(">", right, WORD(63))
        near = builder.select(far, WORD(63), right)
        if up:
            return builder.select(far, WORD(0), builder.shl(left, near))
        return builder.ashr(left, near)
