"""Write the outputs of the docs' examples anew: `python -m tests.refresh_docs`.

Look at the difference before you commit it: the examples are what the tests hold the program to.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _outcome(command: str) -> str:
    from skb.cli.main import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(shlex.split(command)[1:])
    lines = [line.rstrip() for line in said.getvalue().strip("\n").splitlines()]
    return "\n".join(lines) + "\n"


def _refreshed(block: re.Match[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKB_DB"] = f"sqlite:///{folder}/docs.sqlite3"
        return _rewritten(block)


def _rewritten(block: re.Match[str]) -> str:
    parts = re.split(r"^\$ ", block.group(1), flags=re.MULTILINE)[1:]
    commands = [part.partition("\n")[0] for part in parts]
    return "```console\n" + "".join(f"$ {each}\n{_outcome(each)}" for each in commands) + "```"


def main() -> None:
    """Run every example of the README and the docs, each block with a database of its own."""
    os.chdir(ROOT)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        page.write_text(_BLOCK.sub(_refreshed, page.read_text()))


if __name__ == "__main__":
    main()
