"""The only place that knows where data files lie, in a wheel or in a checkout."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def cache_folder(name: str, base: str | None = None) -> str:
    """Return a folder below the user's cache, made where it is missing, or below another one; empty
    where none can be written.
    """
    if not base:
        import platformdirs

        base = platformdirs.user_cache_dir("skb")
    found = Path(base) / name
    try:
        found.mkdir(parents=True, exist_ok=True)
        (found / "writable").touch()
    except OSError:
        return ""
    return str(found)


@cache
def folder(kind: str) -> Path:
    """Return the folder of one kind of data: `facts` or `rules`."""
    shipped = _HERE / "_data" / kind
    return shipped if shipped.is_dir() else _HERE.parent / kind


def relations_file() -> Path:
    return folder("facts") / "relations.toml"


def defaults_file() -> Path:
    return folder("facts") / "defaults.toml"


def bundled_machines() -> dict[str, Path]:
    """Return the bundled machine descriptions by name."""
    return {path.stem: path for path in sorted((folder("facts") / "machines").glob("*.toml"))}


def measured_tables() -> Path:
    """Return the folder of bundled tables of measured message costs, with its index."""
    return folder("facts") / "measured"


def rules_file(name: str) -> Path:
    """Return a file of rules by its path below `rules/`, such as `placement/placement.lp`."""
    return folder("rules") / name
