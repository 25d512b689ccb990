"""One method of a protocol, statement by statement, as text of a function on integer arrays."""

import ast

from simulator.lowering import ARGUMENTS, name_in_text
from simulator.lowering_values import OPERATORS, ValueWriter, named


class MethodWriter(ValueWriter):
    """Writes the function of one method."""

    def text(self) -> str:
        """Return the function."""
        tree = self.method.tree
        names = [self.locals[name] for name in self.arguments]
        head = f"def {name_in_text(self.protocol, self.method)}"
        self.lines.append(f"{head}({', '.join((*ARGUMENTS, *names))}):")
        body = tree.body
        told = ast.get_docstring(tree)
        if told is not None:
            self.lines.append(f'    """{told.splitlines()[0]}"""')
            body = body[1:]
        self.block(body or [ast.Pass()], 1)
        return "\n".join(self.lines)

    def block(self, body: list[ast.stmt], depth: int) -> None:
        """Write statements at a depth."""
        for node in body:
            self.statement(node, depth)

    def put(self, depth: int, text: str) -> None:
        """Write one line."""
        self.lines.append("    " * depth + text)

    def statement(self, node: ast.stmt, depth: int) -> None:
        """Write one statement."""
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.Expr(value=ast.Call() as call):
                self.put(depth, self.called(call, as_value=False))
            case ast.Assign(targets=[target]):
                self.put(depth, f"{self.target(target)} = {self.value(node.value)}")
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self.put(depth, f"{self.target(target)} = {self.value(value)}")
            case ast.AugAssign(op=op) if isinstance(op, OPERATORS):
                sign = ast.unparse(ast.BinOp(ast.Name("a"), op, ast.Name("b")))[2:-2]
                self.put(depth, f"{self.target(node.target)} {sign}= {self.value(node.value)}")
            case ast.If():
                self.choice(node, depth, "if")
            case ast.While(orelse=[]):
                self.put(depth, f"while {self.condition(node.test)}:")
                self.block(node.body, depth + 1)
            case ast.For(target=ast.Name(id=name), orelse=[]):
                self.loop(node, self.locals[name], depth)
            case ast.Break() | ast.Continue() | ast.Pass():
                self.put(depth, ast.unparse(node))
            case ast.Return(value=None):
                self.put(depth, "return")
            case ast.Return(value=ast.expr() as value):
                self.put(depth, f"return {self.value(value)}")
            case _:
                raise self.method.refuse(
                    node,
                    f"a handler has no {named(node)}; it has assignments, if, while, "
                    "for over a range or over children, break, continue, return and calls",
                )

    def choice(self, node: ast.If, depth: int, word: str) -> None:
        """Write an `if` with its branches."""
        self.put(depth, f"{word} {self.condition(node.test)}:")
        self.block(node.body, depth + 1)
        match node.orelse:
            case [ast.If() as further]:
                self.choice(further, depth, "elif")
            case [_, *_]:
                self.put(depth, "else:")
                self.block(node.orelse, depth + 1)

    def loop(self, node: ast.For, name: str, depth: int) -> None:
        """Write a loop over a range, over the children or over the neighbours."""
        match node.iter:
            case ast.Call(func=ast.Name(id="range"), args=args, keywords=[]) if 1 <= len(args) <= 3:
                inside = ", ".join(self.value(arg) for arg in args)
                self.put(depth, f"for {name} in range({inside}):")
            case ast.Attribute(value=ast.Name(id="self"), attr="children" | "neighbours" as what):
                begin = what.upper()
                self.needs(begin)
                self.needs(f"{begin}_END")
                self.loops += 1
                at = f"at_{self.loops}"
                self.put(depth, f"for {at} in range(st[me, {begin}], st[me, {begin}_END]):")
                self.put(depth + 1, f"{name} = world[{at}]")
            case _:
                raise self.method.refuse(
                    node,
                    "a loop goes over range(...), self.children or self.neighbours, "
                    f"not over {ast.unparse(node.iter)}",
                )
        self.block(node.body, depth + 1)

    def target(self, node: ast.expr) -> str:
        """Write what is assigned to."""
        match node:
            case ast.Name(id=name):
                return self.local(node, name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                if self.layout.extents.get(name) == "one":
                    return self.field(name)
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                if name in self.layout.arrays:
                    return self.value(node)
        raise self.method.refuse(
            node, f"a handler assigns to local names and fields, not to {ast.unparse(node)}"
        )
