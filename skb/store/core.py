"""What the parts of the store share: the database, and how times and facts are written."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from skb.errors import StoreError
from skb.relations import Fact
from skb.store.database import Database, open_database, shown

_FACTS = msgspec.json.Decoder(tuple[Fact, ...])


class Core:
    """An open database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._database: Database = open_database(url)

    def close(self) -> None:
        self._database.close()

    def _facts(self, body: bytes) -> tuple[Fact, ...]:
        try:
            return _FACTS.decode(body)
        except msgspec.DecodeError as fault:
            raise self._damaged(f"a change of a machine ({fault})") from fault

    def _damaged(self, what: str) -> StoreError:
        return StoreError(
            f"the database is damaged: {what} cannot be read as it was written",
            place=shown(self.url),
            mend="restore the file from a backup, or import the machine again under another name",
        )


def now() -> str:
    """Return the time as rows bear it; such texts sort as the times do."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
