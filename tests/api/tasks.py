"""Tasks that misbehave, for the tests of the workers; they travel by pickle, so they live here."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.worker import Report
from skb.errors import RequestError


@dataclass(frozen=True)
class Quick:
    """Reports twice and answers at once."""

    value: int

    def run(self, report: Report) -> Any:
        report(1, 2)
        report(2, 2)
        return self.value, os.getpid()


@dataclass(frozen=True)
class Stubborn:
    """Ignores every polite signal, starts a child, and does not end."""

    note: Path

    def run(self, report: Report) -> Any:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"])
        self.note.write_text(f"{os.getpid()} {child.pid}")
        while True:
            time.sleep(1)


@dataclass(frozen=True)
class Refusing:
    """Raises an error of the library, with place and mend."""

    def run(self, report: Report) -> Any:
        raise RequestError("no", place="here", mend="do that")


@dataclass(frozen=True)
class Broken:
    """Has a fault."""

    def run(self, report: Report) -> Any:
        return 1 // 0


@dataclass(frozen=True)
class Dying:
    """Takes its process along."""

    def run(self, report: Report) -> Any:
        os._exit(7)
