"""The cheapest choice of domains and coordinator for one object, with a bound.

Without limits on numbers of replicas one pass of the dynamic programme prices every coordinator;
with them the choice is solved by number of replicas, coordinators with the least bound first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from skb.engines.replicas_tree import INFINITE, Counted, cheapest, chosen, forced
from skb.questions.replicas_instance import LEVELS
from skb.questions.replicas_price import (
    WAYS,
    Between,
    Case,
    Inside,
    between,
    inside,
    largest,
    quantum,
    rounded,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Spent = Callable[[], bool]


@dataclass(frozen=True)
class Wishes:
    """What the answer must keep to, by the name of the user's constraint.

    `caps` are replicas that the memory at a node of the tree holds, `roomless` nodes whose memory
    holds none; `must` are nodes that are domains, `only` the choice that a level leaves, `seats`
    the places where the coordinator may be.
    """

    seats: tuple[int, ...]
    ways: tuple[str, ...] = WAYS
    must: tuple[int, ...] = ()
    only: tuple[int, ...] | None = None
    least: int = 1
    most: int | None = None
    max_read_ns: float | None = None
    max_update_ns: float | None = None
    caps: Mapping[int, int] = field(default_factory=dict)
    roomless: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Choice:
    """Domains (nodes), how each shares its replica, the coordinator's place, what it costs."""

    nodes: tuple[int, ...]
    ways: tuple[str, ...]
    seat: int
    value: float


