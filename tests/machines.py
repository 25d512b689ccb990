"""Machines for tests: bundled ones, small synthetic ones, real files beside the checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from skb.knowledge import machine_of
from skb.machine import Machine
from skb.relations import Fact
from skb.resources import bundled_machines
from skb.sources import read, read_path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


# links of three packages in a row, for `grown(tree, extra=CHAIN)`
CHAIN = """
[[link]]
from = "package:0"
to = "package:1"
kind = "x"
[[link]]
from = "package:1"
to = "package:2"
kind = "x"
"""


@cache
def bundled(name: str) -> Machine:
    """Return a bundled machine."""
    return machine_of(read_path(bundled_machines()[name]), name)


def grown(tree: str, *facts: Fact, extra: str = "") -> Machine:
    """Return a machine grown from hwloc's synthetic notation, with more facts and TOML."""
    text = f'[machine]\nname = "grown"\n[structure]\ntree = "{tree}"\n{extra}'
    description = read(text.encode(), "grown.toml")
    return Machine("grown", [*description.facts, *facts])


def shared(relative: str) -> Path:
    """Return a real description beside the checkout; skips where it is missing."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"{path} is not here: real descriptions lie beside the checkout only")
    return path
