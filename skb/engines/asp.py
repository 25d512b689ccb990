"""Answer-set programs: an instance of typed atoms, an encoding from `rules/`, and clingo.

User text never becomes program text here: instances are symbols. What a user writes as rules runs
in a killable child (`skb.engines.query`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version

import clingo

from skb.decision import Limits
from skb.errors import RequestError, SkbError
from skb.resources import rules_file

Term = str | int | tuple["Term", ...]
Atom = tuple[str, tuple[Term, ...]]
INTEGER_MAX = 2**31 - 1
TUNED = ("--configuration=trendy", "--opt-strategy=usc,oll,stratify", "--opt-usc-shrink=min")


class EncodingError(SkbError):
    """Our rules do not ground, or clingo warns about them: an internal fault."""

    exit_code = 1
    http_status = 500
    kind = "encoding"


@dataclass(frozen=True, slots=True)
class Program:
    """An encoding (files below `rules/`) and an instance (atoms).

    Text terms become clingo strings, whole numbers clingo numbers; numbers beyond 31 bits are
    refused, because clingo wraps them silently.
    """

    files: tuple[str, ...]
    atoms: tuple[Atom, ...]

    @property
    def digest(self) -> str:
        return rules_digest(self.files)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What clingo found: the shown atoms of the best model, its cost by priority, and the proof.

    `satisfiable` is None where the limit came first; `bound` is the proven lower bound of the cost
    at the highest priority; `core` the assumptions that clash, where it is unsatisfiable.
    """

    satisfiable: bool | None
    proven: bool
    atoms: tuple[Atom, ...] = ()
    cost: tuple[int, ...] = ()
    bound: tuple[int, ...] = ()
    core: tuple[Atom, ...] = ()
    conflicts: int = 0


@cache
def engine_name() -> str:
    return f"clingo {version('clingo')}"


@cache
def rules_digest(files: tuple[str, ...]) -> str:
    """SHA-256 over the text of the encoding's files."""
    text = hashlib.sha256()
    for name in files:
        text.update(rules_file(name).read_bytes())
    return "sha256:" + text.hexdigest()


def symbol(term: Term) -> clingo.Symbol:
    """Turn a term into a symbol; raise `RequestError` for numbers beyond 31 bits."""
    if isinstance(term, tuple):
        return clingo.Tuple_([symbol(part) for part in term])
    if isinstance(term, str):
        return clingo.String(term)
    if not -INTEGER_MAX <= term <= INTEGER_MAX:
        raise RequestError(
            f"{term} is beyond 31 bits after scaling", mend="use smaller rates, sizes or latencies"
        )
    return clingo.Number(term)


def term(value: clingo.Symbol) -> Term:
    """Turn a symbol back; a constant such as `l3` becomes its name."""
    if value.type == clingo.SymbolType.Number:
        return value.number
    if value.type == clingo.SymbolType.String:
        return value.string
    if value.type == clingo.SymbolType.Function and value.name and not value.arguments:
        return value.name
    if value.type == clingo.SymbolType.Function:
        parts = tuple(term(part) for part in value.arguments)
        return (value.name, *parts) if value.name else parts
    return str(value)


