"""The option `--replay` of the command `simulate`: a failure again, as people read it."""

from __future__ import annotations

from pathlib import Path

from skb.cli.output import print_json


def print_replay(path: Path, json: bool) -> bool:
    """Run the failure of a file again, print what it did, and tell whether safety is violated."""
    from skb.replaying import lines, replay

    found = replay(path)
    if json:
        print_json(found)
    else:
        print("\n".join(lines(found)))
    return bool(found["violations"])
