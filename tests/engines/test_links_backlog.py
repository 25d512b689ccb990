"""What waits for links: against a slow simulation with queues that end, and by hand."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from skb.engines.links_backlog import Packet, Timing, backlog, burst, sending, steady
from skb.engines.links_net import Net, Table, loads
from tests.engines.test_links_oracle import drawn, named, net, ringed, solved

Place = tuple[int, int]  # a link and a channel


def waiting(
    network: Net, table: Table, timing: Timing, sent: tuple[Packet, ...]
) -> dict[Place, int]:
    """Return what the engine says, by link and channel; time never decides here."""
    rows = backlog(network, table, timing, sent, lambda: False)
    assert rows is not None
    return {(arc, c): count for arc, row in enumerate(rows) for c, count in enumerate(row)}


def overflowing(
    network: Net,
    table: Table,
    timing: Timing,
    sent: tuple[Packet, ...],
    depth: dict[Place, int],
) -> Place | None:
    """Return the first queue that overflows where each has an end; None where none ever does.

    Every packet is a row that is looked at in each instant: what it is doing, and until when.
    """
    where = [s for _begin, s, _d in sent]
    until: list[int | None] = [begin for begin, _s, _d in sent]  # None: it waits for a link
    since = [0] * len(sent)
    sends = [0] * len(network.arcs)
    turn = [-1] * len(network.arcs)
    while (moving := [at for at in until if at is not None]) or any(at is None for at in until):
        # the next instant: something arrives, or a link that something waits for is free
        wanted = {
            _link(network, table, where[k], sent[k]) for k, at in enumerate(until) if at is None
        }
        free = [sends[arc] for arc in wanted]
        now = min([*moving, *free])
        for k, (_begin, _s, d) in enumerate(sent):
            if until[k] == now:
                until[k] = None if where[k] != d else 10**18
                since[k] = now
        rows: dict[Place, list[tuple[int, int]]] = {}
        for k, (_begin, _s, d) in enumerate(sent):
            if until[k] is None:
                place = (_link(network, table, where[k], sent[k]), table.channel[d])
                rows.setdefault(place, []).append((since[k], k))
        for arc in {arc for arc, _c in rows if sends[arc] <= now}:
            there = sorted(c for other, c in rows if other == arc)
            which = next((c for c in there if c > turn[arc]), there[0])
            first = min(rows[arc, which])
            rows[arc, which].remove(first)
            turn[arc], sends[arc] = which, now + timing.send[arc]
            where[first[1]] = network.arcs[arc][1]
            until[first[1]] = sends[arc] + timing.flight[arc]
        for place, held in rows.items():
            if len(held) > depth[place]:
                return place
        if all(at == 10**18 for at in until):
            return None
    return None


def _link(network: Net, table: Table, node: int, packet: Packet) -> int:
    return network.number[node, table.ahead[packet[2]][node]]


def timed(network: Net, seed: int) -> Timing:
    """Return random times: links alike, or none like another."""
    draw = random.Random(seed)
    alike = draw.random() < 0.4
    send = [7 if alike else draw.randrange(1, 12) for _arc in network.arcs]
    flight = [5 if alike else draw.randrange(0, 20) for _arc in network.arcs]
    return Timing(tuple(send), tuple(flight))


@pytest.mark.parametrize("seed", range(16))
def test_links_queues_of_the_backlog_never_overflow_and_smaller_ones_do(seed: int) -> None:
    """A slow simulation with queues that end: as deep as told is enough, one packet less is not."""
    network = drawn(seed, most=6) if seed % 2 else ringed(seed)
    table = solved(network, None, 100).table
    assert table is not None
    timing = timed(network, seed)
    sent = sending(burst(network))
    if seed % 3 == 0:
        sent = steady(sent, 2, max(loads(network, table)) * 7, 7, Fraction(4, 5), seed)
    found = waiting(network, table, timing, sent)
    assert overflowing(network, table, timing, sent, found) is None
    for place, count in found.items():
        if count:
            assert overflowing(network, table, timing, sent, {**found, place: count - 1}) == place


def test_links_packets_that_are_sent_at_once_wait_for_each_other() -> None:
    """Of nine packets over one link eight wait; a link that is free at once holds nobody up."""
    pair = net(2, [(0, 1)])
    table = Table(((-1, 0), (1, -1)), (0, 0))
    timing = Timing((10, 10), (3, 3))
    sent = tuple((0, 0, 1) for _packet in range(9))
    forth = pair.number[0, 1]
    assert waiting(pair, table, timing, sent) == {(forth, 0): 8, (1 - forth, 0): 0}
    apart = tuple((10 * k, 0, 1) for k in range(9))
    assert not any(waiting(pair, table, timing, apart).values())


def test_links_that_meet_let_one_packet_pass() -> None:
    """Leaves 1 to 3 of a star send to 4 at one instant: two of the three wait in the middle."""
    star = net(5, [(0, leaf) for leaf in range(1, 5)])
    table = solved(star, 1).table
    assert table is not None
    arcs = len(star.arcs)
    sent = tuple((0, leaf, 4) for leaf in (1, 2, 3))
    found = waiting(star, table, Timing((10,) * arcs, (1,) * arcs), sent)
    assert {at: count for at, count in found.items() if count} == {(star.number[0, 4], 0): 2}
    # a link that is three times slower than the others holds up more of what follows
    rows = tuple((10 * k, 1, 4) for k in range(9))
    slow = tuple(30 if arc == (0, 4) else 10 for arc in star.arcs)
    found = waiting(star, table, Timing(slow, (1,) * arcs), rows)
    assert {at: count for at, count in found.items() if count} == {(star.number[0, 4], 0): 6}


def test_links_channels_take_turns() -> None:
    """Three packets on each of two channels: after two have gone, two of each still wait."""
    line = net(3, [(0, 1), (1, 2)])
    table = Table(((-1, 0, 1), (1, -1, 1), (1, 2, -1)), (0, 0, 1))
    arcs = len(line.arcs)
    sent = (*((0, 0, 1),) * 3, *((0, 0, 2),) * 3)
    first = line.number[0, 1]
    found = waiting(line, table, Timing((10,) * arcs, (1,) * arcs), sent)
    assert (found[first, 0], found[first, 1]) == (2, 3)
    late = (*sent, (11, 0, 1), (11, 0, 2))
    found = waiting(line, table, Timing((10,) * arcs, (1,) * arcs), late)
    assert (found[first, 0], found[first, 1]) == (3, 3)


def test_links_bursts_follow_the_traffic() -> None:
    """A pair of mean traffic sends one packet, others in proportion, rounded up."""
    weight = ((9, 4, 0), (1, 0, 1), (0, 2, 0))
    network = Net(3, ((0, 1), (1, 0), (1, 2), (2, 1)), (1,) * 4, weight, True)
    assert burst(network) == ((0, 2, 0), (1, 0, 1), (0, 1, 0))
    assert sending(burst(network)) == ((0, 0, 1), (0, 0, 1), (0, 1, 0), (0, 1, 2), (0, 2, 1))


def test_links_steady_runs_fill_the_fullest_link_for_its_share() -> None:
    """Nine rounds in which a link is busy for 40 each: at 3/4 of the time they take 480."""
    sent = ((0, 0, 1), (0, 1, 0))
    rows = steady(sent, 9, 40, 10, Fraction(3, 4), 5)
    assert len(rows) == 18 and {row[1:] for row in rows} == {(0, 1), (1, 0)}
    assert all(begin % 10 == 0 and 0 <= begin < 480 for begin, _s, _d in rows)
    assert rows == steady(sent, 9, 40, 10, Fraction(3, 4), 5)
    assert rows != steady(sent, 9, 40, 10, Fraction(3, 4), 6)


def test_links_simulation_ends_with_its_time() -> None:
    """What is not done by then is not told."""
    network = named("mesh4x4")
    table = solved(network, 1).table
    assert table is not None
    arcs = len(network.arcs)
    timing = Timing((10,) * arcs, (3,) * arcs)
    assert backlog(network, table, timing, sending(burst(network)), lambda: True) is None
