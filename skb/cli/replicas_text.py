"""The answer of `replicas` in words for people."""

from __future__ import annotations

from typing import Any

from skb.cli.output import number, table
from skb.wording import counted, spans

SHOWN_ROWS = 24


def print_replicas(answer: dict[str, Any]) -> None:
    """Print each object: its domains, its operations, and where another choice becomes the best."""
    for name, told in answer["objects"].items():
        _object(name, told)


def _object(name: str, told: dict[str, Any]) -> None:
    count = told["replicas"]
    text = f"{name}: {counted(count, 'replica')}"
    if count > 1:
        text += f", one per {told['granularity']}, messages between; coordinator"
        text += f" pu:{told['coordinator']}"
    print(text)
    rows = [
        [
            row["part"],
            spans(row["pus"]),
            "" if row["inside"] == "alone" else row["inside"],
            row["leader"],
            row["numa_node"],
            row["read_ns"],
            row["apply_ns"],
        ]
        for row in told["domains"]
    ]
    head = ["domain", "PUs", "shared by", "leader", "NUMA node", "read, ns", "update, ns"]
    table(head, rows[:SHOWN_ROWS])
    if len(rows) > SHOWN_ROWS:
        print(f"… and {len(rows) - SHOWN_ROWS} more domains; --json has all")
    rows = [
        [
            each,
            row["consistency"],
            row["protocol"],
            row["per_s"],
            row["latency_ns"]["mean"],
            row["latency_ns"]["worst"],
        ]
        for each, row in told["operations"].items()
    ]
    table(["operation", "consistency", "protocol", "per s", "ends after, ns", "at most, ns"], rows)
    for row in told["crossovers"]:
        rate = number(row["updates_per_s"])
        print(f"  {row['side']} {rate} updates per second {_best(row['best'])}")


def _best(word: str) -> str:
    return "no choice may be" if word == "none may be" else f"one per {word} is best"
