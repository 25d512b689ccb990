"""The arrays of a compiled run, from what both engines take, and what they say when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator import kernel_columns as c
from simulator.draws import splitmix64
from simulator.driver import PATIENCE, SETTLING
from simulator.engine import MOST_PENDING
from simulator.faults import NEVER, slow_spans
from simulator.lowering import SINGLE, kinds_of, layout_of
from simulator.playing import Setting
from simulator.protocols.protocol import Boot, PowerDown, PowerUp, Protocol, Restart, Start

WORD = np.int64
BUCKETS = 1 << 10
ROWS = 1 << 13
"""Rows of trace and record that are left between two looks at them, in a run that has as many."""
STATES = {
    "down": c.DOWN_NOW, "up": c.UP_NOW, "off": c.OFF_NOW, "on": c.ON_NOW, "cut": c.CUT_NOW,
    "joined": c.JOINED_NOW,
}  # fmt: skip
STARTS = {"root": c.ROOT_STARTS, "members": c.MEMBERS_START}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the arrays are that may prove too small: `rows` of mail, and `reserve` of them
    that are free before each event.
    """

    rows: int
    reserve: int


def first_sizes(nodes: int) -> Sizes:
    """Return what is enough for most runs of so many nodes."""
    reserve = 4 * nodes + 256
    return Sizes(256 + 2 * reserve, reserve)


def signed(number: int) -> int:
    """Return the 64 bits of a number as one with a sign."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def arrays_of(setting: Setting, sizes: Sizes, *, traced: bool) -> c.Arrays:
    """Return the arrays of a run that has not begun."""
    nodes = len(setting.nodes)
    plan, at = _plan(setting)
    mail = np.zeros((sizes.rows, c.MAIL_COLUMNS), WORD)
    mail[:, c.LINK] = np.arange(1, sizes.rows + 1)
    mail[c.CHAIN, c.LINK] = 2
    mail[c.DUMP, c.LINK] = mail[-1, c.LINK] = c.DUMP
    ways, wires = _wires(setting)
    world = _world(setting)
    node, boxes, channel = _node(setting, plan, at)
    operations = setting.load.operations
    ops = np.zeros((operations, c.OP_COLUMNS), WORD)
    ops[:, c.FINISHED_AT] = -1
    room = min(ROWS, 64 * operations * nodes)
    rows = room + 2 * nodes + 16 if traced else 1
    said = room + 2 * sizes.reserve
    ctl = _ctl(setting, at)
    ctl[c.ROOM] = sizes.rows - 2 - sizes.reserve
    ctl[c.ROWS_ROOM] = rows - nodes - 8 if traced else 1
    ctl[c.SAID_ROOM] = said - sizes.reserve
    ctl[c.TRACED] = traced
    return c.Arrays(
        st=_state(setting, world), world=world, mail=mail,
        hot=np.zeros((sizes.rows, 4), WORD), heads=np.zeros((BUCKETS, 2), WORD),
        node=node, wires=wires, ways=ways, link=_link(setting), boxes=boxes, channel=channel,
        ops=ops, order=np.zeros(operations, WORD), plan=plan, ctl=ctl,
        rows=np.zeros((rows, c.ROW_COLUMNS + 1), WORD), said=np.zeros((said, 5), WORD),
    )  # fmt: skip


def _state(setting: Setting, world: Any) -> Any:
    """Return the state matrix: what each node is, its parameters, zeros; and set what begins
    where in `world`.
    """
    layout = layout_of(setting.protocol)
    first = setting.nodes[0]
    extents = {
        "operation": first.window, "item": first.items, "node": first.count,
        "entry": first.entries,
    }  # fmt: skip
    width = c.FIRST_FIELD + len(layout.singles)
    for name, place in layout.arrays.items():
        world[place] = width
        width += extents[layout.extents[name]]
    # an odd number of cache lines, so that the same field of all nodes is not in the same sets
    width = (-(-width // 8) | 1) * 8
    st = np.zeros((len(setting.nodes), width), WORD)
    single = [name for name in layout.singles if layout.extents[name] == "parameter"]
    at = c.FIRST_BASE + len(layout.arrays)
    for me, node in enumerate(setting.nodes):
        ends = at + len(node.children)
        last = ends + len(node.neighbours)
        world[at:ends] = node.children
        world[ends:last] = node.neighbours
        st[me, : c.FIRST_FIELD] = (
            0, node.parent, node.nchildren, at, ends, node.domain, node.leader, ends, last,
            node.seed >= 0, 0,
        )  # fmt: skip
        at = last
        for name in single:
            st[me, layout.singles[name]] = getattr(node, name)
    return st


def _world(setting: Setting) -> Any:
    """Return what all nodes have in common; fields and children are not in it yet."""
    first, layout = setting.nodes[0], layout_of(setting.protocol)
    size = c.FIRST_BASE + len(layout.arrays)
    size += sum(len(node.children) + len(node.neighbours) for node in setting.nodes)
    transfer = [number for row in first.transfer for number in row]
    world = np.zeros(size + len(transfer), WORD)
    power = first.window & (first.window - 1) == 0
    world[: c.FIRST_BASE] = (
        first.window, first.window - 1 if power else -1, first.items, first.entries, first.count,
        first.domains, first.root, first.reporter, first.round_ps,
        signed(splitmix64(first.seed)), size,
    )  # fmt: skip
    world[size:] = transfer
    return world


def _plan(setting: Setting) -> tuple[Any, dict[str, Any]]:
    """Return faults, crashes, slow spans, clients and arrivals in one row, and where they are."""
    number = setting.numbers
    faults = sorted(setting.faults, key=lambda fault: fault.time_ps)
    told = [fault for fault in faults if fault.state != "slow"]
    flat: list[int] = []
    for fault in told:
        flat += (fault.time_ps, number[fault.pu], STATES[fault.state], fault.value)
    at: dict[str, Any] = {"faults": len(told), "crash": {}, "slow": {}}
    never = len(flat)
    flat += (NEVER, NEVER)
    for pu in sorted({fault.pu for fault in faults}):
        at["crash"][number[pu]] = len(flat)
        down = (f.time_ps for f in faults if f.pu == pu and f.state == "down")
        flat += (*down, NEVER)
        at["slow"][number[pu]] = len(flat)
        flat += (time for span in slow_spans(faults, pu) for time in span)
        flat += (NEVER, NEVER)
    at["clients"] = len(flat)
    flat += (number[pu] for pu in setting.load.clients)
    at["times"] = len(flat)
    flat += (*setting.times_ps, NEVER)
    at["never"] = never
    return np.array(flat, WORD), at


def _node(setting: Setting, plan: Any, at: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the engine's view of each node, the ends of its queues, and who comes over which."""
    count = len(setting.members)
    node = np.zeros((len(setting.nodes), c.NODE_COLUMNS), WORD)
    node[:, c.LAST_SEND] = -1
    node[:count, c.PU] = setting.members
    node[count:, c.PU] = range(-1, count - len(setting.nodes) - 1, -1)
    node[:, c.CRASH] = node[:, c.SLOW] = NEVER
    node[:, c.CRASH_AT] = node[:, c.SLOW_AT] = at["never"]
    for me, place in at["crash"].items():
        node[me, c.CRASH_AT], node[me, c.CRASH] = place, plan[place]
    for me, place in at["slow"].items():
        node[me, c.SLOW_AT], node[me, c.SLOW] = place, plan[place]
    none = np.zeros((1, 2), WORD)
    if setting.pollers is None:
        return node, none, none
    channel = np.array(setting.pollers.channels, WORD).reshape(count, count)
    node[:count, c.CHANNELS] = channel.max(axis=1) + 1
    ends = np.cumsum(node[:count, c.CHANNELS] + 1)
    node[1:count, c.BOXES] = ends[:-1]
    return node, np.zeros((int(ends[-1]), 2), WORD), channel


