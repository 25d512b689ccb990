"""The compiled engine against the reference: the same run to the last picosecond.

Every protocol runs compiled on random worlds; every planted fault, and what random worlds reach
seldom, runs on the same kernel and lowered text as plain Python, where each index and each number
is looked at. `skb bench simulator --suite arms` compares many more plans.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.draws import draw
from simulator.engines import WORTH, player
from simulator.errors import SimulatorError
from simulator.faults import Fault
from simulator.kernel_node import draw as kernel_draw
from simulator.planted import planted
from simulator.playing import Player, play
from simulator.protocols import PROTOCOLS
from simulator.protocols.protocol import Message, PerItem, Protocol, Start, message, on
from simulator.result import Result
from simulator.scenario import Scenario, run, simulate
from simulator.swarm import plan
from skb.benching.simulator_arms import refined
from skb.engines.compiling_simulator import folder
from tests.simulator.interpreted import interpreter
from tests.simulator.worlds import TWO_LEVELS, random_costs, random_trees, scenario


def compiled(protocol: type[Protocol]) -> Player:
    """Return the compiled engine, kept from test to test and from session to session."""
    pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    return player(protocol, "compiled", folder())


def same(case: Scenario, protocol: type[Protocol], engine: Player) -> Result:
    """Run a scenario on the reference and on an engine, compare all that is left, return it."""
    found: list[Any] = []

    def kept(runs: Player) -> Player:
        def played(setting: Any, progress: Any) -> Any:
            found.append(runs(setting, progress))
            return found[-1]

        return played

    case = replace(case, digest=True, trace=True)
    expected = simulate(case, protocol, None, kept(play))
    other = simulate(case, protocol, None, kept(engine))
    assert other == expected
    for name in ("entries", "proposals", "busy_ps", "rows", "came_ps", "digest", "events", "links"):
        assert getattr(found[1], name) == getattr(found[0], name), name
    assert list(found[1].finished.items()) == list(found[0].finished.items())
    return expected


@pytest.mark.parametrize("name", PROTOCOLS)
def test_compiled_protocol_runs_as_the_reference_does(name: str) -> None:
    """Random machines, trees, loads, links, polling and faults, by the number."""
    protocol = PROTOCOLS[name]
    engine = compiled(protocol)
    events = 0
    for number in range(16):
        case = refined(replace(plan(protocol, number), event_limit=2000), number)
        events += same(case, protocol, engine).events
    assert events > 200


@pytest.mark.parametrize("name", PROTOCOLS)
def test_planted_faults_run_as_the_reference_does(name: str) -> None:
    """Random worlds, on the lowered text as plain Python."""
    for number, fault in enumerate(planted().get(name, ())):
        case = replace(plan(PROTOCOLS[name], number), event_limit=250)
        same(refined(case, number), fault.protocol, interpreter(fault.protocol))


@settings(max_examples=12, deadline=None)
@given(st.data(), st.sampled_from(sorted(PROTOCOLS)))
def test_interpreted_protocol_runs_as_the_reference_does(data: st.DataObject, name: str) -> None:
    """Any tree and any costs, with the checks of plain Python on each number."""
    protocol = PROTOCOLS[name]
    tree = data.draw(random_trees())
    case = Scenario(
        data.draw(random_costs(tree.members)),
        tree,
        "random",
        name,
        operations=data.draw(st.integers(1, 6)),
        outstanding=data.draw(st.integers(1, 3)),
        interval_ps=data.draw(st.sampled_from([None, 1, 700])),
        seed=data.draw(st.integers(0, 1 << 64)),
        event_limit=1500,
    )
    same(refined(case, data.draw(st.integers(0, 15))), protocol, interpreter(protocol))


@given(st.integers(-(1 << 70), 1 << 70), st.integers(0, (1 << 63) - 1), st.integers(1, 1 << 60))
def test_kernel_draws_as_the_reference_does(seed: int, number: int, bound: int) -> None:
    """The seed is mixed once before the run, in plain Python."""
    from simulator.compiled_arrays import signed
    from simulator.draws import splitmix64

    assert kernel_draw(signed(splitmix64(seed)), number, bound) == draw(seed, number, bound)


@message
class Flood(Message):
    """One of very many."""


class Flooding(Protocol):
    """One handler sends and records more than any buffer holds at first."""

    name = "flooding"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    many: int

    @on(Start)
    def start(self, m: Start) -> None:
        """Send and record."""
        for number in range(3000):
            self.send(self.reporter, Flood(number))
            self.record(number, 1, number)
        self.done(m.op, 1)

    @on(Flood)
    def flood(self, m: Flood) -> None:
        """Count."""
        self.many += 1


class Outside(Protocol):
    """A handler looks behind the end of a field."""

    name = "outside"
    starts = "root"
    reports = "one"
    promises = ()
    phases = ()

    kept: PerItem

    @on(Start)
    def start(self, m: Start) -> None:
        """Count past the last item."""
        self.kept[self.items] = 1


def test_kernel_begins_anew_where_one_handler_says_more_than_fits() -> None:
    """Nothing is lost, cut off or corrupted."""
    case = scenario("single-phase-commit", operations=2)
    assert same(case, Flooding, interpreter(Flooding)).events == 2 + 2 * 3000


def test_kernel_grows_where_more_is_under_way_than_fits() -> None:
    """Rows are added between two events, and what is due stays in order."""
    case = scenario("single-phase-commit", operations=900, interval_ps=1)
    assert same(case, PROTOCOLS["atomic-broadcast"], interpreter(PROTOCOLS["atomic-broadcast"]))


def test_index_outside_of_a_field_is_an_error() -> None:
    """As it is on the reference, where Python raises it."""
    case = scenario("single-phase-commit")
    with pytest.raises(IndexError):
        simulate(case, Outside)
    with pytest.raises(SimulatorError, match="outside of a field"):
        simulate(case, Outside, None, interpreter(Outside))


def test_digest_may_be_left_out() -> None:
    """Nothing else changes, on either engine."""
    case = scenario("two-phase-commit", operations=5, conflict_per_mille=500)
    without = replace(case, digest=False)
    engine = interpreter(PROTOCOLS["two-phase-commit"])
    for runs in (play, engine):
        result = simulate(without, PROTOCOLS["two-phase-commit"], None, runs)
        assert result.trace_digest == ""
        whole = simulate(case, PROTOCOLS["two-phase-commit"], None, runs)
        assert replace(result, trace_digest=whole.trace_digest) == whole


def test_progress_is_told_alike() -> None:
    """As often, with the same numbers."""
    case = scenario("reduction", operations=250)
    told: list[list[tuple[int, int]]] = [[], []]
    for number, engine in enumerate((play, interpreter(PROTOCOLS["reduction"]))):
        rows = told[number]
        simulate(case, PROTOCOLS["reduction"], lambda *row, rows=rows: rows.append(row), engine)
    assert told[0] == told[1]
    assert len(told[0]) == 125


def test_short_run_never_waits_for_the_compiler(tmp_path: Any) -> None:
    """Only a long run takes the compiled engine of itself, and only where it is there."""
    protocol = PROTOCOLS["reduction"]
    assert player(protocol, "auto", str(tmp_path), WORTH) is play
    assert player(protocol, "plain", folder(), WORTH) is play
    engine = compiled(protocol)
    assert player(protocol, "auto", folder(), WORTH) is engine
    case = scenario("reduction", operations=3, engine="compiled")
    assert run(case, None, folder()).engine == "compiled"
    assert run(replace(case, engine="plain"), None, folder()).engine == "plain"


def test_two_fates_at_one_instant_and_a_rise() -> None:
    """Crash, power, slowness and a partition together, on the compiled engine."""
    plan_of = (
        Fault(500, 3, "down"), Fault(500, 2, "slow", 400), Fault(2500, 3, "up"),
        Fault(3100, 1, "off"), Fault(5000, 1, "on"), Fault(6000, 4, "cut", 1),
        Fault(8000, 4, "joined"),
    )  # fmt: skip
    for name in ("single-phase-commit", "two-phase-commit"):
        case = scenario(name, TWO_LEVELS, operations=30, outstanding=3, faults=plan_of)
        same(case, PROTOCOLS[name], compiled(PROTOCOLS[name]))
