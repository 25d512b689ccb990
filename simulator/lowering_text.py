"""The module that a protocol is lowered to: constants, functions in order of their calls, entry."""

from simulator import kernel_columns
from simulator.lowering import (
    ARGUMENTS,
    Lowered,
    Method,
    kinds_of,
    layout_of,
    method_of,
    name_in_text,
    stem_of,
)
from simulator.lowering_method import MethodWriter
from simulator.protocols.protocol import Protocol, handled_kinds


class Writer:
    """Writes the module of one protocol."""

    def __init__(self, protocol: type[Protocol]) -> None:
        """Begin with nothing written."""
        self.protocol = protocol
        self.layout = layout_of(protocol)
        self.kinds = kinds_of(protocol)
        self.columns: set[str] = set()
        self.calls: set[str] = set()
        self.constants: dict[str, int] = {}
        self.written: dict[str, str] = {}
        self.open: list[str] = []

    def module(self) -> Lowered:
        """Write everything, and return it."""
        handlers = list(handled_kinds(self.protocol).values())
        for name in handlers:
            self.method(method_of(self.protocol, name))
        text = "\n\n\n".join((self._head(), *self.written.values(), self._dispatch(handlers)))
        text += "\n"
        return Lowered(stem_of(self.protocol, text), text)

    def method(self, method: Method) -> None:
        """Write a method, after all that it calls."""
        name = name_in_text(self.protocol, method)
        if name in self.open or name in self.written:
            return
        self.open.append(name)
        writer = MethodWriter(
            self.protocol,
            method,
            self.layout,
            needs=self._need,
            constant=self._constant,
            calls=self.method,
            number=self.kinds.get,
        )
        self.written[name] = writer.text()
        self.open.pop()

    def _need(self, name: str) -> None:
        (self.columns if hasattr(kernel_columns, name) else self.calls).add(name)

    def _constant(self, name: str, value: int) -> str:
        """Return how a constant is written: by its name, unless that has another meaning."""
        taken = hasattr(kernel_columns, name) or not name.isupper()
        if taken or self.constants.setdefault(name, value) != value:
            return str(value)
        return name

    def _head(self) -> str:
        """Write docstring, imports and constants."""
        protocol = self.protocol
        lines = [
            f'"""Lowered from {protocol.__module__}.{protocol.__qualname__}; made, not written."""',
            "",
        ]
        for module, names in (("columns", self.columns), ("node", self.calls)):
            if names:
                lines.append(f"from simulator.kernel_{module} import {', '.join(sorted(names))}")
        lines += ["", *(f"{name} = {value}" for name, value in sorted(self.constants.items()))]
        return "\n".join(lines).rstrip()

    def _dispatch(self, handlers: list[str]) -> str:
        """Write the entry: a message to the handler of its kind."""
        arguments = ", ".join(ARGUMENTS)
        lines = [
            f"def dispatch({arguments}, kind, m):",
            '    """Give a message to the handler of its kind."""',
        ]
        word = "if"
        for number, name in enumerate(handlers):
            lines.append(f"    {word} kind == {number}:")
            lines.append(f"        {name}({arguments}, m)")
            word = "elif"
        return "\n".join(lines)
