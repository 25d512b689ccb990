"""How long `skb import` of an hwloc XML takes beside `lstopo` reading it, as whole processes.

    python -m tests.bench.import_xml [FILE.xml] [--runs 9]

The two and a bare Python run in turn, so that a busy machine slows all three. Debian's lstopo reads
version 2 at most: it gets the file itself, else our own hwloc export of it, and the figures say so.
Ends with 1 where the import failed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.machines import SHARED

_DEFAULT = SHARED / "hwloc" / "uv-24s384t.v3.xml"
_LSTOPO = "lstopo-no-graphics"


def seconds(command: list[str]) -> float:
    """Run a command once; raises where it fails."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


def twin(file: Path, folder: Path) -> tuple[Path, str]:
    """Return what lstopo can read of a machine, and what that is."""
    if _reads(file):
        return file, "the same file"
    exported = folder / "twin.xml"
    skb = [sys.executable, "-m", "skb.cli.main"]
    command = [*skb, "export", str(file), "--to", "hwloc", "-o", str(exported)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return exported, "our export of it to hwloc 2"
    text = file.read_text(encoding="utf-8")
    text = text.replace('version="3.0"', 'version="2.0"').replace("hwloc3.dtd", "hwloc2.dtd")
    exported.write_text(text, encoding="utf-8")
    return exported, "the same file, called version 2"


def _reads(file: Path) -> bool:
    command = [_LSTOPO, "-i", str(file), "--of", "console"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "PU" in done.stdout


def measure(file: Path, runs: int, folder: Path) -> None:
    """Print minimum and median of each command, and the ratios of the minima."""
    fresh = iter(range(10**6))

    def ours() -> list[str]:
        url = f"sqlite:///{folder / f'{next(fresh)}.sqlite3'}"
        skb = [sys.executable, "-m", "skb.cli.main", "import", str(file)]
        return [*skb, "--name", "m", "--db", url]

    commands: dict[str, Callable[[], list[str]]] = {
        "skb import": ours,
        "python -c pass": lambda: [sys.executable, "-c", "pass"],
    }
    if shutil.which(_LSTOPO):
        read, what = twin(file, folder)
        print(f"lstopo reads {what}")
        commands["lstopo"] = lambda: [_LSTOPO, "-i", str(read), "--of", "console"]
    else:
        print("there is no lstopo here: Debian's package hwloc has it")
    took: dict[str, list[float]] = {name: [] for name in commands}
    for command in commands.values():
        seconds(command())
    for _ in range(runs):
        for name, command in commands.items():
            took[name].append(seconds(command()))
    print(f"{'command':16} {'min s':>8} {'median s':>9} {'skb takes':>10}")
    for name, times in took.items():
        ratio = min(took["skb import"]) / min(times)
        print(f"{name:16} {min(times):8.3f} {statistics.median(times):9.3f} {ratio:8.1f} x")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=_DEFAULT)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    if not given.file.exists():
        parser.error(f"{given.file} is not here: name an hwloc XML")
    with tempfile.TemporaryDirectory() as folder:
        try:
            measure(given.file, given.runs, Path(folder))
        except subprocess.CalledProcessError as fault:
            print(f"{' '.join(fault.cmd)} ended with {fault.returncode}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
