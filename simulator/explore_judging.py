"""What the explorer shows to the checks in a state, and how it tells a path."""

from dataclasses import replace

from simulator.checkers import judge
from simulator.explore_space import Space
from simulator.explore_tables import CRASH, DELIVER, LOSE, POWER_DOWN, RESTART, State, Turn
from simulator.history import LOST, Entry, HeldLock, History
from simulator.scenario import held_locks

AT_ANY_TIME = (
    "integrity",
    "validity",
    "sums",
    "agreement",
    "order",
    "acknowledged",
    "confirmed",
    "atomicity",
    "isolation",
    "separation",
    "prefix",
    "leadership",
    "views",
    "resumption",
    "exclusion",
    "linearizability",
)
"""Checks that must hold in every state, not only where nothing is left to happen."""

CONDITIONAL = frozenset({"delivery"})
"""Checks that a fault which the protocol does not survive may break."""


class Judging:
    """Judges the states of a space; what it has judged once it knows."""

    def __init__(self, space: Space, reporter: int) -> None:
        """Take a space."""
        self._space = space
        self._reporter = reporter
        lines = len(space.nodes) - len(space.members)
        self._pus = (*space.members, *range(-1, -lines - 1, -1))
        promises = space.protocol.promises
        self._promises = promises
        self._always = tuple(name for name in promises if name in AT_ANY_TIME)
        self._seen: set[tuple[object, ...]] = set()
        self._locks: dict[tuple[int, int], tuple[HeldLock, ...]] = {}

    def judge(self, before: State, after: State, moved: int, final: bool) -> tuple[str, ...]:
        """Return the violations after a step; what was recorded before it counts as earlier."""
        rows, count = self._space.locals.rows, len(self._pus)
        old, new = rows[before[moved]], rows[after[moved]]
        if not final and old[2:] == new[2:]:
            return ()
        spent = self._space.spent(after)
        calls = self._space.ledgers.rows[after[-1]].calls
        held = self._held(after) if final else ()
        records = tuple(rows[number][2:] for number in after[:count])
        key = (records, moved, old[2], calls, spent, final, held)
        if key in self._seen:
            return ()
        self._seen.add(key)
        entries: list[Entry] = []
        for node, number in enumerate(after[:count]):
            said = self._space.records.rows[rows[number][2]]
            earlier = list(self._space.records.rows[old[2]]) if node == moved else list(said)
            for row in said:
                known = row in earlier
                if known:
                    earlier.remove(row)
                entries.append((int(not known), self._pus[node], *row))
        history = self._history(after, tuple(entries), held, final, spent, calls)
        checks = self._promises if final else self._always
        if not history.settled:
            checks = tuple(name for name in checks if name not in CONDITIONAL)
        return judge(history, checks)

    def _history(
        self,
        state: State,
        entries: tuple[Entry, ...],
        held: tuple[HeldLock, ...],
        final: bool,
        spent: frozenset[str],
        calls: tuple[int, ...],
    ) -> History:
        """Return what the checks look at in a state; begins and ends follow all that is old."""
        space = self._space
        results: dict[int, int] = {}
        for number in state[: len(self._pus)]:
            for op, result in space.reports.rows[space.locals.rows[number][3]]:
                results.setdefault(op, result)
        at = {call: place for place, call in enumerate(calls)}
        proposals = {
            op: replace(proposal, start_ps=at[2 * op] + 1)
            for op, proposal in space.proposals.items()
            if 2 * op in at
        }
        # a check compares ends with entries, which are at 0 and 1
        ended = {
            op: (at[2 * op + 1] + 1, result) for op, result in results.items() if 2 * op + 1 in at
        }
        return History(
            members=space.members,
            reporter=self._reporter,
            proposals=proposals,
            entries=entries,
            finished=ended,
            failed=frozenset(pu for _, pu, _, event, _ in entries if event == LOST),
            held=held,
            drained=final,
            kinds=spent,
            lively=spent <= space.protocol.survives,
        )

    def _held(self, state: State) -> tuple[HeldLock, ...]:
        """Return the locks that are held in a state."""
        if not self._space.protocol.lock_field:
            return ()
        held: tuple[HeldLock, ...] = ()
        for pu, number in zip(self._space.members, state, strict=False):
            if (pu, number) not in self._locks:
                self._locks[pu, number] = self._locks_of(pu, number)
            held += self._locks[pu, number]
        return held

    def _locks_of(self, pu: int, number: int) -> tuple[HeldLock, ...]:
        """Return the locks that a member holds."""
        node = self._space.nodes[self._space.members.index(pu)]
        self._space.restore(node, self._space.locals.rows[number][1])
        return held_locks(self._space.protocol, [node], (pu,))


def told(space: Space, turn: Turn) -> str:
    """Return the sentence for a turn."""
    what, node, flight, cut = turn
    here = _name(space, node)
    if not flight:
        fates = {CRASH: "crashes", POWER_DOWN: "is powered down", RESTART: "restarts"}
        lost = ", some of what was sent to it lost" if cut > 0 else ""
        return f"{here} {fates.get(what, 'is powered up')}{lost}"
    _, _, kind, source, op, *_ = flight
    said = f"{space.names[kind]} of operation {op} from {_name(space, source)}"
    if what == DELIVER:
        return f"{here} handles {said}"
    if what == LOSE:
        return f"{here} never gets {said}"
    return f"{here} handles {said}, but crashes before its send or work number {cut + 1}"


def _name(space: Space, node: int) -> str:
    members = space.members
    return f"PU {members[node]}" if node < len(members) else f"cache line {node - len(members)}"
