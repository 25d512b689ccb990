"""Random plans: drawn from a number alone, valid, varied, clean on every protocol."""

import pytest

from simulator.protocols import PROTOCOLS
from simulator.scenario import observe
from simulator.swarm import KINDS, Hunt, broken, hunt, machine, plan, unseen

FEW = 40


@pytest.mark.parametrize("name", PROTOCOLS)
def test_random_plans_break_no_promise(name: str) -> None:
    """A sample of the million that the benchmark runs."""
    found = hunt(PROTOCOLS[name], range(FEW))
    assert [(f.scenario.seed, f.violations) for f in found.failures] == []
    assert found.plans == FEW
    assert all(found.seen[kind] for kind in KINDS)


def test_plan_depends_on_protocol_and_seed_alone() -> None:
    """Drawn twice it is the same, and runs the same; another seed or protocol has another one."""
    raft, commit = PROTOCOLS["raft"], PROTOCOLS["two-phase-commit"]
    assert plan(raft, 7) == plan(raft, 7)
    assert plan(raft, 7) != plan(raft, 8)
    assert plan(raft, 7).faults != plan(commit, 7).faults
    runs = [observe(plan(commit, 11), commit)[1] for _ in range(2)]
    assert runs[0] == runs[1]


def test_plans_cover_small_machines_and_all_kinds() -> None:
    """Two to seven PUs, with and without each kind of fault, most healed."""
    plans = [plan(PROTOCOLS["barrier"], seed) for seed in range(200)]
    assert {len(case.tree.members) for case in plans} == set(range(2, 8))
    states = [frozenset(fault.state for fault in case.faults) for case in plans]
    for state in ("down", "off", "slow", "cut"):
        assert 20 < sum(state in found for found in states) < 180
    assert 50 < sum(case.loss_per_million > 0 for case in plans) < 150
    assert any(not states[at] and not plans[at].loss_per_million for at in range(200))


def test_machines_are_made_once() -> None:
    """A million plans share a few hundred machines."""
    assert machine(5, 3) is machine(5, 3)
    assert machine(5, 3)[0] != machine(5, 4)[0]


def test_hunt_says_what_it_never_came_across() -> None:
    """A hunt without plans has seen nothing; a longer one has aborts, rivals and all handlers."""
    commit = PROTOCOLS["two-phase-commit"]
    assert {"crash", "aborts", "rivals", "handles prepare"} <= set(unseen(commit, Hunt()))
    found = hunt(commit, range(160))
    assert unseen(commit, found) == ()


def test_hunts_add_up() -> None:
    """Two halves are the whole, wherever they ran."""
    barrier = PROTOCOLS["barrier"]
    whole, halves = hunt(barrier, range(20)), Hunt()
    for part in (range(10), range(10, 20)):
        halves.add(hunt(barrier, part))
    assert (halves.plans, halves.events, halves.seen) == (whole.plans, whole.events, whole.seen)


def test_hasty_timeouts_excuse_a_missing_end() -> None:
    """A timeout below two rounds may keep a protocol busy for ever, but makes nothing unsafe."""
    raft = PROTOCOLS["raft"]
    seeds = (seed for seed in range(1000) if plan(raft, seed).timeout_ps > 0)
    cases = [plan(raft, seed) for seed in seeds]
    rounds = [machine(len(case.tree.members), 0)[2] for case in cases]
    assert len(rounds) > 100
    case = next(case for case in cases if case.timeout_ps < 50)
    nodes, _, history = observe(case, raft)
    assert broken(case, raft, history, nodes[0].round_ps) == ()
