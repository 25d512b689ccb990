"""The log of changes, and those who are told of each commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from skb.errors import StoreError
from skb.relations import Fact
from skb.store.core import Core
from skb.store.database import Session

_PAGE = 500
_LOOK_S = 0.2
_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the log: `kind` is load, write or delete."""

    revision: int
    machine: str
    kind: str
    asserted: tuple[Fact, ...]
    retracted: tuple[Fact, ...]
    at: str


Callback = Callable[[Change], None]


class Log(Core):
    """Changes in the order of their commits."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._listeners: list[Callback] = []
        self._telling = threading.RLock()
        self._told = 0
        self._watching: threading.Thread | None = None
        self._stopped = threading.Event()

    def close(self) -> None:
        self._stopped.set()
        if self._watching is not None:
            self._watching.join()
        super().close()

    def history(self, name: str, since: int = 0) -> tuple[Change, ...]:
        """Return the changes of a machine after a revision, oldest first."""
        with self._database.reading() as session:
            rows = session.rows("history", machine=name, since=since)
        return tuple(map(self._change, rows))

    def head(self) -> int:
        """Return the revision of the last commit, 0 before the first."""
        with self._database.reading() as session:
            return int(session.rows("head")[0][0])

    def changes(self, since: int, limit: int, machine: str | None = None) -> tuple[Change, ...]:
        """Return the first changes after a revision, of all machines or of one."""
        with self._database.reading() as session:
            if machine is None:
                rows = session.rows("changes", since=since, count=limit)
            else:
                rows = session.rows("changes_of", since=since, count=limit, machine=machine)
        return tuple(map(self._change, rows))

    def on_commit(self, callback: Callback) -> Callable[[], None]:
        """Call back with each change from now on, once and in order; return what ends that.

        Changes of this process come before the method that made them returns, in its thread; those
        of other processes within some 20 ms, in a thread of ours. What a callback raises is logged;
        it may read and mark, and must not add to the log. For the service's watch hub.
        """
        with self._telling:
            if self._watching is None:
                self._watching = threading.Thread(target=self._watch, name="skb-log", daemon=True)
                self._told = self.head()
                self._watching.start()
            else:
                self._tell()
            self._listeners.append(callback)

        def leave() -> None:
            with self._telling:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return leave

    # ------------------------------------------------------------ inside
    @contextmanager
    def _committing(self) -> Iterator[Session]:
        """A transaction that adds to the log."""
        with self._database.changing() as session:
            yield session
        if self._listeners:
            # the change is committed: a reading that fails now is the watching thread's to repeat
            with suppress(StoreError):
                self._tell()

    def _tell(self) -> None:
        with self._telling:
            while found := self.changes(self._told, _PAGE):
                for change in found:
                    self._told = change.revision
                    for callback in tuple(self._listeners):
                        try:
                            callback(change)
                        except Exception:
                            # what was committed stays so, whatever becomes of the news of it
                            import logging

                            logging.getLogger(__name__).exception("a listener failed")

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                waiter = self._database.waiter()
                try:
                    while not self._stopped.is_set():
                        self._tell()
                        waiter.wait(_LOOK_S)
                finally:
                    waiter.close()
            except StoreError:
                # a server that restarts: what was committed meanwhile is told afterwards
                self._stopped.wait(_AGAIN_S)

    def _change(self, row: Any) -> Change:
        revision, machine, kind, asserted, retracted, at = row
        return Change(revision, machine, kind, self._facts(asserted), self._facts(retracted), at)
