"""What `skb simulate --compare QUESTION` prints and draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skb.cli.output import number, print_json, save, say, table
from skb.cli.simulating_shown import Progress

if TYPE_CHECKING:
    from skb.machine import Machine

ROUTES, PROTOCOLS, SHARING, SHOOTDOWN = "routes", "protocols", "sharing", "shootdown"
DRAW = "--draw"
QUESTIONS = (ROUTES, PROTOCOLS, SHARING, SHOOTDOWN)


def split(words: Sequence[str], compare: bool) -> tuple[str | None, str]:
    """Return the scenario and the question among the words of the command line.

    A word that is a question is one only beside `--compare`; `./routes` is a file. Raises
    `RequestError` where there are too many words.
    """
    from skb.errors import RequestError

    questions = [word for word in words if compare and word in QUESTIONS]
    rest = [word for word in words if not compare or word not in QUESTIONS]
    if len(questions) > 1 or len(rest) > 1:
        kinds = "one scenario and one question" if compare else "one scenario"
        raise RequestError(
            f"{' '.join(words)!r} is more than {kinds}",
            place="simulate",
            mend=f"questions behind --compare are: {', '.join(QUESTIONS)}",
        )
    return rest[0] if rest else None, questions[0] if questions else ROUTES


def answer(
    question: str,
    machine: Machine,
    raw: Mapping[str, Any],
    json: bool,
    draw: Path | None,
) -> bool:
    """Answer one of the questions about protocols, as a table, as JSON and as a drawing.

    Tells whether safety was violated.
    """
    from skb.comparing_protocols import SHARING as sharing
    from skb.comparing_protocols import SHOOTDOWN as shootdown
    from skb.comparing_protocols import against, alternatives
    from skb.knowledge import decide

    latencies: Mapping[str, Sequence[int]] = {}
    with Progress() as progress:
        if question == PROTOCOLS:
            found, latencies = alternatives(machine, raw, decide, progress.step)
        else:
            versus = sharing if question == SHARING else shootdown
            found = against(machine, raw, decide, versus, progress.step)
    if json:
        print_json(found)
    elif question == PROTOCOLS:
        _print_alternatives(found)
    else:
        _print_against(found)
    if draw is not None:
        save(_latencies(found, latencies) if question == PROTOCOLS else _lines(found), draw, DRAW)
        say(f"{draw}: drawn")
    return any(row.get("violations") for row in found["rows"])


def _latencies(found: Mapping[str, Any], latencies: Mapping[str, Sequence[int]]) -> str:
    from skb.draw.simulation_latency import latency_svg

    return latency_svg(
        f"Protocols on {found['machine']}",
        f"to {found['job']}; one operation at a time, each over its best route",
        latencies,
    )


def _lines(found: Mapping[str, Any]) -> str:
    from skb.draw.simulation_load import load_svg

    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in found["rows"]:
        lines.setdefault(row["protocol"], []).append(row)
    first, second = found["sides"]
    return load_svg(
        f"{first.capitalize()} and {second} on {found['machine']}",
        verdict(found),
        "members",
        "members",
        lines,
    )


def _print_alternatives(found: Mapping[str, Any]) -> None:
    print(f"protocols to {found['job']}, on {found['machine']}")
    columns = {
        "protocol": "protocol",
        "best route": "route",
        "mean ns": "mean_ns",
        "p99 ns": "p99_ns",
        "per second": "throughput_per_s",
        "messages": "messages",
        "busy ns": "busy_ns",
        "survives": "survives",
        "violations": "violations",
    }
    rows = [row for row in found["rows"] if "refused" not in row]
    table(list(columns), [[_short(row[key], key) for key in columns.values()] for row in rows])
    for row in found["rows"]:
        if "refused" in row:
            print(f"{row['protocol']}: {row['refused']}")
    print("latency, messages and busy time of one operation at a time; throughput of many at once")


def _short(value: Any, key: str) -> Any:
    """Return a number without decimals that nobody reads."""
    if not isinstance(value, float):
        return value
    return round(value) if key in ("throughput_per_s", "busy_ns") else round(value, 1)


def _print_against(found: Mapping[str, Any]) -> None:
    key = found["by"]
    names = list(dict.fromkeys(row["protocol"] for row in found["rows"]))
    words = "mean latency in ns" if key == "mean_ns" else "operations per second"
    print(f"{' against '.join(found['sides'])} on {found['machine']}: {words}, by members")
    cells: dict[int, dict[str, Any]] = {}
    for row in found["rows"]:
        cells.setdefault(row["members"], {})[row["protocol"]] = row[key]
    table(
        ["members", *names],
        [
            [count, *(_short(line.get(name), key) for name in names)]
            for count, line in sorted(cells.items())
        ],
    )
    print(verdict(found))
    if found["left_out"]:
        print(f"{found['left_out']} more PUs were left out; --members says who takes part")
    for name, why in found["refused"].items():
        print(f"{name}: {why}")
    bad = sum(row["violations"] for row in found["rows"])
    if bad:
        print(f"{number(bad)} safety violations")


def verdict(found: Mapping[str, Any]) -> str:
    """Say which side is better, and from how many members on."""
    first, second = found["sides"]
    if found["crossover"] is not None:
        return f"{second} are better from {found['crossover']} members on"
    good = [count for count, side in found["ahead"].items() if side == second]
    if good:
        return f"{second} are better at {', '.join(good)} members, {first} at the others"
    most = max((row["members"] for row in found["rows"]), default=0)
    return f"up to {most} members {second} are not better than {first}"
