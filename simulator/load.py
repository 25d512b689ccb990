"""The load of a run: which operations are proposed, by whom, on which item, with which value."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.draws import draw
from simulator.history import Proposal

WINDOW = 1024
"""Operations that may be in flight; also the number of items, so that only rivals conflict."""

VALUES = 1 << 16
DRAWS = 6


@dataclass(frozen=True, slots=True)
class Load:
    """The operations of a run, numbered from 0.

    `initiator` proposes, or, where there are `clients`, one of them; with a chance of
    `conflict_per_mille` an operation gets a rival: the next operation, on the same item, at the
    same instant, from another member. `contributes` says that each member brings a number of its
    own and all see their sum. With a chance of `reads_per_mille` an operation is a read. `items`
    is how many items operations are about; None: as many as may be in flight, one after the other.
    """

    members: Sequence[int]
    initiator: int
    operations: int
    conflict_per_mille: int
    contributes: bool
    seed: int
    clients: Sequence[int] = ()
    reads_per_mille: int = 0
    items: int | None = None

    def group(self, first: int, start_ps: int, client: int | None = None) -> tuple[Proposal, ...]:
        """Return the proposals that begin together, the first of them with this number."""
        operations = [first]
        rival = first + 1
        chance = draw(self.seed, DRAWS * first, 1000)
        possible = rival < self.operations and len(self.members) > 1
        if possible and chance < self.conflict_per_mille:
            operations.append(rival)
        proposer = self.initiator if client is None else client
        return tuple(
            Proposal(
                operation=op,
                initiator=proposer if op == first else self._rival(op, proposer),
                item=self._item(first),
                value=self._value(op),
                start_ps=start_ps,
                write=self._write(op),
            )
            for op in operations
        )

    def contribution(self, operation: int, member: int) -> int:
        """Return the number that the member at a position brings to an operation."""
        return (draw(self.seed, DRAWS * operation + 1, VALUES) + 7 * member) % VALUES

    def _rival(self, operation: int, proposer: int) -> int:
        """Return one of the other members."""
        others = [pu for pu in self.members if pu != proposer]
        return others[draw(self.seed, DRAWS * operation + 2, len(others))]

    def _item(self, first: int) -> int:
        """Return the item that a group of operations is about."""
        if self.items is None:
            return first % WINDOW
        return draw(self.seed, DRAWS * first + 3, self.items)

    def _write(self, operation: int) -> int:
        """Return 1 for an update, 0 for a read."""
        return int(draw(self.seed, DRAWS * operation + 4, 1000) >= self.reads_per_mille)

    def _value(self, operation: int) -> int:
        """Return what a correct run shows to the members for this operation."""
        if self.contributes:
            return sum(self.contribution(operation, i) for i in range(len(self.members)))
        return draw(self.seed, DRAWS * operation + 1, VALUES)
