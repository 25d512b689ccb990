"""The killable worker of a query: limits itself, grounds, solves, and writes one JSON line per
answer.

Input on stdin is what `skb.engines.query` sends; see `Work` there. Lines on stdout: `{"model": …}`
for each answer set, then one of `{"end": …}`, `{"refused": …}` and `{"exceeded": …}`. It opens no
file, starts no process, and gives clingo no functions to call.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any

import clingo
from clingo.ast import ASTType, ProgramBuilder, parse_string

from skb.engines.query_vet import in_lines, optimises, parse, refused_by_clingo
from skb.errors import RulesError

_WARNINGS = 20


class _Full(Exception):
    """The answers exceed the output limit."""


class _Output:
    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes

    def write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, separators=(",", ":")) + "\n"
        self._left -= len(data)
        if self._left < 0:
            raise _Full
        sys.stdout.write(data)
        sys.stdout.flush()


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Limit this process: memory, processor time, no file to write, few descriptors, no core."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))


def plain(symbol: clingo.Symbol) -> Any:
    """Turn a term into JSON: numbers and texts as such, tuples as lists, other terms as clingo's
    text.
    """
    if symbol.type == clingo.SymbolType.Number:
        return symbol.number
    if symbol.type == clingo.SymbolType.String:
        return symbol.string
    if symbol.type == clingo.SymbolType.Function and not symbol.name:
        return [plain(part) for part in symbol.arguments]
    return str(symbol)


def shown(symbol: clingo.Symbol) -> dict[str, Any]:
    """Turn a shown atom into JSON; a shown term that is no atom has an empty predicate."""
    if symbol.type != clingo.SymbolType.Function or not symbol.name:
        return {"predicate": "", "args": [plain(symbol)]}
    sign = "" if symbol.positive else "-"
    return {"predicate": sign + symbol.name, "args": [plain(part) for part in symbol.arguments]}


def run(work: dict[str, Any], output: _Output) -> None:
    """Vet, ground and solve; raise `RulesError`, `MemoryError` or `_Full`."""
    known = frozenset((name, arity) for name, arity in work["known"])
    statements, heads = parse(work["rules"], known)
    messages: list[str] = []
    options = [*work["options"], f"--seed={work['seed']}", f"--models={work['models']}"]
    if optimises(statements):
        options.append("--opt-mode=optN")
    control = clingo.Control(
        options, logger=lambda _code, said: messages.append(said), message_limit=_WARNINGS
    )
    _load(control, work, statements, heads)
    try:
        control.ground()
    except RuntimeError as fault:
        if "bad_alloc" in str(fault):
            raise MemoryError from fault
        raise refused_by_clingo(messages or [str(fault)]) from fault
    _solve(control, optimises(statements), messages, output)


def _load(
    control: clingo.Control, work: dict[str, Any], statements: list[Any], heads: list[Any]
) -> None:
    with control.backend() as backend:
        for name, *args in work["facts"]:
            terms = [clingo.Number(a) if isinstance(a, int) else clingo.String(a) for a in args]
            backend.add_rule([backend.add_atom(clingo.Function(name, terms))])
    lines = [f"#defined {name}/{arity}." for name, arity in work["known"]]
    lines += _show(statements, heads, work["show"])
    with ProgramBuilder(control) as builder:
        parse_string("\n".join([work["prelude"], *lines]), builder.add)
        for statement in statements:
            builder.add(statement)


def _show(statements: list[Any], heads: list[Any], wanted: list[Any]) -> list[str]:
    """Return what is shown: what the request names, else what the rules show, else what they
    define.
    """
    kinds = {statement.ast_type for statement in statements}
    if wanted:
        return ["#show.", *(f"#show {name}/{arity}." for name, arity in wanted)]
    if ASTType.ShowSignature in kinds:
        return []
    own = [] if ASTType.ShowTerm in kinds else heads
    return ["#show.", *(f"#show {name}/{arity}." for name, arity in own)]


def _solve(control: clingo.Control, optimising: bool, messages: list[str], output: _Output) -> None:
    with control.solve(yield_=True) as handle:
        for model in handle:
            atoms = [shown(s) for s in sorted(model.symbols(shown=True))]
            line = {"atoms": atoms, "cost": list(model.cost), "levels": list(model.priority)}
            proven = bool(model.optimality_proven) or not optimising
            output.write({"model": {**line, "proven": proven}})
        result = handle.get()
    end = {"exhausted": bool(result.exhausted), "satisfiable": bool(result.satisfiable)}
    output.write({"end": {**end, "messages": [in_lines(said) for said in messages]}})


def main() -> None:
    work = json.load(sys.stdin)
    output = _Output(work["output_bytes"])
    confine(work["memory_bytes"], work["cpu_s"])
    try:
        run(work, output)
    except RulesError as fault:
        words = {"message": fault.message, "place": fault.place, "mend": fault.mend}
        sys.stdout.write(json.dumps({"refused": words}) + "\n")
    except MemoryError:
        # no line buffer, no encoder: there may be nothing left to allocate from
        os.write(1, b'{"exceeded": "memory"}\n')
    except _Full:
        os.write(1, b'{"exceeded": "output"}\n')


if __name__ == "__main__":
    main()
