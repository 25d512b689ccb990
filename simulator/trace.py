"""Traces for people: Chrome's trace-event JSON, which Perfetto opens.

Format: "Trace Event Format" (Google, 2016): complete events (`ph` X), metadata (M), flows from the
sender's slice to the receiver's (s, f), counters (C); times in microseconds.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TextIO

from simulator.costs import MessageCosts
from simulator.engine import Row
from simulator.flights import flights
from simulator.protocols.protocol import Protocol, handled_kinds
from simulator.trees import Domains

PS_PER_US = 10**6

MOST_ROWS = 10**6
"""Rows that are exported at most: Perfetto takes about a gigabyte."""

_CHUNK = 1000
Event = dict[str, object]


def kind_names(protocol: type[Protocol]) -> dict[int, str]:
    """Return a name for each kind of message: that of the method which handles it."""
    return dict(enumerate(handled_kinds(protocol).values()))


def chrome_trace(
    rows: Iterable[Row],
    names: Mapping[int, str],
    domains: Domains = (),
    costs: MessageCosts | None = None,
) -> str:
    """Return the JSON text of a trace; see `write_chrome_trace`."""
    out = io.StringIO()
    write_chrome_trace(out, rows, names, domains, costs)
    return out.getvalue()


def write_chrome_trace(
    out: TextIO,
    rows: Iterable[Row],
    names: Mapping[int, str],
    domains: Domains = (),
    costs: MessageCosts | None = None,
    came_ps: Sequence[int] = (),
    window: tuple[int, int] | None = None,
    limit: int = MOST_ROWS,
) -> int:
    """Write a trace piece by piece, and return how many of the rows are in it.

    There is a track per PU and per cache line, a process per domain, a slice per row, a counter
    of the operations under way, and, where `costs` are given, an arrow per message, exact where
    `came_ps` says when each row's message had come. `window` is
    (first, last) in picoseconds: rows that overlap it are written. A PU that is in none of the
    domains stands in process 0 together with domain 0.
    """
    first, last = window or (0, 1 << 62)
    ordered = list(rows)
    inside = [at for at, row in enumerate(ordered) if row[1] >= first and row[0] <= last][:limit]
    kept = [ordered[at] for at in inside]
    came = [came_ps[at] for at in inside] if came_ps else []
    process = {pu: number for number, domain in enumerate(domains) for pu in domain}
    out.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
    comma = ""
    for chunk in _chunks(_events(kept, names, process, domains, costs, came)):
        out.write(comma + ",\n".join(json.dumps(event) for event in chunk))
        comma = ",\n"
    out.write("\n]}\n")
    return len(kept)


def _chunks(events: Iterator[Event]) -> Iterator[list[Event]]:
    chunk: list[Event] = []
    for event in events:
        chunk.append(event)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _events(
    rows: Sequence[Row],
    names: Mapping[int, str],
    process: Mapping[int, int],
    domains: Domains,
    costs: MessageCosts | None,
    came_ps: Sequence[int],
) -> Iterator[Event]:
    yield from _tracks(sorted({row[2] for row in rows}), process, len(domains))
    for start, end, pu, kind, operation, source in rows:
        yield {
            **_place("X", pu, process, start),
            "name": names.get(kind, f"kind {kind}"),
            "cat": "handler",
            "dur": (end - start) / PS_PER_US,
            "args": {"operation": operation, "from": source},
        }
    if costs is not None:
        for number, flight in enumerate(flights(rows, costs, came_ps)):
            same = {
                "name": names.get(flight.kind, f"kind {flight.kind}"),
                "cat": "message",
                "id": number,
            }
            yield {**_place("s", flight.source, process, flight.sent_ps), **same}
            yield {**_place("f", flight.target, process, flight.begun_ps), **same, "bp": "e"}
    yield from _counters(rows)


def _place(phase: str, pu: int, process: Mapping[int, int], time_ps: int) -> Event:
    return {
        "ph": phase,
        "pid": process.get(pu, 0),
        "tid": _track(pu),
        "ts": time_ps / PS_PER_US,
    }


def _track(pu: int) -> int:
    """Return the number of a track: cache lines come behind every PU that there may be."""
    return pu if pu >= 0 else (1 << 20) - pu


def _tracks(pus: Sequence[int], process: Mapping[int, int], domains: int) -> Iterator[Event]:
    """Name the processes and the tracks, in the order in which they are to be shown."""
    for number in sorted({process.get(pu, 0) for pu in pus}):
        name = f"domain {number}" if domains else "machine"
        yield {"ph": "M", "name": "process_name", "pid": number, "args": {"name": name}}
    for pu in pus:
        name = f"PU {pu}" if pu >= 0 else f"line {-pu - 1}"
        pid, tid = process.get(pu, 0), _track(pu)
        yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": name}}


def _counters(rows: Iterable[Row]) -> Iterator[Event]:
    """Count the operations of which the first handler has begun and the last has not ended."""
    begun: dict[int, int] = {}
    ended: dict[int, int] = {}
    for start, end, _, _, operation, _ in rows:
        begun[operation] = min(start, begun.get(operation, start))
        ended[operation] = max(end, ended.get(operation, end))
    steps = sorted([(time, 1) for time in begun.values()] + [(time, -1) for time in ended.values()])
    under_way = 0
    for at, (time, step) in enumerate(steps):
        under_way += step
        if at + 1 == len(steps) or steps[at + 1][0] != time:
            yield {
                "ph": "C",
                "name": "operations under way",
                "pid": 0,
                "ts": time / PS_PER_US,
                "args": {"operations": under_way},
            }
