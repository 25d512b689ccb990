"""What a run may have beyond the message model: links, polling, loss and delay.

Each is off unless it is asked for, and a run without any is that of docs/message-model.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulator.draws import draw
from simulator.links import Links
from simulator.polling import Pollers, all_channels, own_channels
from simulator.trees import Tree

_MILLION = 10**6
_COUNTER = 1 << 62


@dataclass(frozen=True, slots=True)
class Transport:
    """A network that may lose or delay what members send each other; cache lines do neither.

    Of a million messages so many are lost as they leave the sender, so many delayed by 1 to
    `delay_ps`, drawn by the number of the message.
    """

    loss_per_million: int = 0
    delay_per_million: int = 0
    delay_ps: int = 0
    seed: int = 0

    @property
    def perfect(self) -> bool:
        """Whether nothing is ever lost or delayed."""
        return not self.loss_per_million and not self.delay_per_million

    def loses(self, issue: int) -> bool:
        """Tell whether the message of an issue number is lost."""
        chance = self.loss_per_million
        return bool(chance) and draw(self.seed, _COUNTER + 4 * issue, _MILLION) < chance

    def delay(self, issue: int) -> int:
        """Return the picoseconds by which the message of an issue number is delayed."""
        chance = self.delay_per_million
        if not chance or draw(self.seed, _COUNTER + 4 * issue + 1, _MILLION) >= chance:
            return 0
        return 1 + draw(self.seed, _COUNTER + 4 * issue + 2, self.delay_ps)


@dataclass(frozen=True, slots=True)
class Refinements:
    """The refinements of one run.

    With `poll_ps` a member polls a channel from each member, or, where `channels` is "tree", one
    from itself and each neighbour in the trees and one that all others share.
    """

    links: Links | None = None
    poll_ps: int = 0
    channels: Literal["all", "tree"] = "all"
    transport: Transport = Transport()

    def round_ps(self, plain_ps: int, members: int, pollers: Pollers | None) -> int:
        """Return a round that is long enough for these refinements too, from one without them."""
        extra = 0
        if pollers is not None:
            extra += pollers.turn_ps
        if self.links is not None and self.links.names:
            hops = max(map(len, self.links.ways.values()), default=0)
            extra += hops * (max(self.links.occupancy_ps) + max(self.links.latency_ps))
        late = self.transport.delay_ps if self.transport.delay_per_million else 0
        return plain_ps + 2 * (members * extra + late)

    def pollers(self, trees: Sequence[Tree]) -> Pollers | None:
        """Return the channels of the members of some trees; None where they do not poll."""
        if not self.poll_ps:
            return None
        members = trees[0].members
        if self.channels == "all":
            return Pollers(self.poll_ps, all_channels(len(members)))
        numbers = {pu: node for node, pu in enumerate(members)}
        neighbours: list[set[int]] = [set() for _ in members]
        for tree in trees:
            for child, parent in tree.parents().items():
                neighbours[numbers[child]].add(numbers[parent])
                neighbours[numbers[parent]].add(numbers[child])
        return Pollers(self.poll_ps, own_channels(neighbours))
