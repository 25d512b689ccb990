"""What is there when parts are off: the judge's own plain walk over containment and links."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

from skb.machine import Machine

LINK = "link:"
_SIDE = {"machine", "package", "die", "group", "core", "pu", "l5", "l4", "l3", "l2", "l1d"}
_SIDE |= {"l1i", "l2i", "l3i"}
_CARRY = {"machine", "package", "die", "group"}
_IO = {"bridge", "pci", "device"}


def kind(name: str) -> str:
    """Return the kind of a part."""
    return name.split(":", 1)[0]


class Floor:
    """The parts of a machine, with the states that facts give them."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.parent = {str(f.args[1]): str(f.args[0]) for f in machine.facts_of("contains")}
        self.parts = {"machine:0", *self.parent}
        self.links = {
            (str(f.args[0]), str(f.args[1]))
            for f in machine.facts_of("link")
            if f.args[0] != f.args[1] and {f.args[0], f.args[1]} <= self.parts
        }
        self.facts: dict[str, set[str]] = {}
        for predicate in ("power", "presence"):
            for fact in machine.facts_of(predicate):
                if fact.args[1] not in ("on", "present"):
                    self.facts.setdefault(str(fact.args[0]), set()).add(str(fact.args[1]))

    @cached_property
    def ends(self) -> frozenset[str]:
        """The ends of links."""
        return frozenset(end for link in self.links for end in link)

    @cached_property
    def side(self) -> frozenset[str]:
        """The parts of the processor side."""
        return frozenset(name for name in self.parts if kind(name) in _SIDE)

    @cached_property
    def downwards(self) -> tuple[str, ...]:
        """The parts, each after what it is in."""
        return tuple(sorted(self.parts, key=lambda name: len(self.chain(name))))

    def chain(self, name: str) -> list[str]:
        """Return a part and what is around it, the machine last."""
        found = [name]
        while found[-1] in self.parent:
            found.append(self.parent[found[-1]])
        return found

    def stops(self, outer: str, name: str) -> bool:
        """Tell whether a core, cache or PU is around a part of the processor side, or is it."""
        chain = self.chain(name)
        if outer not in chain or kind(outer) in _CARRY or outer not in self.side:
            return False
        return all(at in self.side for at in chain[: chain.index(outer)])

    def broken(self, off: Iterable[str]) -> set[frozenset[str]]:
        """Return the links among what goes."""
        names = {name for name in off if name.startswith(LINK) and name not in self.parts}
        return {
            frozenset((a, b))
            for a, b in self.links
            if f"{LINK}{a}-{b}" in names or f"{LINK}{b}-{a}" in names
        }

    def there(
        self,
        off: Collection[str],
        home: str | None = None,
        back: Collection[str] = (),
    ) -> tuple[set[str], str]:
        """Return the parts that can be used with more of them off, and the home that was taken.

        `home` is where the walk over links starts; without it the piece with the most running PUs.
        Those of `back` have come up whatever the facts say.
        """
        states = {name: words for name, words in self.facts.items() if name not in back}
        states = {**states, **{name: {"off"} for name in off if name in self.parts}}
        broken = self.broken(off)
        tree = self._hang(states, set())
        spared = {
            name
            for name in self.parts - tree
            if kind(name) in _IO
            and any(host in tree for host in self._hosts(name, broken))
            and not self._kills(name, states)
        }
        has = self._hang(states, spared) if spared else tree
        runs = self._run(has, states)
        standing = {
            (a, b) for a, b in self.links if {a, b} <= has and frozenset((a, b)) not in broken
        }
        home = self._home(standing, has, runs) if home is None else home
        lost: set[str] = set()
        if home and (len(has) < len(self.parts) or broken):
            for turn in (False, True):
                once = self._walk(home, _turned(self.links, turn))
                now = self._walk(home, _turned(standing, turn))
                lost |= (once & has & self.ends) - now
            # whom a link joins to home has that way when what it hangs on is cut off
            also = {n for n in tree & self.ends - lost if kind(n) in _IO}
            spared |= {n for n in also if any(h in tree for h in self._hosts(n, broken))}
            lost = {name for name in lost if kind(name) not in _IO or name in spared}
        if not lost:
            return runs, home
        cut: set[str] = set()
        for name in self.downwards:
            if name in lost or (name not in spared and self.parent.get(name) in cut):
                cut.add(name)
        return runs - cut, home

    def _kills(self, name: str, states: Mapping[str, set[str]]) -> bool:
        words = states.get(name, set())
        if kind(name) not in _SIDE:
            return bool(words)
        if kind(name) == "machine" and "sleep" in words:
            return True
        return kind(name) in _CARRY and bool(words & {"off", "absent"})

    def _hang(self, states: Mapping[str, set[str]], spared: Collection[str]) -> set[str]:
        """Return what hangs on nothing that takes it along; what is spared has another way."""
        taken = {name for name in states if self._kills(name, states)}
        if not taken:
            return set(self.parts)
        found: set[str] = set()
        for name in self.downwards:
            above = name == "machine:0" or name in spared or self.parent[name] in found
            if above and name not in taken:
                found.add(name)
        return found

    def _run(self, has: Collection[str], states: Mapping[str, set[str]]) -> set[str]:
        """Return those of what hangs on that no part of the processor side around them stops."""
        stopped: set[str] = set()
        if any(name in self.side for name in states):
            for name in self.downwards:
                if name in self.side and (name in states or self.parent.get(name) in stopped):
                    stopped.add(name)
        return set(has) - stopped

    def _hosts(self, name: str, broken: Collection[frozenset[str]]) -> list[str]:
        return [
            a
            for a, b in self.links
            if b == name and (b, a) in self.links and kind(a) in _SIDE
            if a not in self.chain(b)
            if frozenset((a, b)) not in broken
        ]

    def _walk(self, start: str, links: Iterable[tuple[str, str]]) -> set[str]:
        after: dict[str, list[str]] = {}
        for a, b in links:
            after.setdefault(a, []).append(b)
        found, todo = {start}, [start]
        while todo:
            for end in after.get(todo.pop(), ()):
                if end not in found:
                    found.add(end)
                    todo.append(end)
        return found

    def _home(
        self, standing: Collection[tuple[str, str]], has: Collection[str], runs: Collection[str]
    ) -> str:
        """Return the first part of the piece with the most running PUs, by number, then name."""
        pus = [name for name in runs if kind(name) == "pu"]
        inside: dict[str, int] = {}
        for pu in pus:
            for at in self.chain(pu):
                if at in self.ends:
                    inside.setdefault(at, 0)
                    inside[at] += 1
        best: tuple[int, int, str] | None = None
        turned = _turned(standing, True)
        left = {name for name in self.ends if name in has}
        while left:
            start = min(left)
            piece = self._walk(start, standing) & self._walk(start, turned)
            left -= piece
            side = [name for name in piece if kind(name) in _SIDE]
            if side:
                number, name = min((_number(name), name) for name in side)
                best = min(best or (1, 0, ""), (-self._count(piece, inside, pus), number, name))
        return best[2] if best else ""

    def _count(self, piece: Collection[str], inside: Mapping[str, int], pus: Iterable[str]) -> int:
        nested = any(at in piece for name in piece for at in self.chain(name)[1:])
        if not nested:
            return sum(inside.get(name, 0) for name in piece)
        return sum(any(at in piece for at in self.chain(pu)) for pu in pus)


def _turned(links: Iterable[tuple[str, str]], back: bool) -> set[tuple[str, str]]:
    return {(b, a) if back else (a, b) for a, b in links}


def _number(name: str) -> int:
    index = name.split(":", 1)[1]
    return int(index) if index.isdigit() else -1
