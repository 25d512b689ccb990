"""Write the outputs of the docs' examples anew: `python -m tests.refresh_docs`.

The message diagrams of the protocols are drawn anew, too; `--pictures` does nothing else.

Look at the difference before you commit it: the examples are what the tests hold the program to.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DECISION = re.compile(r"^decision ([0-9a-f]{16});", re.MULTILINE)


def concrete(command: str, said: str) -> list[str]:
    """Return a command's words; `DECISION` is the one that its block has asked for last."""
    found = _DECISION.findall(said)
    return [found[-1] if word == "DECISION" else word for word in shlex.split(command)]


def _outcome(words: list[str]) -> str:
    from skb.cli.main import main

    # a stream with an encoding, as a terminal has: tables are drawn with its characters
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(words[1:])
    said.seek(0)
    lines = [line.rstrip() for line in said.read().strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def _refreshed(block: re.Match[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKB_DB"] = f"sqlite:///{folder}/docs.sqlite3"
        return _rewritten(block)


def _rewritten(block: re.Match[str]) -> str:
    parts = re.split(r"^\$ ", block.group(1), flags=re.MULTILINE)[1:]
    commands = [part.partition("\n")[0] for part in parts]
    text = ""
    for each in commands:
        text += f"$ {each}\n{_outcome(concrete(each, text))}"
    return f"```console\n{text}```"


def draw_protocols() -> None:
    """Draw one operation of every protocol."""
    from simulator.protocols import PROTOCOLS
    from tests.protocol_pictures import picture

    folder = ROOT / "docs" / "pictures" / "protocols"
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROTOCOLS:
        (folder / f"{name}.svg").write_text(picture(name))


def main() -> None:
    """Run every example of the README and the docs, each block with a database of its own."""
    os.chdir(ROOT)
    draw_protocols()
    if "--pictures" in sys.argv[1:]:
        return
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        page.write_text(_BLOCK.sub(_refreshed, page.read_text()))


if __name__ == "__main__":
    main()