def _wires(setting: Setting) -> tuple[Any, Any]:
    """Return the ways of all pairs, one behind the other, and the tables of all pairs."""
    wires, count = setting.wires, len(setting.members)
    tables = np.zeros((count, count, c.WIRE_COLUMNS), WORD)
    for column, table in (
        (c.FIRST_SEND, wires.send),
        (c.FURTHER_SEND, wires.further_send),
        (c.FLIGHT, wires.propagation),
        (c.RECEIVE, wires.receive),
    ):
        tables[:, :, column] = table
    ways = [-1]
    if setting.links is not None:
        for u, sender in enumerate(setting.members):
            for v, receiver in enumerate(setting.members):
                way = setting.links.way(sender, receiver)
                if way:
                    tables[u, v, c.WAY_AT] = len(ways)
                    ways += (*way, -1)
    return np.array(ways, WORD), tables


def _link(setting: Setting) -> Any:
    """Return what each link takes."""
    links = setting.links
    table = np.zeros((max(1, 0 if links is None else len(links.names)), c.LINK_COLUMNS), WORD)
    if links is not None and links.names:
        table[:, c.OCCUPANCY] = links.occupancy_ps
        table[:, c.LATENCY] = links.latency_ps
    return table


def _ctl(setting: Setting, at: dict[str, Any]) -> Any:
    """Return the counters, and the settings of the run beside them."""
    load, transport = setting.load, setting.transport
    protocol = setting.protocol
    kinds: dict[Any, int] = {**kinds_of(protocol)}
    every = max(1, load.operations // 100)
    horizon = NEVER if setting.horizon_ps is None else setting.horizon_ps
    values = {
        c.SEEN: -1, c.SHIFT: shift_of(setting), c.MASK: BUCKETS - 1,
        c.LIMIT: min(setting.event_limit, NEVER), c.HORIZON: min(horizon, NEVER),
        c.PENDING_LIMIT: MOST_PENDING, c.OPERATIONS: load.operations,
        c.STARTS: STARTS.get(protocol.starts, c.ONE_STARTS),
        c.REPORTS: 1 if protocol.reports == "one" else len(setting.members),
        c.CLOSES: not setting.times_ps, c.OUTSTANDING: setting.outstanding,
        c.LOAD_SEED: signed(splitmix64(load.seed)), c.CONFLICT: load.conflict_per_mille,
        c.READS: load.reads_per_mille, c.LOAD_ITEMS: load.items or 0,
        c.CLIENTS: len(load.clients), c.CLIENT_AT: at["clients"],
        c.INITIATOR: setting.numbers[load.initiator], c.CONTRIBUTES: load.contributes,
        c.HEALED: setting.healed_ps,
        c.PATIENT_PS: PATIENCE * setting.round_ps if protocol.endless else 0,
        c.SETTLING_PS: SETTLING * setting.round_ps,
        c.EVERY: every, c.FAULTS: at["faults"], c.POLL: setting.poll_ps,
        c.LOSS: transport.loss_per_million, c.DELAY: transport.delay_per_million,
        c.DELAY_PS: transport.delay_ps, c.DRAW_SEED: signed(splitmix64(transport.seed)),
        c.KIND_START: kinds.get(Start, -1), c.KIND_BOOT: kinds.get(Boot, -1),
        c.KIND_RESTART: kinds.get(Restart, -1), c.KIND_DOWN: kinds.get(PowerDown, -1),
        c.KIND_UP: kinds.get(PowerUp, -1), c.TIMES: at["times"],
    }  # fmt: skip
    ctl = np.zeros(c.CTL_COLUMNS, WORD)
    for column, value in values.items():
        ctl[column] = value
    return ctl


def shift_of(setting: Setting) -> int:
    """Return how many bits of a time are within a bucket: the smallest latency, less for many."""
    tables = (setting.wires.send, setting.wires.propagation, setting.wires.receive)
    least = [min(filter(None, _flat(table)), default=0) for table in tables]
    if setting.links is not None:
        least.append(min(filter(None, setting.links.latency_ps), default=0))
    smallest = min(filter(None, least), default=1)
    many = (len(setting.nodes) // 32).bit_length() // 2
    return max(0, smallest.bit_length() - 1 - many)


def _flat(table: Iterable[Iterable[int]]) -> Iterable[int]:
    return (number for row in table for number in row)


def enlarged(w: c.Arrays, sizes: Sizes) -> c.Arrays:
    """Return the arrays of a run that goes on with more rows; all buckets are made anew."""
    old = len(w.mail)
    mail = np.zeros((sizes.rows, c.MAIL_COLUMNS), WORD)
    hot = np.zeros((sizes.rows, 4), WORD)
    mail[:old], hot[:old] = w.mail, w.hot
    mail[old:, c.LINK] = np.arange(old + 1, sizes.rows + 1)
    mail[-1, c.LINK] = mail[c.CHAIN, c.LINK]
    mail[c.CHAIN, c.LINK] = old
    w.ctl[c.ROOM] = sizes.rows - 2 - sizes.reserve
    buckets = max(len(w.heads), 1 << (sizes.rows // 4).bit_length())
    heads = np.zeros((buckets, 2), WORD)
    due: list[int] = []
    for row in w.heads[:, 0].tolist():
        while row:
            due.append(row)
            row = int(hot[row, c.NEXT])
    # those of one time come from one bucket, in their order, and stay in it
    due.sort(key=lambda row: int(hot[row, c.TIME]))
    hot[due, c.NEXT] = 0
    w.ctl[c.MASK] = buckets - 1
    for row in due:
        at = (int(hot[row, c.TIME]) >> int(w.ctl[c.SHIFT])) & (buckets - 1)
        if heads[at, 0]:
            hot[heads[at, 1], c.NEXT] = row
        else:
            heads[at, 0] = row
        heads[at, 1] = row
    return w._replace(mail=mail, hot=hot, heads=heads)


def fields_of(protocol: type[Protocol], w: c.Arrays, me: int) -> dict[str, int | list[int]]:
    """Return the fields of a node as a handler would see them."""
    layout = layout_of(protocol)
    sizes = {"operation": c.WINDOW, "item": c.ITEMS, "node": c.COUNT, "entry": c.ENTRIES}
    found: dict[str, int | list[int]] = {}
    for name, extent in layout.extents.items():
        if extent in SINGLE:
            found[name] = int(w.st[me, layout.singles[name]])
        else:
            begin, many = w.world[layout.arrays[name]], w.world[sizes[extent]]
            found[name] = w.st[me, begin : begin + many].tolist()
    return found
