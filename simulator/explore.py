"""Explicit-state explorer: the classes that the simulator runs, through every delivery order.

A state is the fields of all nodes, what each has recorded, the messages under way, and what is left
of the bounds. Messages may be delivered in any order, or, with `fifo`, in any order that keeps that
of each channel (one sender, one receiver), as channels of cache lines do. Within `Bounds` members
crash and restart, are powered down and up, and messages are lost; a timer may fire at any moment.
Explored are all states that can be reached, each once, in breadth, so a counterexample is a
shortest one. Nothing is left out but the order of handlers at different nodes within a state, which
no check can see, and the order of ends between the same two begins.

`self.random` is 0 and `self.now` is 0 here.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from simulator.explore_judging import Judging, told
from simulator.explore_space import Space
from simulator.explore_tables import Bounds, State, Turn
from simulator.history import Proposal
from simulator.protocols.protocol import Protocol
from simulator.scenario import seat
from simulator.trees import Tree

NO_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Exploration:
    """What an exploration found.

    `path` leads to the first violation, one sentence per step; `turns` are the same for `replay`.
    `ends` is the number of states in which nothing is left to happen, `longest` the steps to the
    state farthest from the first.
    """

    states: int
    transitions: int
    complete: bool
    violations: tuple[str, ...]
    path: tuple[str, ...]
    turns: tuple[Turn, ...] = ()
    ends: int = 0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """A small instance of a protocol: who runs it, and which operations they are given.

    The operations of the proposals are numbered from 0; all are begun at once, but for those that
    `bounds.after` names. Items must be smaller than their number. Answers go up over `up_tree`
    where that is given, and are held back where `hold_ps` is not negative. `entries` is the number
    of log positions that are kept (default: as many as operations).
    """

    protocol: type[Protocol]
    tree: Tree
    proposals: Sequence[Proposal]
    reporter: int
    fifo: bool = False
    up_tree: Tree | None = None
    hold_ps: int = -1
    parameters: Mapping[str, int] | None = None
    entries: int = 0
    round_ps: int = 0
    bounds: Bounds = NO_BOUNDS

    def space(self) -> Space:
        """Return the space of this instance."""
        nodes = seat(
            self.protocol,
            self.tree,
            self.reporter,
            parameters=self.parameters or {},
            window=len(self.proposals),
            up_tree=self.up_tree,
            holds=dict.fromkeys(self.tree.members, self.hold_ps),
            entries=self.entries,
            round_ps=self.round_ps,
        )
        return Space(self.protocol, self.tree, self.proposals, nodes, self.fifo, self.bounds)


def explore(
    protocol: type[Protocol],
    tree: Tree,
    proposals: Sequence[Proposal],
    reporter: int,
    state_limit: int = 200_000,
    timeout_ps: int = 0,
    fifo: bool = False,
    up_tree: Tree | None = None,
    hold_ps: int = -1,
) -> Exploration:
    """Explore an instance in which nothing fails; see `walk`."""
    parameters = {"timeout_ps": timeout_ps}
    return walk(
        Instance(protocol, tree, proposals, reporter, fifo, up_tree, hold_ps, parameters),
        state_limit,
    )


def walk(instance: Instance, state_limit: int = 10_000_000) -> Exploration:
    """Walk all states, until a violation, the end, or more states than the limit."""
    space = instance.space()
    judging = Judging(space, instance.reporter)
    first = space.initial()
    states = [first]
    came = {first}
    parents, ways = array("L", [0]), array("H", [0])
    transitions, ends, at, depth, rim = 0, 0, 0, 0, 1
    while at < len(states):
        if at == rim:
            depth, rim = depth + 1, len(states)
        state = states[at]
        for way, (move, following) in enumerate(space.moves(state)):
            transitions += 1
            if following in came:
                continue
            came.add(following)
            states.append(following)
            parents.append(at)
            ways.append(way)
            final = space.is_final(following)
            ends += final
            violations = judging.judge(state, following, move[1], final)
            if violations:
                turns = _turns(space, states, parents, ways)
                path = tuple(told(space, turn) for turn in turns)
                return Exploration(
                    len(states), transitions, False, violations, path, turns, ends, depth
                )
            if len(states) >= state_limit:
                return Exploration(
                    len(states), transitions, False, (), (), ends=ends, longest=depth
                )
        at += 1
    return Exploration(len(states), transitions, True, (), (), ends=ends, longest=depth)


def replay(instance: Instance, turns: Sequence[Turn]) -> tuple[str, ...]:
    """Follow the turns of an exploration, judge each state, and return the first violations.

    Raises `ValueError` where a turn is not possible.
    """
    space = instance.space()
    judging = Judging(space, instance.reporter)
    state = space.initial()
    for turn in turns:
        following = space.follow(state, turn)
        violations = judging.judge(state, following, turn[1], space.is_final(following))
        if violations:
            return violations
        state = following
    return ()


def _turns(
    space: Space, states: list[State], parents: "array[int]", ways: "array[int]"
) -> tuple[Turn, ...]:
    """Return the turns that lead to the latest state: which way each state was left."""
    turns: list[Turn] = []
    at = len(states) - 1
    while at:
        moves = (move for move, _ in space.moves(states[parents[at]]))
        turns.append(space.turn(next(islice(moves, ways[at], None))))
        at = parents[at]
    return tuple(reversed(turns))
