"""What power and presence take along: the rules, the fast path, and a plain walk over the graph."""

from __future__ import annotations

from collections.abc import Collection

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.dependence import STATES, Unreachable, dependents, hypothetical, unreachable
from skb.errors import NotFoundError, RequestError
from skb.machine import CPU_KINDS, IO_KINDS, Machine, kind_of
from skb.relations import Fact
from tests.machines import bundled, grown

BOARD = [
    ("package:0", "group:0"),
    *(("group:0", "l3:0"), ("l3:0", "core:0"), ("l3:0", "core:1")),
    *(("core:0", "pu:0"), ("core:0", "pu:1"), ("core:1", "pu:2")),
    *(("package:0", "memcache:0"), ("memcache:0", "numa:0"), ("core:1", "numa:3")),
    *(("package:0", "bridge:0"), ("bridge:0", "pci:0000:01:00.0")),
    *(("pci:0000:01:00.0", "device:gpu0"), ("device:gpu0", "numa:2")),
    *(("package:1", "core:2"), ("core:2", "pu:3"), ("package:1", "numa:1")),
    *(("package:2", "die:0"), ("die:0", "core:3"), ("core:3", "pu:4"), ("die:0", "bridge:1")),
    *(("package:3", "core:4"), ("core:4", "pu:5"), ("machine:0", "misc:dimm")),
]
PARENTS = {child: parent for parent, child in BOARD}
PARTS = sorted({"machine:0", *PARENTS, *(f"package:{n}" for n in range(4))})
ENDS = ("package:0", "package:1", "package:2", "package:3", "bridge:1", "numa:1", "device:gpu0")
states = st.dictionaries(st.sampled_from(PARTS), st.sampled_from([*STATES, "off"]), max_size=5)
links = st.sets(st.tuples(st.sampled_from(ENDS), st.sampled_from(ENDS)), max_size=10)


def board(off: dict[str, str], wires: set[tuple[str, str]]) -> Machine:
    """Return a machine with every kind of part, these states and these links."""
    facts = [Fact("contains", (f"{PARENTS.get(c, 'machine:0')}", c)) for c in PARTS[:]
             if c != "machine:0"]  # fmt: skip
    facts += [Fact(STATES[state], (part, state)) for part, state in off.items()]
    facts += [Fact("link", (a, b, "wire")) for a, b in sorted(wires) if a != b]
    return Machine("board", facts)


class Walk:
    """What parts are reached through, looked up from every part anew."""

    def __init__(self, machine: Machine, off: dict[str, str]) -> None:
        self.machine = machine
        self.off = off

    def takes_all(self, name: str) -> bool:
        """Tell whether a part takes everything along that hangs on it."""
        if name not in self.off:
            return False
        carrier = kind_of(name) in {"machine", "group", "package", "die"}
        if self.off[name] == "sleep" and kind_of(name) != "machine":
            carrier = False
        return carrier or kind_of(name) not in CPU_KINDS

    def taken(self, name: str) -> bool:
        """Tell whether a part hangs on one that takes everything along."""
        return any(self.takes_all(at) for at in (name, *self.machine.ancestors(name)))

    def hosted(self, name: str) -> bool:
        """Tell whether a link joins it to a processor that stands, outside of what it hangs on."""
        links = self.machine.links
        return kind_of(name) in IO_KINDS and any(
            kind_of(host) in CPU_KINDS
            and name in ends
            and host in links.get(name, ())
            and host not in self.machine.ancestors(name)
            and not self.taken(host)
            for host, ends in links.items()
        )

    def chain(self, name: str, joined: Collection[str] = ()) -> list[str]:
        """Return what a part is reached through: up to the first with a way of its own; those that
        are joined have theirs when what they hang on is cut off, too.
        """
        found = []
        for at in (name, *self.machine.ancestors(name)):
            found.append(at)
            if (self.taken(at) or at in joined) and self.hosted(at):
                break
        return found

    def lost(self, name: str) -> bool:
        """Tell whether a part is lost with what it is reached through."""
        return any(self.takes_all(at) for at in self.chain(name))

    def still(self, name: str) -> bool:
        """Tell whether a part of the processor side does not run."""
        around = (name, *self.machine.ancestors(name))
        return kind_of(name) in CPU_KINDS and any(at in self.off for at in around)


