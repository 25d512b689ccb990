"""Why nothing fits: the user's own constraints, as few as the rules can prove."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from skb.decision import Limits, Reason
from skb.engines.asp import INTEGER_MAX, Atom, Model, Program
from skb.engines.buffers_choice import Choice, choice
from skb.engines.buffers_clash import clash
from skb.engines.buffers_solve import quick
from skb.questions.buffers_instance import Instance

FILES = tuple(f"buffers/{part}.lp" for part in ("define", "guess", "check"))
# more options than this are not given to the rules: grounding cannot be interrupted
_OPTIONS, _SHARE = 4000, 0.8
# a part of a clash that the rules do not settle within so many conflicts is kept
_CONFLICTS = 1000
_CUT = Reason("limit", "the set may not be minimal: the limit was reached")
_LARGE = Reason("limit", "the set may not be minimal: it is too large to try all parts of it")


def refused(
    instance: Instance,
    problem: Choice | None,
    certain: bool,
    limits: Limits,
    deadline: float,
) -> tuple[Reason, ...]:
    """Return the constraints that clash, empty where no clash is known.

    `problem` is what the engine saw, None where a group has no option at all; `certain` says that
    nothing fits.
    """
    groups, resources = _narrowed(instance, problem)
    if groups is None:
        if not certain:
            return ()
        groups = range(len(instance.groups))
    known = set(instance.tightest) if resources is None else resources | _alone(instance, groups)
    if _count(instance, groups) > _OPTIONS:
        return (*_all(instance, groups, known), _LARGE)
    names = [reason.id for reason in _all(instance, groups, known)]
    spent = max(0.0, (deadline - time.monotonic()) * _SHARE)
    return _fewest(_Core(instance, groups, known, limits, time.monotonic() + spent), names)


def _fewest(core: _Core, names: Sequence[str]) -> tuple[Reason, ...]:
    """Leave out one constraint after the other where the rest still clashes."""
    kept, sure = list(names), True
    for name in reversed(names):
        if name not in kept:
            continue
        trial = [one for one in kept if one != name]
        verdict, clashing = core.clashes(trial)
        if verdict:
            kept = [one for one in trial if one in clashing]
        elif verdict is None:
            sure = False
    reasons = core.instance.reasons
    return (*(reasons[name] for name in sorted(kept)), *([] if sure else [_CUT]))


class _Core:
    """Tells whether some constraints clash: a quick answer of the engine says no, a certificate or
    the rules say yes.
    """

    def __init__(
        self,
        instance: Instance,
        groups: Sequence[int],
        known: set[str],
        limits: Limits,
        deadline: float,
    ) -> None:
        self.instance, self.groups, self.deadline = instance, groups, deadline
        self.limits = replace(limits, conflicts=min(limits.conflicts, _CONFLICTS), begun=None)
        self._atoms = _atoms(instance, groups, known)[0]
        self._model: Model | None = None

    def clashes(self, names: Sequence[str]) -> tuple[bool | None, frozenset[str]]:
        """Return whether constraints clash, and which of them; None where nobody can tell."""
        kept = frozenset(names)
        if time.monotonic() > self.deadline:
            return None, kept
        part = self._part(kept)
        if part is None:
            return True, kept
        if not part.groups or quick(part).picked is not None:
            return False, kept
        if clash(part, families_of(self._known(kept))) is not None:
            return True, kept
        if time.monotonic() > self.deadline:
            return None, kept
        if self._model is None:
            self._model = Model(Program(FILES, tuple(self._atoms)), seed=self.limits.seed)
        left = replace(self.limits, seconds=max(0.0, self.deadline - time.monotonic()))
        acts: list[tuple[Atom, bool]] = [(("act", (name,)), True) for name in names]
        outcome = self._model.solve(acts, left, models=1)
        if outcome.satisfiable is None:
            return None, kept
        if outcome.satisfiable:
            # the rules see amounts rounded down: what fits there may not fit truly
            return (False if self._exact() else None), kept
        return True, frozenset(str(args[0]) for _, args in outcome.core)

    def _known(self, kept: frozenset[str]) -> list[str]:
        return sorted({one.resource for one in self.instance.limits if one.id in kept})

    def _exact(self) -> bool:
        steps = _steps(self.instance, self.groups, set(self.instance.tightest))
        return all(steps[name] == self.instance.steps[name] for name in steps)

    def _part(self, kept: frozenset[str]) -> Choice | None:
        """Return the engine's choice under some constraints, amounts rounded up; None where a ring
        has no place left.
        """
        instance = self.instance
        steps, tightest = instance.steps, dict[str, Fraction]()
        for limit in instance.limits:
            if limit.id in kept:
                least = tightest.get(limit.resource, limit.limit)
                tightest[limit.resource] = min(least, limit.limit)
        number = {resource: at for at, resource in enumerate(sorted(tightest))}
        groups = []
        for at in self.groups:
            blocks = []
            for block in instance.groups[at].blocks:
                pieces = [
                    [
                        (0, {number[r]: int(-(-a // steps[r])) for r, a in uses.items()})
                        for option in piece.options
                        if kept.isdisjoint(option.bars)
                        for uses in [{r: a for r, a in option.uses.items() if r in tightest}]
                        if all(a <= tightest[r] for r, a in uses.items())
                    ]
                    for piece in block.pieces
                    if f"flow:{instance.flows[piece.flow].name}" in kept
                ]
                if all(pieces):
                    blocks.append(pieces)
            if not blocks:
                return None
            if blocks[0]:
                groups.append(blocks)
        return choice(groups, [int(tightest[r] // steps[r]) for r in sorted(tightest)])


def satisfiable(instance: Instance, limits: Limits, deadline: float) -> bool | None:
    """Ask the rules whether anything fits; None where they do not say in time."""
    groups = range(len(instance.groups))
    if _count(instance, groups) > _OPTIONS or time.monotonic() >= deadline:
        return None
    atoms, names = _atoms(instance, groups, set(instance.tightest))
    left = replace(limits, seconds=max(0.0, deadline - time.monotonic()), begun=None)
    acts: list[tuple[Atom, bool]] = [(("act", (name,)), True) for name in names]
    model = Model(Program(FILES, tuple(atoms)), seed=limits.seed)
    return model.solve(acts, left, models=1).satisfiable


def _narrowed(
    instance: Instance, problem: Choice | None
) -> tuple[Sequence[int] | None, set[str] | None]:
    """Return groups and resources that surely clash: one without options, or by certificate."""
    if problem is None:
        for number, group in enumerate(instance.groups):
            alive = any(
                all(any(instance.allowed(o) for o in p.options) for p in block.pieces)
                for block in group.blocks
            )
            if not alive:
                return [number], None
        return None, None
    found = clash(problem, families_of(sorted(instance.tightest)))
    if found is None:
        return None, None
    names = sorted(instance.tightest)
    return found.groups, {names[r] for r in found.resources}


def families_of(resources: Sequence[str]) -> list[list[int]]:
    """Return the positions of resources of one kind: memories, controllers, links, PUs."""
    found: dict[str, list[int]] = defaultdict(list)
    for position, resource in enumerate(resources):
        found[resource.partition(" ")[0]].append(position)
    return [found[kind] for kind in sorted(found)]


def _alone(instance: Instance, groups: Sequence[int]) -> set[str]:
    """Return the resources of which some option of the groups alone takes too much."""
    return {
        resource
        for number in groups
        for block in instance.groups[number].blocks
        for piece in block.pieces
        for option in piece.options
        for resource, amount in option.uses.items()
        if amount > instance.tightest.get(resource, amount)
    }


def _count(instance: Instance, groups: Sequence[int]) -> int:
    return sum(
        len(piece.options)
        for number in groups
        for block in instance.groups[number].blocks
        for piece in block.pieces
    )


def _all(instance: Instance, groups: Sequence[int], known: set[str]) -> list[Reason]:
    """Return every constraint of groups and resources."""
    names = {
        f"flow:{instance.flows[flow].name}"
        for number in groups
        for flow in instance.groups[number].flows
    }
    names |= {
        bar
        for number in groups
        for block in instance.groups[number].blocks
        for piece in block.pieces
        for option in piece.options
        for bar in option.bars
    }
    names |= {limit.id for limit in instance.limits if limit.resource in known}
    return [instance.reasons[name] for name in sorted(names)]


def _atoms(
    instance: Instance, groups: Sequence[int], known: set[str]
) -> tuple[list[Atom], list[str]]:
    """Return the atoms of `rules/buffers/define.lp` and the names of the constraints."""
    steps = _steps(instance, groups, known)
    found: list[Atom] = []
    names: set[str] = set()
    for number in groups:
        group = instance.groups[number]
        for flow in group.flows:
            name = instance.flows[flow].name
            found.append(("wanted", (f"flow:{name}", name)))
            names.add(f"flow:{name}")
        for at, block in enumerate(group.blocks):
            found += [("block", (instance.flows[f].name, number, at)) for f in group.flows]
            for position, piece in enumerate(block.pieces):
                key = (number, at, position)
                flow_name = instance.flows[piece.flow].name
                found.append(("piece", (key, flow_name, number, at)))
                for place, option in enumerate(piece.options):
                    found.append(("option", (key, place)))
                    found += [("bars", (bar, key, place)) for bar in option.bars]
                    names.update(option.bars)
                    for resource, amount in option.uses.items():
                        whole = int(amount // steps[resource]) if resource in steps else 0
                        if whole:
                            found.append(("uses", (key, place, resource, whole)))
    for limit in instance.limits:
        if limit.resource in steps:
            value = min(INTEGER_MAX, int(limit.limit // steps[limit.resource]))
            found.append(("capacity", (limit.id, limit.resource, value)))
            names.add(limit.id)
    found += [("constraint", (name,)) for name in sorted(names)]
    return found, sorted(names)


def _steps(instance: Instance, groups: Sequence[int], known: set[str]) -> dict[str, Fraction]:
    """Return what one whole amount stands for, so that all sums fit 31 bits."""
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for number in groups:
        for block in instance.groups[number].blocks:
            for piece in block.pieces:
                top: dict[str, Fraction] = {}
                for option in piece.options:
                    for resource, amount in option.uses.items():
                        top[resource] = max(amount, top.get(resource, amount))
                for resource, amount in top.items():
                    sums[resource] += amount
    most = INTEGER_MAX // 2
    return {name: max(instance.steps[name], sums[name] / most) for name in sorted(known)}
