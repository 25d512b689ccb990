"""What the rules say about a route's request: barred pairs, a tree, or what clashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skb.decision import Limits
from skb.engines.asp import Atom, Model, Program, Term, minimal_core

FILES = ("route/input.lp", "route/admissible.lp", "route/tree.lp")
_ADMISSIBLE, _TREE = FILES[:2], (FILES[0], FILES[2])
_CONSTRAINTS = ("forbid", "require", "max_fan_out", "root", "forbid_link", "max_link_load")


@dataclass(frozen=True, slots=True)
class Admissible:
    """The ground instance: ordered pairs that are never used, and PUs that cannot be the root."""

    barred: frozenset[tuple[int, int]]
    barred_roots: frozenset[int]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a tree exists (None: not known within the limit), one such tree, or what clashes.

    `sends` are its pairs; `clash` holds the request's constraints as `(name, numbers…)`, and
    `minimal` says whether none of them can be left out.
    """

    exists: bool | None
    root: int = -1
    sends: tuple[tuple[int, int], ...] = ()
    clash: tuple[tuple[Term, ...], ...] = ()
    minimal: bool = False


def admissible(atoms: Sequence[Atom]) -> Admissible:
    """Derive what the request bars."""
    model = Model(Program(_ADMISSIBLE, tuple(atoms)))
    return Admissible(
        frozenset((_number(u), _number(v)) for u, v in model.atoms("barred", 2)),
        frozenset(_number(u) for (u,) in model.atoms("barred_root", 1)),
    )


def verdict(atoms: Sequence[Atom], limits: Limits) -> Verdict:
    """Return a tree that keeps to all constraints, or a minimal set of those that clash."""
    members = {args[0] for name, args in atoms if name == "member"}
    named: list[Atom] = [
        ("act", ((name, *args),))
        for name, args in atoms
        if name in _CONSTRAINTS and (name != "forbid" or set(args) <= members)
    ]
    model = Model(Program(_TREE, tuple(atoms)), seed=limits.seed)
    found = model.solve([(atom, True) for atom in named], limits, models=1)
    if found.satisfiable is None:
        return Verdict(None)
    if found.satisfiable:
        sends = [args for name, args in found.atoms if name == "sends"]
        top = next(args[0] for name, args in found.atoms if name == "top")
        pairs = tuple(sorted((_number(u), _number(v)) for u, v in sends))
        return Verdict(True, _number(top), pairs)
    core, minimal = minimal_core(model, named, limits, found.core)
    clash = [args[0] for _, args in core]
    return Verdict(False, clash=tuple(c for c in clash if isinstance(c, tuple)), minimal=minimal)


def _number(term: Term) -> int:
    if not isinstance(term, int):
        raise TypeError(f"the rules gave {term!r} for a PU")
    return term