def walked(machine: Machine, off: dict[str, str]) -> set[str]:
    """Return what cannot be used, by walking up from every part and over every path."""
    walk = Walk(machine, off)
    gone = {name for name in machine.objects if walk.lost(name) or walk.still(name)}
    graph = networkx.DiGraph((a, b) for a, ends in machine.links.items() for b in ends)
    left = graph.subgraph([node for node in graph if not walk.lost(node)])
    if len(left) == len(graph):
        return gone
    homes = [node for node in left if kind_of(node) in CPU_KINDS]

    def joined(view: networkx.DiGraph, a: str, b: str) -> bool:
        return bool(networkx.has_path(view, a, b) and networkx.has_path(view, b, a))

    def weight(home: str) -> int:
        inside = {pu for end in left if joined(left, home, end) for pu in below(machine, end)}
        return len(inside - gone)

    if not homes:
        return gone
    home = min(homes, key=lambda end: (-weight(end), end))
    ways = [(end, pair) for end in left for pair in ((home, end), (end, home))]
    apart = {
        end
        for end, (a, b) in ways
        if networkx.has_path(graph, a, b) and not networkx.has_path(left, a, b)
    }
    for end in apart:
        if kind_of(end) not in IO_KINDS or (walk.taken(end) and walk.hosted(end)):
            gone |= {o for o in machine.objects if end in walk.chain(o, set(left) - apart)}
    return gone


def below(machine: Machine, name: str) -> set[str]:
    """Return the PUs anywhere under a part."""
    pus = {f"pu:{pu}" for pu in machine.pus}
    return {pu for pu in pus if name in machine.ancestors(pu)}


@settings(max_examples=80, deadline=None)
@given(off=states, wires=links)
def test_dependence_rules_fast_path_and_walk_agree(
    off: dict[str, str], wires: set[tuple[str, str]]
) -> None:
    """The three ways to find what is unusable give the same parts; each names what is off."""
    machine = board(off, wires)
    rows = unreachable(machine)
    expected = walked(machine, off)
    assert {row.id for row in rows} == expected
    assert {name for name in machine.objects if machine.unusable(name)} == expected
    assert set(machine.usable_pus) == {pu for pu in machine.pus if f"pu:{pu}" not in expected}
    for row in rows:
        assert row.because and set(row.because) <= off.keys()
        assert all(part in row.text for part in (row.id, *row.because))


def texts(rows: tuple[Unreachable, ...]) -> dict[str, str]:
    """Return the sentences by part."""
    return {row.id: row.text for row in rows}


def test_dependence_a_second_way_stands_when_the_first_is_cut_off() -> None:
    """A device of a package that is cut off stays where a link joins it to one that is not."""
    pairs = [
        ("package:0", "package:1"),
        ("package:1", "package:2"),
        ("package:2", "device:gpu0"),
    ]
    wires = {way for a, b in pairs for way in ((a, b), (b, a))}
    off = {"package:1": "off", "core:0": "off", "core:1": "off"}
    machine = board(off, wires)
    lost = {row.id for row in unreachable(machine)}
    assert (
        lost == {name for name in machine.objects if machine.unusable(name)} == walked(machine, off)
    )
    assert {"package:0", "numa:0", "bridge:0", "pci:0000:01:00.0"} <= lost
    assert not {"device:gpu0", "numa:2"} & lost


def test_dependence_a_bus_controller_takes_what_is_behind_it() -> None:
    """Functions, devices and device memory behind a bridge are named with the bridge."""
    found = texts(dependents(board({}, set()), "bridge:0"))
    assert found.keys() == {"pci:0000:01:00.0", "device:gpu0", "numa:2"}
    assert found["pci:0000:01:00.0"] == (
        "pci:0000:01:00.0 is unreachable: bridge:0 above it is off"
    )


