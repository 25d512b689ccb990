"""Applications of a placement request written out as the tasks and the traffic of their threads.

`[[application]]` is short for one task for each thread (`solver0`, `solver1`, …) with the messages
of a pattern among them; other keys are those of a task and hold for each thread. In traffic,
`together` and `apart` the name of an application stands for all its threads. The decision holds the
request as written out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import field

from skb.errors import RequestError
from skb.machine import Machine
from skb.questions.placement_request import Request, Task, expand, positive, resolved
from skb.questions.question import Raw, read_request

MOST_THREADS = 4096
Pattern = Literal["all", "ring", "master", "none"]
# what a row says of the application itself; the other keys are those of its threads
_OWN = frozenset({"name", "threads", "pattern", "messages_per_s"})
Pairs = Callable[[Sequence[str]], Iterator[tuple[str, str]]]


class Application(Task, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Threads of one program: each sends so many messages per second to each partner."""

    threads: int
    pattern: Pattern = "all"
    messages_per_s: float = 1.0


class Written(Request, forbid_unknown_fields=True, frozen=True):
    """A request as users write it, with applications."""

    task: list[Task] = field(default_factory=list)
    application: list[Application] = field(default_factory=list)


def _all(threads: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((a, b) for a in threads for b in threads if a != b)


def _ring(threads: Sequence[str]) -> Iterator[tuple[str, str]]:
    after = [*threads[1:], threads[0]]
    return ((a, b) for a, b in zip(threads, after, strict=True) if a != b)


def _master(threads: Sequence[str]) -> Iterator[tuple[str, str]]:
    for thread in threads[1:]:
        yield thread, threads[0]
        yield threads[0], thread


def _none(_threads: Sequence[str]) -> Iterator[tuple[str, str]]:
    return iter(())


PATTERNS: dict[str, Pairs] = {"all": _all, "ring": _ring, "master": _master, "none": _none}


def written_out(machine: Machine, raw: Raw) -> Raw:
    """Return the request without applications: their threads are tasks.

    Raises `RequestError` where an application is malformed, or a task has its name.
    """
    if "application" not in raw:
        return raw
    request = read_request(raw, Written, "placement")
    found: dict[str, Any] = {key: value for key, value in raw.items() if key != "application"}
    found["task"] = list(raw.get("task", ()))
    threads: dict[str, list[str]] = {}
    traffic: list[dict[str, Any]] = []
    taken = {task.name for task in request.task}
    for index, (row, own) in enumerate(zip(raw["application"], request.application, strict=True)):
        place = f"application[{index}]"
        each = {key: value for key, value in row.items() if key not in _OWN}
        names = _names(machine, own, each, place)
        if own.name in taken:
            raise RequestError(
                f"a task or an application is called {own.name!r} already",
                place=f"{place}.name",
                mend="rename one",
            )
        taken.add(own.name)
        threads[own.name] = names
        found["task"] += [{**each, "name": name} for name in names]
        if own.messages_per_s:
            traffic += [
                {"from": a, "to": b, "messages_per_s": own.messages_per_s}
                for a, b in PATTERNS[own.pattern](names)
            ]
    found["traffic"] = [*_spoken(raw.get("traffic", ()), threads), *traffic]
    for key in ("together", "apart"):
        if raw.get(key):
            found[key] = [_of_threads(row, threads) for row in raw[key]]
    return found


def _names(machine: Machine, own: Application, each: Mapping[str, Any], place: str) -> list[str]:
    """Return the names of the threads, once one of them is known to be a good task."""
    if not 1 <= own.threads <= MOST_THREADS:
        raise RequestError(
            f"{own.threads} is not a number of threads",
            place=f"{place}.threads",
            mend=f"give 1 to {MOST_THREADS}",
        )
    if own.per is not None:
        raise RequestError(
            "an application has threads, not devices",
            place=f"{place}.per",
            mend="write a [[task]] with per",
        )
    positive(own.messages_per_s, f"{place}.messages_per_s")
    one = {"task": [{**each, "name": own.name}]}
    try:
        expand(machine, resolved(machine, read_request(one, Request, "placement")))
    except RequestError as fault:
        fault.place = fault.place.replace("task[0]", place)
        raise
    return [f"{own.name}{number}" for number in range(own.threads)]


def _spoken(
    rows: Sequence[Mapping[str, Any]], threads: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return rows of traffic for each thread of an application that a row names.

    The first of them takes the row's place and the others come last, so that every row of the user
    keeps its number.
    """
    first, more = [], []
    for row in rows:
        pairs = [
            (a, b)
            for a in threads.get(row["from"], [row["from"]])
            for b in threads.get(row["to"], [row["to"]])
            if a != b or row["from"] == row["to"] == a
        ]
        found = [{**row, "from": a, "to": b} for a, b in pairs]
        first += found[:1]
        more += found[1:]
    return first + more


def _of_threads(row: Mapping[str, Any], threads: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    names = [thread for name in row["tasks"] for thread in threads.get(name, [name])]
    return {**row, "tasks": names}
