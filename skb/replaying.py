"""Failures of the simulator that were written down, and running them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skb
from skb.errors import RequestError

if TYPE_CHECKING:
    from simulator.protocols.protocol import Protocol
    from simulator.swarm import Failure


def write_failure(failure: Failure, protocol: type[Protocol], path: Path) -> None:
    """Write a failure to a JSON file that `skb simulate --replay` takes."""
    from simulator.reports import report

    found = report(failure.scenario, protocol, failure.violations, skb.__version__)
    path.write_text(json.dumps(found, indent=1) + "\n")


def replay(path: Path) -> dict[str, Any]:
    """Run the failure of a file again; return what it did now beside what the file says.

    `same_protocol` and `same_trace` say whether the sources are those of the file, and whether
    every handler ran at the same picosecond. Raises `RequestError` where the file is no failure.
    """
    from simulator import SimulatorError
    from simulator.reports import protocol_hash, rerun

    raw = _read(path)
    try:
        again = rerun(raw)
    except SimulatorError as fault:
        raise RequestError(str(fault), place=str(path)) from fault
    scenario, played = again.scenario, again.played
    return {
        "protocol": scenario.protocol,
        "planted": raw["planted"],
        "seed": scenario.seed,
        "version": {"recorded": raw.get("version"), "now": skb.__version__},
        "same_protocol": raw.get("protocol_hash") == protocol_hash(again.protocol),
        "same_trace": raw.get("trace_digest") == played.digest,
        "trace_digest": played.digest,
        "ended": played.ended,
        "events": played.events,
        "faults": [
            {"time_ps": f.time_ps, "pu": f.pu, "state": f.state, "value": f.value}
            for f in scenario.faults
        ],
        "recorded": list(raw.get("violations", ())),
        "violations": list(again.violations),
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return what a replay has found, for people."""
    same = "the same trace" if found["same_trace"] else "another trace"
    source = "the same protocol" if found["same_protocol"] else "the protocol has changed since"
    named = f"{found['protocol']} ({found['planted']})" if found["planted"] else found["protocol"]
    told = [
        f"{named}, seed {found['seed']}: {source}, {same}, {found['events']} events, "
        f"{found['ended']}"
    ]
    told += [
        f"  fault at {row['time_ps']} ps: pu:{row['pu']} {row['state']}"
        + (f" {row['value']}" if row["value"] else "")
        for row in found["faults"]
    ]
    told += [f"  recorded: {sentence}" for sentence in found["recorded"]]
    told += [f"  violation: {sentence}" for sentence in found["violations"]]
    return told


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text())
    except OSError as fault:
        raise RequestError(f"cannot read {path}: {fault.strerror}", place="--replay") from fault
    except (ValueError, RecursionError) as fault:
        raise RequestError(f"{path} is not JSON: {fault}", place="--replay") from fault
    if not isinstance(raw, dict):
        raise RequestError(f"{path} is no report of a failure", place="--replay")
    return raw