@pytest.mark.parametrize(
    ("part", "state", "memory", "pus"),
    [
        ("package:0", "off", {0, 2, 3}, {0, 1, 2}),
        ("package:0", "absent", {0, 2, 3}, {0, 1, 2}),
        ("package:0", "sleep", set(), {0, 1, 2}),
        ("core:1", "off", set(), {2}),
        ("memcache:0", "off", {0}, set()),
        ("device:gpu0", "sleep", {2}, set()),
        ("machine:0", "sleep", {0, 1, 2, 3}, {0, 1, 2, 3, 4, 5}),
    ],
)
def test_dependence_memory_goes_with_power_not_with_sleep(
    part: str, state: str, memory: set[int], pus: set[int]
) -> None:
    """A package without power takes its memory and buses, a sleeping one only its PUs.

    numa:3 hangs at a core, to which it is merely local; a package takes it along all the same.
    """
    machine = hypothetical(board({}, set()), part, state)
    assert set(machine.numa) - set(machine.usable_numa) == memory
    assert set(machine.pus) - set(machine.usable_pus) == pus


def test_dependence_the_smaller_side_of_a_cut_is_unreachable() -> None:
    """In the chain 1 - 2 - 0 - 3 package 2 takes package 1 along, which has power."""
    chain = {("package:1", "package:2"), ("package:2", "package:0"), ("package:0", "package:3")}
    machine = board({"package:2": "off"}, chain | {(b, a) for a, b in chain})
    assert machine.usable_pus == (0, 1, 2, 5)
    found = texts(unreachable(machine))
    assert found["pu:3"] == (
        "pu:3 is unreachable: no path over the links leads there any more, package:2 is off"
    )
    asleep = board({"package:2": "sleep"}, chain | {(b, a) for a, b in chain})
    assert asleep.usable_pus == (0, 1, 2, 3, 5)
    assert asleep.hops("package:1", "package:0") == 2


def test_dependence_a_link_that_was_never_stated_is_no_cut() -> None:
    """Parts that no path joined before are not unreachable because something else is off."""
    machine = board({"bridge:0": "off", "package:3": "off"}, {("package:0", "package:1")})
    assert {0, 1, 2, 3, 4} == set(machine.usable_pus)


def test_dependence_services_go_with_the_part_they_run_on() -> None:
    """A task on a sleeping core is unreachable, with the core as the reason."""
    machine = grown("package:1 core:2 pu:2", Fact("service", ("nfsd", "pu:2")),
                    Fact("power", ("core:1", "sleep")))  # fmt: skip
    row = next(row for row in unreachable(machine) if row.id == "service:nfsd")
    assert row.because == ("core:1",)
    assert row.text == (
        "service nfsd is unreachable: it runs on pu:2, and core:1 around it is asleep"
    )


def test_dependence_hot_plug_gives_everything_back() -> None:
    """A newer statement that the part is present again holds, and nothing is unreachable."""
    out = Fact("presence", ("package:1", "absent"), by="agent", when="2026-01-01T00:00:00")
    back = Fact("presence", ("package:1", "present"), by="operator", when="2026-01-02T00:00:00")
    assert unreachable(grown("package:2 numa:1 core:2 pu:1", out))
    assert unreachable(grown("package:2 numa:1 core:2 pu:1", out, back)) == ()


def test_dependence_hypothetical_asks_for_a_part_and_a_state() -> None:
    """What is not there, or no state, is refused by name."""
    with pytest.raises(NotFoundError, match="package:9"):
        dependents(bundled("tyan-s4985"), "package:9")
    with pytest.raises(RequestError, match="off, sleep, absent"):
        dependents(bundled("tyan-s4985"), "package:1", "broken")


def test_dependence_large_machine_is_answered() -> None:
    """A core of the mesh takes its PU and nothing else."""
    assert [row.id for row in dependents(bundled("mesh-1024"), "core:5")] == ["pu:5"]
