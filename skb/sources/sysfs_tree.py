"""Where Linux's files come from: the running system, a folder with a captured tree, or an archive.

All three answer the same three questions, by paths without a leading slash such as
`sys/devices/system/cpu/online`. What is missing or unreadable is None or empty, never an error,
because virtual machines and containers lack many files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from skb.errors import TooLargeError
from skb.sources import bitmap

# sysfs files have few pages; /proc/cpuinfo of a machine with thousands of PUs is the largest
FILE_LIMIT_BYTES = 16 * 1024 * 1024
_SYS_LIMIT_BYTES = 64 * 1024
# what one description may read; the sets of 4,096 PUs take 60 MiB
_READ_LIMIT_BYTES = 80 * 1024 * 1024
_LINK_LIMIT = 40


class FileTree(Protocol):
    """Read-only access to `/sys` and `/proc` of one machine."""

    def read(self, path: str) -> str | None:
        """The stripped text of a file, None where there is none."""

    def names(self, path: str) -> list[str]:
        """The sorted names in a folder, empty where there is none."""

    def resolve(self, path: str) -> str | None:
        """The path without symbolic links, None where it leads nowhere."""

    def sealed(self, path: str) -> bool:
        """Whether there is a file that nobody may write, as its mode tells; archives tell none."""


class _Budget:
    """Counts what was read; a tree that is too much to read ends with an error, not with time."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._left = _READ_LIMIT_BYTES

    def text(self, content: bytes) -> str:
        """The text of a file; raises `TooLargeError` where all files together are too long."""
        self._left -= len(content)
        if self._left < 0:
            raise TooLargeError(
                f"the files that describe the machine have more than {_READ_LIMIT_BYTES} bytes",
                place=self._place,
                mend="capture the tree again with hwloc-gather-topology",
            )
        return content.decode("utf-8", "replace").strip()


def _limit(path: str) -> int:
    return FILE_LIMIT_BYTES if path.startswith("proc/") else _SYS_LIMIT_BYTES


class FolderTree:
    """A folder: `/` of the running system, or one that holds a captured `sys` and `proc`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._budget = _Budget(str(root))

    def read(self, path: str) -> str | None:
        inside = self._inside(path)
        if inside is None:
            return None
        try:
            if not inside.is_file():
                return None
            with inside.open("rb") as file:
                content = file.read(_limit(path))
        except OSError:
            # sysfs refuses what a device does not know, such as the speed of a link that is down
            return None
        return self._budget.text(content)

    def names(self, path: str) -> list[str]:
        inside = self._inside(path)
        try:
            return sorted(entry.name for entry in inside.iterdir()) if inside else []
        except OSError:
            return []

    def resolve(self, path: str) -> str | None:
        inside = self._inside(path)
        return None if inside is None else inside.relative_to(self._root).as_posix()

    def sealed(self, path: str) -> bool:
        inside = self._inside(path)
        try:
            return inside is not None and inside.is_file() and not inside.stat().st_mode & 0o222
        except OSError:
            return False

    def _inside(self, path: str) -> Path | None:
        """The real path, None where it does not exist or a link leads out of the folder."""
        try:
            inside = (self._root / path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            return None
        return inside if inside.is_relative_to(self._root) else None


@dataclass(slots=True)
class MemoryTree:
    """A tree in memory: contents of files, and targets of symbolic links, by path."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, set[str]] = field(default_factory=dict)
    size: int = 0
    budget: _Budget = field(default_factory=lambda: _Budget("the archive"))

    def add_file(self, path: str, content: bytes) -> None:
        self.files[path] = content
        self.size += len(content)
        self.add_folder(path)

    def add_link(self, path: str, target: str) -> None:
        self.links[path] = target
        self.add_folder(path)

    def add_folder(self, path: str) -> None:
        """Make a path known to the folders above it."""
        while path:
            above, _, name = path.rpartition("/")
            known = self.folders.setdefault(above, set())
            if name in known:
                return
            known.add(name)
            path = above

    def read(self, path: str) -> str | None:
        real = self.resolve(path)
        content = self.files.get(real) if real else None
        return None if content is None else self.budget.text(content[: _limit(path)])

    def names(self, path: str) -> list[str]:
        real = self.resolve(path)
        return [] if real is None else sorted(self.folders.get(real, ()))

    def sealed(self, path: str) -> bool:
        return False

    def resolve(self, path: str) -> str | None:
        waiting = [part for part in reversed(path.split("/")) if part]
        real, followed = "", 0
        while waiting:
            part = waiting.pop()
            if part == ".":
                continue
            if part == "..":
                # a link that climbs out of the archive ends at its top, as in a chroot
                real = posixpath.dirname(real)
                continue
            step = f"{real}/{part}" if real else part
            target = self.links.get(step)
            if target is None:
                real = step
                continue
            followed += 1
            if followed > _LINK_LIMIT:
                return None
            if target.startswith("/"):
                real = ""
            waiting.extend(part for part in reversed(target.split("/")) if part)
        above, _, name = real.rpartition("/")
        return real if not real or name in self.folders.get(above, ()) else None


def read_number(tree: FileTree, path: str) -> int | None:
    """The decimal or 0x number in a file, None where there is none."""
    text = tree.read(path)
    if not text or len(text) > 20:
        return None
    try:
        number = int(text, 16) if text.startswith("0x") else int(text)
    except ValueError:
        return None
    # what needs 64 bits is a flag for unknown
    return number if abs(number) < 1 << 63 else None


def read_words(tree: FileTree, path: str) -> int | None:
    """The set in a file of hexadecimal words, None where there is none."""
    return _set(tree.read(path), bitmap.parse_words)


def read_list(tree: FileTree, path: str) -> int | None:
    """The set in a file such as `0-3,8`, None where there is none."""
    return _set(tree.read(path), bitmap.parse_list)


def _set(text: str | None, parse: Callable[[str], int]) -> int | None:
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError:
        return None


def numbered(tree: FileTree, path: str, prefix: str) -> list[int]:
    """The numbers of the entries `prefixN` in a folder, ascending."""
    tails = (name[len(prefix) :] for name in tree.names(path) if name.startswith(prefix))
    return sorted(
        int(tail) for tail in tails if tail.isascii() and tail.isdigit() and len(tail) < 8
    )