class Model:
    """A grounded program that can be solved under assumptions, again and again.

    Raises `EncodingError` on any message of clingo: our own rules must ground without a warning.
    """

    def __init__(self, program: Program, options: Sequence[str] = TUNED, seed: int = 0) -> None:
        messages: list[str] = []
        arguments = [*options, f"--seed={seed}", "--parallel-mode=1"]
        self._control = clingo.Control(
            arguments, logger=lambda _code, text: messages.append(text), message_limit=20
        )
        # before the files: clingo warns about predicates that it sees first in the rules
        with self._control.backend() as backend:
            for name, args in program.atoms:
                atom = clingo.Function(name, [symbol(arg) for arg in args])
                backend.add_rule([backend.add_atom(atom)])
        for name in program.files:
            self._control.load(str(rules_file(name)))
        try:
            self._control.ground()
        except RuntimeError as fault:
            raise EncodingError("; ".join(messages) or str(fault)) from fault
        if messages:
            raise EncodingError("; ".join(messages))

    def atoms(self, name: str, arity: int) -> tuple[tuple[Term, ...], ...]:
        """Return the arguments of the ground atoms of a predicate that are facts."""
        found = self._control.symbolic_atoms.by_signature(name, arity)
        return tuple(
            tuple(term(arg) for arg in atom.symbol.arguments) for atom in found if atom.is_fact
        )

    def literals(self, atoms: Iterable[Atom]) -> dict[Atom, int]:
        """Return how the solver numbers ground atoms, for `possible`; others are missing."""
        known = self._control.symbolic_atoms
        found = {
            atom: known[clingo.Function(atom[0], [symbol(arg) for arg in atom[1]])]
            for atom in atoms
        }
        return {atom: entry.literal for atom, entry in found.items() if entry is not None}

    def possible(self, assumed: Sequence[int], limits: Limits) -> tuple[bool | None, list[int]]:
        """Tell whether literals can hold together, else those that clash; None at the limit.

        Nothing else is read from the solver, so that many small questions cost little.
        """
        solving = self._control.configuration.solve
        setattr(solving, "models", "1")  # noqa: B010
        setattr(solving, "solve_limit", str(max(1, limits.conflicts)))  # noqa: B010
        with self._control.solve(list(assumed), async_=True) as handle:
            if not _waited(handle, time.monotonic() + limits.seconds):
                handle.cancel()
            result = handle.get()
            core = list(handle.core()) if result.unsatisfiable else []
        return result.satisfiable, core

    def solve(
        self,
        assumptions: Iterable[tuple[Atom, bool]] = (),
        limits: Limits | None = None,
        *,
        models: int = 0,
        most: int | None = None,
    ) -> Outcome:
        """Solve under assumptions for the best model, or for so many `models`.

        `limits.conflicts` decides when to give up, `limits.seconds` is the fuse. Where `most` is
        given, models that cost more do not count.
        """
        control, spent = self._control, limits or Limits()
        setattr(control.configuration.solve, "models", str(models))  # noqa: B010
        mode = "opt" if most is None else f"opt,{most}"
        setattr(control.configuration.solve, "opt_mode", mode)  # noqa: B010
        setattr(  # noqa: B010
            control.configuration.solve, "solve_limit", str(max(1, spent.conflicts))
        )
        literals = {
            (clingo.Function(name, [symbol(arg) for arg in args]), truth): (name, args)
            for (name, args), truth in assumptions
        }
        try:
            return self._run(literals, spent, every=models == 0)
        except RuntimeError as fault:
            raise EncodingError(f"clingo gave up: {fault}") from fault

    def interrupt(self) -> None:
        """End a call of `solve` in another thread, or the next one at its beginning."""
        self._control.interrupt()

    def _run(
        self, literals: Mapping[tuple[clingo.Symbol, bool], Atom], spent: Limits, every: bool
    ) -> Outcome:
        shown: tuple[Atom, ...] = ()
        cost: tuple[int, ...] = ()
        deadline = time.monotonic() + spent.seconds
        with self._control.solve(list(literals), yield_=True, async_=True) as handle:
            while True:
                handle.resume()
                if not _waited(handle, deadline):
                    handle.cancel()
                    break
                model = handle.model()
                if model is None:
                    break
                shown = tuple(
                    (s.name, tuple(term(arg) for arg in s.arguments))
                    for s in model.symbols(shown=True)
                )
                cost = tuple(model.cost)
            result = handle.get()
            core = handle.core() if result.unsatisfiable else []
        return self._outcome(literals, result, shown, cost, every, core or [])

    def _outcome(
        self,
        literals: Mapping[tuple[clingo.Symbol, bool], Atom],
        result: clingo.SolveResult,
        shown: tuple[Atom, ...],
        cost: tuple[int, ...],
        every: bool,
        core: Sequence[int],
    ) -> Outcome:
        statistics = self._control.statistics
        lower = tuple(int(x) for x in statistics.get("summary", {}).get("lower", []))
        names = {
            atom.literal: atom.symbol
            for wanted, _truth in literals
            if (atom := self._control.symbolic_atoms[wanted]) is not None
        }
        clash = [
            literals[names[abs(lit)], lit > 0]
            for lit in core
            if abs(lit) in names and (names[abs(lit)], lit > 0) in literals
        ]
        done = bool(result.exhausted)
        return Outcome(
            satisfiable=True if shown or result.satisfiable else (False if done else None),
            proven=done and (every or not cost),
            atoms=shown,
            cost=cost,
            bound=cost if done and cost else lower,
            core=tuple(sorted(clash)),
            conflicts=int(statistics["solving"]["solvers"]["conflicts"]),
        )


def _waited(handle: clingo.SolveHandle, deadline: float) -> bool:
    """Wait for a model or the end until the deadline; a wait that ends early is begun again."""
    while not handle.wait(max(0.0, deadline - time.monotonic())):
        if time.monotonic() >= deadline:
            return False
    return True


def minimal_core(
    model: Model, named: Sequence[Atom], limits: Limits, first: Sequence[Atom] | None = None
) -> tuple[tuple[Atom, ...], bool]:
    """Return a subset-minimal set of assumptions that clash, and whether minimality is proven.

    Deletion with core refinement: each member is left out once; where the rest still clashes the
    new core replaces it. A call that meets the limit keeps its member and clears the flag; the
    seconds of the limits are those of all calls together.
    """
    deadline = time.monotonic() + limits.seconds

    def solved(atoms: Sequence[Atom]) -> Outcome:
        left = replace(limits, seconds=max(0.0, deadline - time.monotonic()))
        return model.solve([(atom, True) for atom in atoms], left, models=1)

    core = list(first if first is not None else named)
    if first is None:
        found = solved(named)
        if found.satisfiable is not False:
            return (), False
        core = list(found.core)
    exact = True
    for member in tuple(core):
        if member not in core:
            continue
        trial = [atom for atom in core if atom != member]
        found = solved(trial)
        if found.satisfiable is False:
            core = [atom for atom in trial if atom in found.core]
        elif found.satisfiable is None:
            exact = False
    return tuple(core), exact
