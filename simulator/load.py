"""The load of a run: which operations are proposed, by whom, on which item, with which value."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.draws import draw
from simulator.history import Proposal

WINDOW = 1024
"""Operations that may be in flight; also the number of items, so that only rivals conflict."""

VALUES = 1 << 16
_DRAWS = 4


@dataclass(frozen=True, slots=True)
class Load:
    """The operations of a run, numbered from 0.

    `initiator` proposes; with a chance of `conflict_per_mille` an operation gets a rival: the next
    operation, on the same item, at the same instant, from another member. `contributes` says that
    each member brings a number of its own and all see their sum.
    """

    members: Sequence[int]
    initiator: int
    operations: int
    conflict_per_mille: int
    contributes: bool
    seed: int

    def group(self, first: int, start_ps: int) -> tuple[Proposal, ...]:
        """Return the proposals that begin together, the first of them with this number."""
        operations = [first]
        rival = first + 1
        chance = draw(self.seed, _DRAWS * first, 1000)
        possible = rival < self.operations and len(self.members) > 1
        if possible and chance < self.conflict_per_mille:
            operations.append(rival)
        return tuple(
            Proposal(op, self._proposer(op, first), first % WINDOW, self._value(op), start_ps)
            for op in operations
        )

    def contribution(self, operation: int, member: int) -> int:
        """Return the number that the member at a position brings to an operation."""
        return (draw(self.seed, _DRAWS * operation + 1, VALUES) + 7 * member) % VALUES

    def _proposer(self, operation: int, first: int) -> int:
        """Return the initiator, for a rival one of the other members."""
        if operation == first:
            return self.initiator
        others = [pu for pu in self.members if pu != self.initiator]
        return others[draw(self.seed, _DRAWS * operation + 2, len(others))]

    def _value(self, operation: int) -> int:
        """Return what a correct run shows to the members for this operation."""
        if self.contributes:
            return sum(self.contribution(operation, i) for i in range(len(self.members)))
        return draw(self.seed, _DRAWS * operation + 1, VALUES)
