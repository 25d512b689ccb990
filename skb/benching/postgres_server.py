"""A PostgreSQL server of one's own for a while, from the binaries that are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skb.errors import SkbError

_USERS = ("postgres", "nobody")
_SETTINGS = ("listen_addresses=", "max_connections=50", "shared_buffers=64MB")


def _binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`; Debian keeps them off the PATH."""
    found = [Path(name).resolve().parent for name in (shutil.which("initdb"),) if name]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wanted = ("initdb", "postgres", "pg_ctl")
    return next((f for f in found if all((f / name).exists() for name in wanted)), None)


def missing() -> str:
    """Return why no server can be started here, or an empty string."""
    try:
        import psycopg  # noqa: F401
    except ImportError as fault:
        return (
            f"psycopg cannot be imported ({fault}): pip install 'system-knowledge-base[postgres]'"
        )
    if _binaries() is None:
        return "initdb and postgres are not installed: Debian's package postgresql"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "root may not run postgres, and there is no setpriv"
    return ""


class Server:
    """A running server; it listens on a socket in its own folder alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._binaries = _binaries()
        self._count = 0
        self._prefix: tuple[str, ...] = ()
        if os.geteuid() == 0:
            user = next(name for name in _USERS if _exists(name))
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            ids = (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups")
            self._prefix = ("setpriv", *ids)

    def start(self, *, durable: bool) -> None:
        """Make the cluster where there is none, and start; without `durable` nothing is synced."""
        data = self.folder / "data"
        if not data.exists():
            self._run("initdb", "-D", str(data), "-U", "skb", "-A", "trust", "-N", "-E", "UTF8")
        synced = ("fsync=on",) if durable else ("fsync=off", "full_page_writes=off")
        settings = " ".join(
            f"-c {item}" for item in (*_SETTINGS, f"unix_socket_directories={self.folder}", *synced)
        )
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(data), "-l", log, "-w", "-o", settings, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; `immediate` is as if the power failed."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")

    def database(self) -> str:
        """Make a new database; return its address."""
        import psycopg

        self._count += 1
        name = f"skb{self._count}"
        with psycopg.connect(
            host=str(self.folder), user="skb", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql+psycopg://skb@/{name}?host={self.folder}"

    def _run(self, name: str, *words: str) -> None:
        command = (*self._prefix, f"{self._binaries}/{name}", *words)
        # the server inherits what is open: a pipe would never end
        log = self.folder / "commands"
        with log.open("w") as told:
            done = subprocess.run(
                command, stdout=told, stderr=told, stdin=subprocess.DEVNULL, cwd="/", check=False
            )
        if done.returncode:
            raise SkbError(f"{name} failed: {log.read_text()[-500:]}")


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@contextmanager
def server(*, durable: bool) -> Iterator[Server]:
    """Start a server in a new folder; stop it and remove the folder afterwards."""
    # a socket's path has at most 107 characters, so that pytest's own folders are too deep
    with tempfile.TemporaryDirectory(
        prefix="skb-pg-", dir="/tmp", ignore_cleanup_errors=True
    ) as at:
        running = Server(Path(at))
        running.start(durable=durable)
        try:
            yield running
        finally:
            running.stop("immediate")
