"""The store as one thing: what its parts do, and where the database lies."""

from __future__ import annotations

import os
from pathlib import Path

from skb.store.answers import Answers
from skb.store.bulk import Bulk
from skb.store.jobs import Jobs
from skb.store.replies import Replies
from skb.store.shapes import Shapes
from skb.store.tokens import Tokens


def default_url() -> str:
    """Return the database's address: `SKB_DB`, else a file in the user's data folder."""
    if given := os.environ.get("SKB_DB"):
        return given
    import platformdirs

    return f"sqlite:///{Path(platformdirs.user_data_dir('skb')) / 'knowledge.sqlite3'}"


def is_default(url: str | None) -> bool:
    """Tell whether nobody named a database, so that it lies in the user's data folder."""
    return url is None and not os.environ.get("SKB_DB")


class Store(Shapes, Bulk, Answers, Jobs, Tokens, Replies):
    """A database of machines; safe to use from several threads and processes."""

    def __init__(self, url: str | None = None) -> None:
        where = url or default_url()
        # a plain path is a file
        super().__init__(where if "://" in where else f"sqlite:///{where}")
