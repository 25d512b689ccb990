"""An interrupts decision in words for people: a line for each device and distance."""

from __future__ import annotations

from typing import Any

from skb.cli.output import table
from skb.wording import counted, listed, spans

SHOWN_ROWS = 40


def print_interrupts(answer: dict[str, Any]) -> None:
    """Print where the queues of each device are, what moves, and what multicast reaches."""
    groups: dict[tuple[str, float, str], list[dict[str, Any]]] = {}
    for row in answer["queues"]:
        key = (row["device"].partition(":")[2], row["latency_ns"], row["level"])
        groups.setdefault(key, []).append(row)
    rows = [
        [
            device,
            spans({row["queue"] for row in mine}),
            spans({row["pu"] for row in mine}),
            level,
            latency,
            sum(row["spilled"] for row in mine),
        ]
        for (device, latency, level), mine in sorted(groups.items(), key=lambda item: item[0][:2])
    ]
    head = ["device", "queues", "PUs", "level", "latency, ns", "spilled"]
    table(head, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more rows; --json has all")
    if moves := answer["moves"]:
        told = [f"{row['irq']} {_from(row['from'])} to {row['to']}" for row in moves]
        print(f"{counted(len(moves), 'interrupt')} to move: {listed(told, 12)}")
    for group in answer["ipi_groups"]:
        pus = spans(group["pus"])
        print(f"an interrupt to PUs {pus} takes {counted(group['writes'], 'write')}")
    for one in answer["steer"]:
        words = f"{one['flow_type']} port {one['dst_port']} of {one['device'].partition(':')[2]}"
        print(f"{words} goes to queue {one['queue']}, for {one['consumer']}")


def _from(pus: list[int] | None) -> str:
    return f"from {spans(pus)}" if pus else "from wherever it is"
