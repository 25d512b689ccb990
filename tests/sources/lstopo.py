"""Debian's lstopo, where it is installed: what it makes of a file or of this host."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from skb.sources import hwloc
from skb.sources.description import Description
from tests.sources.samples import parents

TOOL = "lstopo-no-graphics"
# names that lstopo's console output and XML use for one kind
_KINDS = {
    "Machine": "machine",
    "Package": "package",
    "Die": "die",
    "Group": "group",
    "NUMANode": "numa",
    "MemCache": "memcache",
    "L3Cache": "l3",
    "L2Cache": "l2",
    "L1dCache": "l1d",
    "L1iCache": "l1i",
    "Core": "core",
    "PU": "pu",
    "Bridge": "bridge",
    "PCIDev": "pci",
    "OSDev": "device",
    "Misc": "misc",
}


def run(*arguments: str) -> str:
    """What lstopo prints; skips where it is not installed or cannot read this."""
    tool = shutil.which(TOOL)
    if tool is None:
        pytest.skip(f"{TOOL} is not installed")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"this lstopo cannot: {done.stderr[:200]}")
    return done.stdout


def counts(path: Path) -> Counter[str]:
    """Objects by kind in all of a file, as lstopo lists its levels."""
    # keeps what it would leave out of a picture
    keep = ("--filter", "all:all", "--disallowed", "--no-collapse")
    text = run("-i", str(path), "--of", "console", *keep, "-v")
    found: Counter[str] = Counter()
    for line in text.splitlines():
        words = line.split()
        if " depth " not in f" {line.strip()} " or len(words) < 3:
            continue
        number, name = line.partition(":")[2].split()[:2]
        found[_KINDS[name.rstrip("0123456789")]] += int(number)
    return found


def this_host() -> Description:
    """This host as lstopo exports it."""
    return hwloc.read(run("--of", "xml").encode(), "lstopo")


def by_kind(description: Description) -> Counter[str]:
    names = [*parents(description), "machine:0"]
    return Counter(name.partition(":")[0] for name in names)
