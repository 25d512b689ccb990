"""What all tests share: every test has its own database."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point `SKB_DB` at a fresh file, so that no test sees the user's data or another test's."""
    url = f"sqlite:///{tmp_path / 'skb.sqlite3'}"
    monkeypatch.setenv("SKB_DB", url)
    return url
