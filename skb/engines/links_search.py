"""Local improvement of a table: one next hop at a time, no cycle of dependencies ever closed.

Simulated annealing on what links carry above a target, steps counted, so that a seed decides the
result. All messages that one node forwards to one destination move together.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable

from skb.engines.links_net import Net, Table, outwards, price

LOOK = 64  # steps between two looks at the clock


class _State:
    """A table that changes, with its loads and its dependencies by virtual channel."""

    def __init__(self, net: Net, table: Table) -> None:
        self.net = net
        self.ahead = [list(row) for row in table.ahead]
        self.channel = list(table.channel)
        self.slowed = [0] * len(net.arcs)
        self.through = [[net.weight[s][d] for s in range(net.size)] for d in range(net.size)]
        self.waits: list[dict[int, dict[int, int]]] = [
            defaultdict(dict) for _ in range(table.channels)
        ]
        for d, ahead in enumerate(self.ahead):
            through = self.through[d]
            for s in reversed(outwards(ahead, d)[1:]):
                n = ahead[s]
                arc = net.number[s, n]
                self.slowed[arc] += through[s] * net.slow[arc]
                through[n] += through[s]
                if n != d:
                    self._wait(d, arc, net.number[n, ahead[n]], 1)

    def _wait(self, d: int, arc: int, then: int, more: int) -> bool:
        """Count a dependency up or down; tell whether it is new."""
        row = self.waits[self.channel[d]][arc]
        count = row.get(then, 0) + more
        if count:
            row[then] = count
        else:
            del row[then]
        return count == more

    def _closes(self, d: int, arc: int, then: int) -> bool:
        """Tell whether a dependency lies on a cycle."""
        waits = self.waits[self.channel[d]]
        seen = {then}
        todo = [then]
        while todo:
            at = todo.pop()
            if at == arc:
                return True
            for other in waits.get(at, ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return False

    def way(self, d: int, s: int, n: int) -> list[int]:
        """Return the arcs from s over n to d; empty where they come back to s."""
        net, ahead = self.net, self.ahead[d]
        found = [net.number[s, n]]
        while n != d:
            if n == s:
                return []
            found.append(net.number[n, ahead[n]])
            n = ahead[n]
        return found

    def turn(self, d: int, s: int, n: int) -> bool:
        """Let s forward to n what goes to d; leave all as it was where that closes a cycle."""
        old = self.ahead[d][s]
        if self._relink(d, s, n):
            return True
        self._relink(d, s, old)
        return False

    def _relink(self, d: int, s: int, n: int) -> bool:
        """Change one next hop in tree and dependencies; tell whether no cycle was closed."""
        net, ahead = self.net, self.ahead[d]
        old = ahead[s]
        behind = [net.number[c, s] for c in net.before[s] if ahead[c] == s]
        gone = net.number[s, old]
        for arc in behind:
            self._wait(d, arc, gone, -1)
        if old != d:
            self._wait(d, gone, net.number[old, ahead[old]], -1)
        ahead[s] = n
        come = net.number[s, n]
        fresh = [(arc, come) for arc in behind if self._wait(d, arc, come, 1)]
        if n != d:
            then = net.number[n, ahead[n]]
            if self._wait(d, come, then, 1):
                fresh.append((come, then))
        return not any(self._closes(d, arc, then) for arc, then in fresh)

    def shift(self, d: int, way: list[int], amount: int) -> None:
        """Add an amount to the arcs of a way, and to what their ends forward behind the first."""
        net, through = self.net, self.through[d]
        for at, arc in enumerate(way):
            self.slowed[arc] += amount * net.slow[arc]
            if at:
                through[net.arcs[arc][0]] += amount

    def table(self) -> Table:
        return Table(tuple(tuple(row) for row in self.ahead), tuple(self.channel))


def improved(
    net: Net, table: Table, target: int, steps: int, seed: int, spent: Callable[[], bool]
) -> Table:
    """Return the best table that so many steps find; it ends where no arc is above the target.

    Tables that need not be minimal go on to shorten ways.
    """
    best, worth = table, price(net, table)
    if worth[0] <= target and net.minimal:
        return best
    state = _State(net, table)
    draw = random.Random(seed)
    unit = _unit(net)
    shorter = 0 if net.minimal else 1
    excess = sum(max(0, cost - target) ** 2 for cost in state.slowed)
    total = worth[1]
    for step in range(steps):
        if step % LOOK == 0 and spent():
            break
        heat = 2.0 * unit * unit * max(1e-6, 1 - step / steps) ** 2
        move = _proposed(state, target, draw)
        if move is None:
            continue
        d, s, n = move
        new = state.way(d, s, n)
        if not new:
            continue
        old = state.way(d, s, state.ahead[d][s])
        amount = state.through[d][s]
        rise, longer = _difference(state, old, new, amount, target)
        delta = rise + shorter * longer * unit
        if delta > 0 and draw.random() >= math.exp(-delta / heat):
            continue
        if not state.turn(d, s, n):
            continue
        state.shift(d, old, -amount)
        state.shift(d, new, amount)
        excess += rise
        total += longer
        now = max(state.slowed) if excess else min(target, max(state.slowed))
        if (now, total) < worth:
            best, worth = state.table(), (now, total)
            if now <= target and net.minimal:
                break
    return best


def _unit(net: Net) -> int:
    """Return a typical amount: what one pair puts on one link."""
    amounts = sorted(w for row in net.weight for w in row if w)
    middle = amounts[len(amounts) // 2] if amounts else 1
    return max(1, middle * sorted(net.slow)[len(net.slow) // 2])


def _proposed(state: _State, target: int, draw: random.Random) -> tuple[int, int, int] | None:
    """Return a destination, a node and another next hop: of a link that carries too much."""
    net = state.net
    over = [arc for arc, cost in enumerate(state.slowed) if cost > target]
    if over and draw.random() < 0.8:
        s, n = net.arcs[draw.choice(over)]
        goals = [
            d
            for d in range(net.size)
            if d != s and state.ahead[d][s] == n and len(net.steps[d][s]) > 1
        ]
        if not goals:
            return None
        d = draw.choice(goals)
    else:
        s, d = draw.randrange(net.size), draw.randrange(net.size)
        if s == d or len(net.steps[d][s]) < 2:
            return None
    other = draw.choice([n for n in net.steps[d][s] if n != state.ahead[d][s]])
    return d, s, other


def _difference(
    state: _State, old: list[int], new: list[int], amount: int, target: int
) -> tuple[int, int]:
    """Return how the squared excess and the sum of loads would change."""
    slow, slowed = state.net.slow, state.slowed
    gone, come = set(old), set(new)
    rise = longer = 0
    for arc in gone - come:
        less = amount * slow[arc]
        rise += max(0, slowed[arc] - less - target) ** 2 - max(0, slowed[arc] - target) ** 2
        longer -= less
    for arc in come - gone:
        more = amount * slow[arc]
        rise += max(0, slowed[arc] + more - target) ** 2 - max(0, slowed[arc] - target) ** 2
        longer += more
    return rise, longer
