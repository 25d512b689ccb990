"""Traces for people: Chrome's trace-event JSON, which Perfetto opens."""

import json
from collections.abc import Iterable, Mapping

from simulator.engine import Row
from simulator.protocols.protocol import Protocol, handled_kinds
from simulator.trees import Domains

PS_PER_US = 10**6


def kind_names(protocol: type[Protocol]) -> dict[int, str]:
    """Return a name for each kind of message: that of the method which handles it."""
    return dict(enumerate(handled_kinds(protocol).values()))


def chrome_trace(rows: Iterable[Row], names: Mapping[int, str], domains: Domains = ()) -> str:
    """Return the JSON text of a trace: a track per PU, a process per NUMA node, a slice per row.

    Format: "Trace Event Format", complete events (`ph` X), times in microseconds. A PU that is in
    none of the domains stands in process 0 together with domain 0.
    """
    process = {pu: number for number, domain in enumerate(domains) for pu in domain}
    slices: list[dict[str, object]] = []
    seen: set[int] = set()
    for start, end, pu, kind, operation, source in rows:
        seen.add(pu)
        slices.append(
            {
                "ph": "X",
                "name": names.get(kind, f"kind {kind}"),
                "pid": process.get(pu, 0),
                "tid": pu,
                "ts": start / PS_PER_US,
                "dur": (end - start) / PS_PER_US,
                "args": {"operation": operation, "from": source},
            }
        )
    tracks: list[dict[str, object]] = [
        {
            "ph": "M",
            "name": "thread_name",
            "pid": process.get(pu, 0),
            "tid": pu,
            "args": {"name": f"PU {pu}"},
        }
        for pu in sorted(seen)
    ]
    return json.dumps({"displayTimeUnit": "ns", "traceEvents": tracks + slices})
