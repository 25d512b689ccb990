"""The rows of a request that grows and shrinks: tasks, traffic and groups as a user writes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from skb.engines.placement_seating import Peer
from skb.errors import RequestError
from skb.questions.placement_request import exact

Row = Mapping[str, Any]
GROUPS = ("together", "apart")
# what is said about where all tasks may be
BARS = ("allowed", "busy", "busy_above")
REST = (*BARS, "forced")
# the other task, messages per second, and whether they go there
Talk = tuple[str, Fraction, bool]


def talk_of(name: str, traffic: Sequence[Row]) -> list[Talk]:
    """Return what a task says and hears in these rows."""
    found: list[Talk] = []
    for row in traffic:
        rate = exact(row["messages_per_s"])
        if row["from"] == name:
            found.append((row["to"], rate, True))
        elif row["to"] == name:
            found.append((row["from"], rate, False))
    return found


class Rows:
    """Rows by task, so that one task can be taken out again; `rest` are the other keys."""

    def __init__(self) -> None:
        self.tasks: dict[str, Row] = {}
        self.traffic: list[Row] = []
        self.groups: list[tuple[str, Row]] = []
        self.rest: dict[str, Any] = {}
        self._talk: dict[str, list[Talk]] = defaultdict(list)
        self._scaled: dict[tuple[str, int], tuple[Peer, ...]] = {}
        self._grouped: dict[str, list[tuple[str, Row]]] = defaultdict(list)

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Rows:
        """Return the rows of a whole request."""
        found = cls()
        found.tasks = {row["name"]: row for row in request["task"]}
        found.add(request.get("traffic", ()), request)
        found.rest = {k: request[k] for k in REST if request.get(k) not in (None, [])}
        return found

    def add(self, traffic: Sequence[Row], groups: Mapping[str, Any]) -> None:
        """Add rows of traffic, and groups by kind."""
        self._scaled.clear()
        for row in traffic:
            self.traffic.append(row)
            rate = exact(row["messages_per_s"])
            self._talk[row["from"]].append((row["to"], rate, True))
            if row["to"] != row["from"]:
                self._talk[row["to"]].append((row["from"], rate, False))
        for kind in GROUPS:
            for row in groups.get(kind, ()):
                self.groups.append((kind, row))
                for name in row["tasks"]:
                    self._grouped[name].append((kind, row))

    def remove(self, name: str) -> None:
        """Take out a task with its traffic; groups go on without it."""
        if name not in self.tasks:
            raise RequestError(
                f"{name} is one task of several that `per` makes",
                mend="it leaves with all of them: ask for a new placement",
            )
        del self.tasks[name]
        traffic = [row for row in self.traffic if name not in (row["from"], row["to"])]
        groups: dict[str, list[Row]] = {kind: [] for kind in GROUPS}
        for kind, row in self.groups:
            left = [member for member in row["tasks"] if member != name]
            if len(left) > 1:
                groups[kind].append({**row, "tasks": left})
        self.traffic, self.groups = [], []
        self._talk.clear()
        self._grouped.clear()
        self.add(traffic, groups)

    @property
    def busy(self) -> Sequence[str]:
        """The parts that are said to be busy."""
        return tuple(self.rest.get("busy", ()))

    @busy.setter
    def busy(self, parts: Sequence[str]) -> None:
        self.rest.pop("busy", None)
        if parts:
            self.rest["busy"] = list(dict.fromkeys(parts))

    def groups_of(self, name: str) -> list[tuple[str, Row]]:
        return self._grouped.get(name, [])

    def peers(self, name: str, scale: int) -> tuple[Peer, ...]:
        """Return whom a task talks to, with whole rates in the scale."""
        key = (name, scale)
        if key not in self._scaled:
            self._scaled[key] = scaled(self._talk.get(name, ()), scale)
        return self._scaled[key]

    def request(self) -> dict[str, Any]:
        """Return the request without a placement that is in force."""
        found: dict[str, Any] = {"task": [dict(row) for row in self.tasks.values()]}
        if self.traffic:
            found["traffic"] = [dict(row) for row in self.traffic]
        for kind in GROUPS:
            rows = [dict(row) for other, row in self.groups if other == kind]
            if rows:
                found[kind] = rows
        return {**found, **self.rest}


def scaled(talk: Sequence[Talk], scale: int) -> tuple[Peer, ...]:
    """Return rates as whole numbers; peers with one direction are added up."""
    found: dict[tuple[str, bool], int] = {}
    for other, rate, out in talk:
        found[other, out] = found.get((other, out), 0) + int(rate * scale)
    return tuple((other, rate, out) for (other, out), rate in found.items() if rate)
