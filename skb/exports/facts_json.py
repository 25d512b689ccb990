"""JSON: the summary of `skb show --json`, and every fact with its provenance."""

from __future__ import annotations

import json
from typing import Any

from skb.machine import Machine
from skb.relations import Fact, relations

MEDIA_TYPE = "application/json"
SUFFIX = ".json"


def write(machine: Machine) -> tuple[str, tuple[str, ...]]:
    """Write everything that is known, the overruled facts too."""
    document = {**machine.summary(), "facts": [row_of(fact) for fact in machine.facts]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", ()


def row_of(fact: Fact) -> dict[str, Any]:
    """Return a fact as `skb facts --json` prints it; what is not known of its origin is absent."""
    row: dict[str, Any] = {
        "predicate": fact.predicate,
        "args": list(fact.args),
        "source": fact.source,
        "unit": relations()[fact.predicate].unit,
    }
    for name in ("by", "when", "samples", "spread"):
        value = getattr(fact, name)
        if value not in ("", None):
            row[name] = value
    return row
