"""What an engine takes, what it gives back, and the reference engine between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from simulator.driver import Driver
from simulator.engine import Engine, Row, Wires
from simulator.faults import Fault, healed_ps
from simulator.history import Entry, Proposal
from simulator.links import Links, LinkUse
from simulator.load import Load
from simulator.polling import Pollers
from simulator.protocols.protocol import Protocol
from simulator.refinements import Transport

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything that decides a run, as an engine takes it; nodes are counted from 0.

    `nodes` are the members and, behind them, the cache lines. An engine may change them. `times_ps`
    are the arrivals of an open load, none where it is closed with `outstanding` groups. With
    `keep_rows` the rows of the trace are kept; the digest is left out without `digest`.
    """

    protocol: type[Protocol]
    nodes: Sequence[Protocol]
    members: tuple[int, ...]
    numbers: Mapping[int, int]
    root: int
    wires: Wires
    load: Load
    round_ps: int
    outstanding: int
    times_ps: tuple[int, ...]
    event_limit: int
    horizon_ps: int | None
    faults: tuple[Fault, ...] = ()
    links: Links | None = None
    transport: Transport = field(default_factory=Transport)
    pollers: Pollers | None = None
    poll_ps: int = 0
    keep_rows: bool = False
    digest: bool = True

    @property
    def healed_ps(self) -> int:
        """When the last fault is over."""
        return healed_ps(self.faults)


@dataclass(frozen=True, slots=True)
class Played:
    """What a run leaves behind, the same whichever `engine` it ran on.

    `busy_ps` is per node, `now_ps` when the last handler ended, `ended_ps` the time of the last
    event; `proposals` and `finished` are in the order in which they began and ended. `came_ps`
    says for each row when its message had come, -1 where no node had sent it; an engine that does
    not know leaves it empty.
    """

    engine: str
    ended: str
    proposals: dict[int, Proposal]
    finished: dict[int, tuple[int, int]]
    entries: tuple[Entry, ...]
    events: int
    now_ps: int
    ended_ps: int
    busy_ps: list[int]
    lost: int
    delayed: int
    links: tuple[LinkUse, ...]
    digest: str
    rows: tuple[Row, ...]
    came_ps: tuple[int, ...] = ()


Player = Callable[[Setting, Progress | None], Played]
"""An engine, ready to run a setting."""


def play(setting: Setting, progress: Progress | None = None) -> Played:
    """Run a setting on the reference engine."""
    engine = Engine(
        setting.nodes,
        setting.members,
        setting.wires,
        setting.links,
        setting.transport,
        setting.pollers,
    )
    engine.keep_rows = setting.keep_rows
    engine.plan_faults(setting.faults, setting.numbers)
    engine.boot(range(len(setting.members)))
    driver = Driver(
        engine,
        setting.load,
        setting.protocol,
        setting.numbers,
        setting.root,
        progress,
        setting.round_ps,
        setting.healed_ps,
    )
    driver.begin(setting.outstanding, setting.times_ps)
    ended = engine.run(setting.event_limit, setting.horizon_ps)
    return Played(
        engine="plain",
        ended=ended,
        proposals=driver.proposals,
        finished=driver.finished,
        entries=engine.entries(),
        events=engine.events,
        now_ps=engine.now_ps,
        ended_ps=engine.ended_ps,
        busy_ps=engine.busy_ps,
        lost=engine.lost,
        delayed=engine.delayed,
        links=engine.link_uses(),
        digest=engine.digest() if setting.digest else "",
        rows=engine.rows(),
        came_ps=engine.came_ps(),
    )
