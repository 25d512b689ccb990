"""What the store keeps for the service: tokens, audit log, replies, jobs, and stale decisions."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from skb.errors import NameTakenError, NotFoundError
from skb.relations import Fact
from skb.store import Store, Token
from skb.store.jobs import ATTEMPTS
from tests.machines import grown

BASE = grown("package:2 core:2 pu:1").facts
TOKEN = Token("t1", "rack 7", b"\x00\xff", "salt", "read push", "r7-*", "2026-01-01")


def test_tokens_are_kept_touched_and_revoked_for_ever(store: Store) -> None:
    """A second revocation does not change when the first was."""
    store.add_token(TOKEN)
    with pytest.raises(NameTakenError):
        store.add_token(TOKEN)
    store.touch_token("t1", "2026-02-02")
    assert store.token("t1") == replace(TOKEN, used="2026-02-02")
    store.revoke_token("t1")
    first = store.token("t1").revoked
    store.revoke_token("t1")
    assert first and store.tokens() == (replace(TOKEN, used="2026-02-02", revoked=first),)
    for ask in (store.token, store.revoke_token):
        with pytest.raises(NotFoundError):
            ask("t2")


def test_the_audit_log_is_read_page_by_page(store: Store) -> None:
    """Newest first, and a page begins before the number that ended the last."""
    for count in range(5):
        store.audit("agent", "push", "m", count or None, {"facts": count})
    first = store.audits(limit=2)
    second = store.audits(limit=9, before=first[-1].number)
    assert [line.detail["facts"] for line in (*first, *second)] == [4, 3, 2, 1, 0]
    assert (second[-1].who, second[-1].machine, second[-1].revision) == ("agent", "m", None)


def test_a_request_that_comes_twice_is_worked_on_once(store: Store) -> None:
    """The second sees that it is being done, later what came out, and which request it was."""
    assert store.remember("a", "k", "print") is None
    assert store.remember("b", "k", "print") is None
    running = store.remember("a", "k", "other")
    assert running and (running.fingerprint, running.status) == ("print", None)
    store.replied("a", "k", 201, {"etag": '"3"'}, b"\x00{}")
    done = store.remember("a", "k", "print")
    assert done and (done.status, done.headers, done.body) == (201, {"etag": '"3"'}, b"\x00{}")
    store.forget_replies("2999")
    assert store.remember("a", "k", "print") is None


def test_a_job_is_leased_told_of_and_finished(store: Store) -> None:
    """The lowest priority first, then the oldest; only its worker may end it."""
    late = store.enqueue("sweep", {"n": 1}, priority=5, at=1)
    soon = store.enqueue("sweep", {"n": 2}, owner="me", at=2)
    job = store.lease("w1", 10, at=100)
    assert job and (job.id, job.request, job.state, job.owner) == (soon, {"n": 2}, "running", "me")
    assert store.progress(soon, "w1", 3, 9, 10, at=105)
    assert not store.finish(soon, "w2", {})
    assert store.finish(soon, "w1", {"best": 1.5})
    ended = store.job(soon)
    assert (ended.state, ended.result, ended.done, ended.total) == ("done", {"best": 1.5}, 3, 9)
    assert ended.leased_until == 115
    assert [row.id for row in store.jobs()] == [soon, late]
    with pytest.raises(NotFoundError):
        store.job("x")


def test_a_job_whose_worker_is_lost_goes_to_another_and_not_for_ever(store: Store) -> None:
    """Each lease ends; after so many the job has failed instead of killing one worker more."""
    wanted = store.enqueue("bomb", None, at=0)
    for count in range(ATTEMPTS):
        assert store.lease("early", 10, at=20 * count) is not None
        assert store.lease("second", 10, at=20 * count + 9) is None
    assert not store.progress(wanted, "other", 1, 1, 10)
    assert store.lease("w", 10, at=1000) is None
    assert store.job(wanted).state == "failed"
    assert "lost" in store.job(wanted).error["message"]


def test_a_cancelled_job_tells_its_worker(store: Store) -> None:
    """A queued job is never leased; a running one is told at its next progress."""
    queued, running = store.enqueue("a", 1, priority=1), store.enqueue("b", 2)
    assert store.lease("w", 60) is not None
    assert store.cancel(queued) and store.cancel(running)
    assert not store.progress(running, "w", 1, 2, 60)
    assert not store.finish(running, "w", 1)
    assert not store.cancel(running)
    assert store.lease("w", 60) is None


def _decision(name: str, machine: str, facts: str = "sha256:x") -> dict[str, Any]:
    row = {"id": name, "machine": machine, "revision": 1, "question": "route"}
    return {**row, "provenance": {"facts": facts}}


def test_one_decision_answers_for_all_machines_of_its_facts(store: Store) -> None:
    """It is found by digest, question and key; the first one stays."""
    store.keep(_decision("d1", "m"))
    store.keep(_decision("d1", "m"), [("load", "*")], key="k")
    store.keep(_decision("d2", "n"), key="k")
    store.keep(_decision("d3", "n"))
    found = store.answered("sha256:x", "route", "k")
    assert found and found["id"] == "d1"
    for asked in (
        ("sha256:y", "route", "k"),
        ("sha256:x", "place", "k"),
        ("sha256:x", "route", ""),
    ):
        assert store.answered(*asked) is None
    assert len(store.decisions()) == 3
    assert [row[0] for row in store.mark_stale(2, "m", [Fact("load", ("pu:0", 1))])] == ["d1"]


def test_a_commit_marks_the_decisions_that_have_read_its_facts(store: Store) -> None:
    """By predicate and object, on its own machine, and each decision once."""
    store.keep(_decision("all", "m"), [("load", "*"), ("power", "*")])
    store.keep(_decision("some", "m"), [("load", ["pu:0", "pu:1"])])
    store.keep(_decision("elsewhere", "n"), [("load", "*")])
    fact = Fact("load", ("pu:3", 5))
    assert store.mark_stale(7, "m", [Fact("memory_size", ("numa:0", 1))]) == []
    assert store.mark_stale(8, "m", [fact]) == [("all", "route", fact)]
    other = Fact("load", ("pu:1", 6))
    assert store.mark_stale(9, "m", [fact, other]) == [("some", "route", other)]
    assert store.mark_stale(10, "m", [other]) == []
    assert (store.stale("all"), store.stale("some")) == ((8, fact), (9, other))
    assert store.stale("elsewhere") is None


def test_a_fleet_of_one_shape_stores_its_facts_once(store: Store) -> None:
    """A machine is stored by digest alone; who was written to is of another shape."""
    digest = store.load("a", "rack", BASE).digest
    assert not store.known_shape("sha256:nothing")
    for name in ("b", "c"):
        assert store.known_shape(digest)
        revision = store.load_shape(name, digest)
        assert store.load_shape(name, digest) == revision
        assert store.machine(name).facts == store.machine("a").facts
    store.write("a", [Fact("load", ("pu:0", 1))])
    shapes = {shape.digest: (shape.machines, shape.example) for shape in store.shapes()}
    assert shapes == {digest: (2, "b"), store.machine("a").digest: (1, "a")}
    with pytest.raises(NameTakenError):
        store.load_shape("a", digest)
    assert store.machine("a", store.load_shape("a", digest, replace=True)).digest == digest
    with pytest.raises(NotFoundError):
        store.load_shape("d", "sha256:nothing")


def test_a_machine_knows_when_it_was_heard_of_and_by_whom(store: Store) -> None:
    """The owner stays where none is given."""
    store.load("m", "", BASE)
    assert store.last_seen("m") == (None, None)
    store.seen("m", "2026-01-01", "agent-7")
    store.seen("m", "2026-01-02")
    store.write("m", [Fact("load", ("pu:0", 1))])
    assert store.last_seen("m") == ("2026-01-02", "agent-7")
    with pytest.raises(NotFoundError):
        store.seen("n", "2026-01-01")