class Priced:
    """An object's prices under its wishes, for each node and coordinator.

    `known` are the prices of the same object under other wishes.
    """

    def __init__(self, case: Case, wishes: Wishes, known: Priced | None = None) -> None:
        self.case, self.wishes = case, wishes
        self.tree = case.at.tree
        self.inner: Mapping[str, Inside] = (
            known.inner if known else {way: inside(case, way) for way in WAYS}
        )
        same = known is not None and known.wishes.seats == wishes.seats
        self.between: Between = known.between if known and same else between(case, wishes.seats)

    @cached_property
    def step(self) -> float:
        """What prices are rounded to.

        What is dearer than one replica per part of some level is never chosen and does not count.
        """
        import numpy as np

        own = np.minimum(*(self.inner[way].price for way in WAYS))
        cuts = [list(cut) for level in LEVELS if (cut := self.case.at.cut(level))]
        sums = [float((own[cut].sum() + self.between.price[cut].sum(axis=0)).min()) for cut in cuts]
        known = [value for value in sums if 0 < value < INFINITE]
        if known:
            return quantum(min(known))
        prices = [self.inner[way].price for way in WAYS]
        return quantum(*(largest(price) for price in (*prices, self.between.price)))

    @cached_property
    def inside(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The price of each node without messages, and which way of sharing has it."""
        return combined(self.case, self.wishes, self.inner, self.step)

    @cached_property
    def messages(self) -> NDArray[Any]:
        """The price of the messages of each node by coordinator."""
        return rounded(self.between.price, self.step)

    @cached_property
    def prices(self) -> NDArray[Any]:
        """The price of each node by coordinator."""
        found: NDArray[Any] = self.inside[0][:, None] + self.messages
        found[self.between.load >= 1] = INFINITE
        if self.wishes.max_update_ns is not None and self.case.updates.sum() > 0:
            found[self._late()] = INFINITE
        return found

    def _late(self) -> Any:
        """Return where an update surely comes too late, whatever the tree of messages.

        What another domain takes part in waits for a message to it, its own work and a message
        back; who asks sends a message to the coordinator besides.
        """
        import numpy as np

        at, leader = self.case.at, self.between.leader
        seat = np.array(self.wishes.seats)
        away = np.where(np.eye(len(at.pus), dtype=bool), np.inf, at.one_way)
        inbound, outbound = away.min(axis=0), away.min(axis=1)
        there = at.one_way[leader, seat[None, :]]
        late = np.zeros(leader.shape)
        for number, stream in enumerate(self.case.streams):
            if stream.total > 0:
                tables = [self.inner[way] for way in self.wishes.ways]
                own = np.minimum.reduce([row.service[number] + row.wait for row in tables])
                asks = self.case.by_node(stream.rate)[:, None] > 0
                late = np.maximum(late, own[:, None] + np.where(asks, there, 0.0))
        late = late + inbound[leader] + outbound[leader]
        return (leader != seat[None, :]) & (late > self.wishes.max_update_ns)

    # ------------------------------------------------------------ choices
    @cached_property
    def best(self) -> NDArray[Any]:
        return cheapest(self.tree, self.prices)

    def choice(self, column: int, nodes: Sequence[int]) -> Choice:
        """Return a choice with its price."""
        nodes = tuple(sorted(nodes, key=lambda node: self.case.at.begin[node]))
        value = float(self.prices[list(nodes), column].sum())
        picked = self.inside[1]
        ways = tuple(WAYS[int(picked[node])] for node in nodes)
        return Choice(nodes, ways, self.wishes.seats[column], value)

    def keeps(self, nodes: Sequence[int]) -> bool:
        """Whether a choice has as many domains as it may, everywhere."""
        wishes, at = self.wishes, self.case.at
        if not wishes.least <= len(nodes) <= (wishes.most or len(nodes)):
            return False
        return all(
            sum(at.begin[cap] <= at.begin[n] and at.end[n] <= at.end[cap] for n in nodes) <= most
            for cap, most in wishes.caps.items()
        )

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """One coordinator of those whose trees of prices are alike, by their bound."""
        import numpy as np

        values = self.best[0]
        order = np.argsort(values, kind="stable").tolist()
        alike = self._alike()
        first: dict[int, int] = {}
        for column in order:
            if np.isfinite(values[column]):
                first.setdefault(int(alike[column]), column)
        return tuple(first.values())

    def _alike(self) -> Any:
        """Return a number for each coordinator, equal where sorting children makes trees equal."""
        import numpy as np

        caps = np.zeros(self.tree.size, dtype=np.uint64)
        for node, most in self.wishes.caps.items():
            caps[node] = most + 1
        found = _mixed(self.prices.view(np.uint64) + caps[:, None] * np.uint64(0x9E3779B97F4A7C15))
        for low, high, parents, begins in self.tree.layers:
            sums = np.add.reduceat(found[low:high], begins, axis=0)
            found[parents] = _mixed(found[parents] * np.uint64(3) + sums)
        return found[0]

    def counted(self, column: int) -> Counted:
        most = min(self.wishes.most or len(self.case.at.pus), len(self.case.at.pus))
        prices = self.prices[:, column].copy()
        return Counted(self.tree, prices, most, self.wishes.caps)

    def solve(self, spent: Spent) -> tuple[Choice | None, float]:
        """Return the cheapest choice, and a bound of every choice: infinity where there is none.

        No choice with a bound below infinity means that the time was over.
        """
        import numpy as np

        first = int(self.best[0].argmin())
        if not np.isfinite(self.best[0, first]) or self._crowded:
            return None, INFINITE
        nodes = chosen(self.tree, self.prices[:, first], self.best[:, first])
        if self.keeps(nodes):
            found = self.choice(first, nodes)
            return found, found.value
        found_best: Choice | None = None
        bound = INFINITE
        hopeless: set[bytes] = set()
        for column in self.columns:
            least = float(self.best[0, column])
            if found_best is not None and least >= found_best.value:
                break
            known = found_best is not None or column != first
            if known and spent():
                bound = min(bound, least)
                break
            may = np.isfinite(self.prices[:, column]).tobytes()
            if may in hopeless:
                continue
            table = self.counted(column)
            values = table.values[self.wishes.least :]
            if len(values) and min(values) < INFINITE:
                many = self.wishes.least + int(values.argmin())
                one = self.choice(column, table.choice(many))
                if found_best is None or one.value < found_best.value:
                    found_best = one
            else:
                # whoever coordinates, the same parts may be chosen
                hopeless.add(may)
        if found_best is None:
            return None, bound
        return found_best, min(bound, found_best.value)

    @property
    def _crowded(self) -> bool:
        """Whether there are to be more domains than there may or can be."""
        wishes, users = self.wishes, len(self.case.at.pus)
        return wishes.least > min(users, wishes.most or users, wishes.caps.get(0, users))

    def others(self, most: int, spent: Spent) -> list[Choice]:
        """Return the cheapest choice of each number of domains, cheapest first."""
        rows: list[Choice] = []
        for column in self.columns[:most]:
            if rows and spent():
                break
            table = self.counted(column)
            rows += [
                self.choice(column, table.choice(k))
                for k in range(self.wishes.least, len(table.values))
                if table.values[k] < INFINITE
            ]
        return sorted(rows, key=lambda row: (row.value, len(row.nodes), row.seat))


def combined(
    case: Case, wishes: Wishes, inner: Mapping[str, Inside], step: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the least price of each node over the ways of sharing that may be, and which."""
    import numpy as np

    rows = []
    for way in WAYS:
        table = inner[way]
        price = rounded(table.price, step)
        if way not in wishes.ways:
            price = np.where(case.size == 1, price, INFINITE)
        if wishes.max_read_ns is not None:
            price = np.where(table.read_ns > wishes.max_read_ns, INFINITE, price)
        if wishes.max_update_ns is not None:
            price = np.where(table.update_ns > wishes.max_update_ns, INFINITE, price)
        rows.append(price)
    both = np.array(rows)
    price = both.min(axis=0)
    may = forced(case.at.tree, wishes.must)
    if wishes.only is not None:
        may &= np.isin(np.arange(case.at.tree.size), wishes.only)
    may[list(wishes.roomless)] = False
    return np.where(may, price, INFINITE), both.argmin(axis=0)


def _mixed(numbers: Any) -> Any:
    """Return well-spread 64-bit numbers (the finaliser of splitmix64)."""
    import numpy as np

    with np.errstate(over="ignore"):
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return numbers ^ (numbers >> np.uint64(31))


__all__ = ["Between", "Choice", "Priced", "Spent", "Wishes", "combined"]
