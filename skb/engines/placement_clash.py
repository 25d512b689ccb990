"""Which named rules clash: clingo's answer for a set of them, minimal where it can be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skb.decision import Limits
from skb.engines.asp import Model, Program

# many small questions: the other configurations prepare for a long search, and take 10 times as
# long where as many tasks as fit are kept apart
EXPLAINING = ("--configuration=tweety",)


# for each rule a name that it shares with those that could take its place in the whole set
Alike = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether rules can all be kept, None where the limit came first; if not, which clash.

    `exact` says that each rule of the clash was proven to be needed for it.
    """

    possible: bool | None
    rules: tuple[str, ...] = ()
    exact: bool = False


class Explainer:
    """A grounded explaining program that is asked about sets of rules, again and again."""

    def __init__(self, program: Program, rules: Sequence[str], limits: Limits) -> None:
        self._model = Model(program, EXPLAINING, limits.seed)
        numbers = self._model.literals([("act", (rule,)) for rule in rules])
        self._number = {str(atom[1][0]): number for atom, number in numbers.items()}
        self._limits = limits

    def first(self, rules: Sequence[str], deadline: float) -> Verdict:
        """Return whether the rules clash, with some clash that need not be minimal."""
        left = replace(self._limits, seconds=max(0.0, deadline - time.monotonic()))
        possible, core = self._model.possible([self._number[rule] for rule in rules], left)
        clash = set(core)
        named = tuple(rule for rule in rules if self._number[rule] in clash)
        return Verdict(possible, named, exact=possible is False and not named)

    def minimal(self, rules: Sequence[str], deadline: float, alike: Alike) -> Verdict:
        """Return whether the rules clash, with a minimal clash among them.

        Each member is left out once; where the rest still clashes, its clash replaces the old one.
        Of members that are `alike` in the clash one stands for all. A call that meets the limit
        keeps its member, which is then not proven to be needed.
        """
        found = self.first(rules, deadline)
        if found.possible is not False or not found.rules:
            return found
        core, exact = found.rules, True
        needed: set[str] = set()
        same = set(core) == set(rules)
        for member in found.rules:
            if member not in core or (same and alike.get(member, member) in needed):
                continue
            rest = self.first([rule for rule in core if rule != member], deadline)
            if rest.possible is False:
                core, same = rest.rules, False
            elif rest.possible is None:
                exact = False
            elif same:
                needed.add(alike.get(member, member))
        return Verdict(False, core, exact)


@dataclass(frozen=True, slots=True)
class Trial:
    """Work for a child process: whether all rules of a program clash, and which.

    The clash is minimal where `alike` is given, else the first that is found.
    """

    program: Program
    rules: tuple[str, ...]
    limits: Limits
    deadline: float
    alike: Alike | None = None

    def run(self) -> Verdict:
        explainer = Explainer(self.program, self.rules, self.limits)
        if self.alike is None:
            return explainer.first(self.rules, self.deadline)
        return explainer.minimal(self.rules, self.deadline, self.alike)
