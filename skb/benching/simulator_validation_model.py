"""The one model behind `skb bench simulator --suite validation`, and how a statement is judged.

Three rules, the same for every machine, beside docs/message-model.md. All say that a core has two
transfers of lines under way at a time, and that a store is a transfer too:

1. A further send in a burst adds half a receive: the gap of the `logp` model.
2. A message is there no earlier than half a receive after its send began, however soon the sender
   may go on: the store has to win the line back from a receiver that polls it. Where the send takes
   longer than that, nothing is added; on machines with posted stores it is a propagation.
3. A message that waits already when the receive before it ends costs half a receive: both lines are
   under way together. A receiver that sends in between begins anew.

The first is the product's default, the second `skb simulate --stores polled`, the third is here
only. All three were found with the measurements in sight: `RULES` says
which hold, and `simulator_validation.ablation` what each of them buys and costs.

The engine charges a receive before a handler runs and knows no bursts of receives, so `burst`
derives a protocol from another whose handlers charge the receive themselves; it runs on costs whose
receive is 0 (`charged`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from skb.benching.routing_rows import Row
from skb.machine import Machine
from skb.resources import bundled_machines
from skb.sources import read_path

if TYPE_CHECKING:
    from simulator import MessageCosts, Result, Tree
    from simulator.protocols.protocol import Message, Protocol

SUITE = "validation"
AT_A_TIME = 2
ORDER = "neighbours in order"


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules hold: the first where `model` is logp, the second, and the third."""

    model: str = "logp"
    polled: bool = True
    waiting: bool = True

    def costs(self, costs: MessageCosts) -> MessageCosts:
        """Return costs under the second rule, if that holds."""
        return costs.polled() if self.polled else costs


RULES = Rules()


@dataclass(frozen=True, slots=True)
class Statement:
    """A prediction, what was measured, and from where to where the prediction may lie."""

    name: str
    unit: str
    predicted: float
    measured: float
    least: float
    most: float
    note: str = ""

    @property
    def deviation(self) -> float:
        """Share of the measurement by which the prediction is off."""
        return self.predicted / self.measured - 1

    @property
    def met(self) -> bool:
        """Whether the prediction lies within its limits."""
        return self.least <= self.predicted <= self.most

    def row(self, seconds: float) -> Row:
        """Return the statement as a row of a benchmark."""
        far = f"{self.predicted:,.4g} is not within {self.least:,.4g} to {self.most:,.4g}"
        return Row(
            SUITE,
            self.name,
            self.unit,
            self.predicted,
            self.measured,
            self.deviation,
            "met" if self.met else "missed",
            seconds,
            target=f"{self.least:,.4g} to {self.most:,.4g}",
            misses=() if self.met else (far,),
            beside="bound is the measurement",
            note=self.note,
        )


def near(
    name: str, unit: str, predicted: float, measured: float, share: float, note: str = ""
) -> Statement:
    """Return a statement that allows so large a share of the measurement on either side."""
    least, most = measured * (1 - share), measured * (1 + share)
    return Statement(name, unit, predicted, measured, least, most, note)


def order(name: str, values: Mapping[str, float]) -> Statement:
    """Return the statement that values descend as they stand: how many neighbours do."""
    row = list(values.values())
    good = sum(first > second for first, second in pairwise(row))
    told = ", ".join(f"{key} {value:,.0f}" for key, value in values.items())
    most = len(row) - 1
    return Statement(name, ORDER, good, most, most, most, told)


@cache
def bundled(name: str) -> Machine:
    """Return a bundled machine."""
    return Machine(name, read_path(bundled_machines()[name]).facts)


def charged(costs: MessageCosts) -> MessageCosts:
    """Return costs for a protocol that charges its receives itself; lines stay as they are."""
    lines = costs.receive_ps if costs.transfer_ps is None else costs.transfer_ps
    return replace(costs, receive_ps=dict.fromkeys(costs.receive_ps, 0), transfer_ps=lines)


def burst(protocol: type[Protocol], receive: Sequence[Sequence[int]]) -> type[Protocol]:
    """Return a protocol whose nodes receive under rule 3, from node to node at these costs."""
    from simulator.protocols.protocol import handled_kinds

    methods: dict[str, Any] = {
        name: _receiving(getattr(protocol, name), receive)
        for name in handled_kinds(protocol).values()
    }
    return type(f"{protocol.__name__}InBursts", (protocol,), methods)


def _receiving(
    handler: Callable[[Any, Any], None], costs: Sequence[Sequence[int]]
) -> Callable[[Any, Message], None]:
    """Return a handler that charges the receive of what another member sent, then does its own."""
    from simulator.protocols.protocol import DONE, RECORD

    def receive(self: Any, m: Message) -> None:
        end = -1
        if m.source != self.me and m.source < self.count and self.me < self.count:
            cost = costs[m.source][self.me]
            if self.now == getattr(self, "received_ps", -1):
                cost //= AT_A_TIME
            self.work(cost)
            end = self.now + cost
        before = len(self.outbox)
        handler(self, m)
        if any(action[0] not in (RECORD, DONE) for action in self.outbox[before:]):
            end = -1
        self.received_ps = end

    return receive


def took(
    protocol: str | type[Protocol],
    costs: MessageCosts,
    tree: Tree,
    *,
    bursts: bool = True,
    **settings: Any,
) -> Result:
    """Run a protocol, its receives in bursts unless that is switched off."""
    from simulator.protocols import require_protocol
    from simulator.scenario import Scenario, simulate

    kind = require_protocol(protocol) if isinstance(protocol, str) else protocol
    if bursts:
        pus = tree.members
        rows = [[costs.receive(u, v) if u != v else 0 for v in pus] for u in pus]
        costs, kind = charged(costs), burst(kind, rows)
    # what has no name of its own goes by that of the protocol whose promises it keeps
    name = protocol if isinstance(protocol, str) else "single-phase-commit"
    return simulate(Scenario(costs, tree, "validation", name, **settings), kind)
