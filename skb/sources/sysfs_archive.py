"""A captured tree in a tar archive (plain, gzip, bzip2 or xz), read in memory and never unpacked.

`hwloc-gather-topology` writes such archives. Names in an archive are data: nothing is written to
disk, links are followed inside the archive only, and size, number and paths of members are limited.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from typing import IO, cast

from skb.errors import DescriptionError, TooLargeError
from skb.sources.sysfs_tree import FILE_LIMIT_BYTES, MemoryTree

UNPACKED_LIMIT_BYTES = 160 * 1024 * 1024
# of the contents, and of links' targets, what is kept in memory
_KEPT_LIMIT_BYTES = 64 * 1024 * 1024
# a machine of 1,000 PUs has 60,000
MEMBER_LIMIT = 100_000
_PATH_LIMIT = 1024
_MARK = "sys/devices/system/cpu"
_MEND = "capture the tree again with hwloc-gather-topology"


def is_archive(head: bytes) -> bool:
    """Whether these first bytes are those of a tar archive or of a compressed file."""
    packed = head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"))
    return packed or head[257:262] == b"ustar"


def read_archive(data: bytes, place: str) -> MemoryTree:
    """Read an archive; paths in the result start at `sys` and `proc`.

    Raises `TooLargeError` where a limit is exceeded and `DescriptionError` where it is damaged,
    names paths outside of itself, or holds no sysfs tree.
    """
    tree = MemoryTree()
    # tarfile only reads from a stream, so an object with `read` is all that it needs
    stream = cast(IO[bytes], _Bounded(_unpacked(data), place))
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for number, member in enumerate(archive):
                if number >= MEMBER_LIMIT:
                    raise TooLargeError(f"more than {MEMBER_LIMIT} files", place=place, mend=_MEND)
                _add(tree, archive, member, place)
                if tree.size > _KEPT_LIMIT_BYTES:
                    raise TooLargeError(
                        f"files of more than {_KEPT_LIMIT_BYTES} bytes", place=place, mend=_MEND
                    )
                # tarfile remembers every member otherwise
                archive.members = []  # type: ignore[attr-defined]
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as fault:
        raise DescriptionError(
            f"the archive is damaged, or no tar archive: {str(fault)[:200]}",
            place=place,
            mend="copy it again; decompress anything that is no archive of a captured tree",
        ) from fault
    return _below_top(tree, place)


def _unpacked(data: bytes) -> IO[bytes]:
    stream = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    if data.startswith(b"BZh"):
        return cast(IO[bytes], bz2.BZ2File(stream))
    if data.startswith(b"\xfd7zXZ\x00"):
        return cast(IO[bytes], lzma.LZMAFile(stream))
    return stream


class _Bounded:
    """A stream that refuses to give more than the limit, so that no file can grow without end."""

    def __init__(self, stream: IO[bytes], place: str) -> None:
        self._stream = stream
        self._place = place
        self._left = UNPACKED_LIMIT_BYTES

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise TooLargeError(
                f"the archive unpacks to more than {UNPACKED_LIMIT_BYTES} bytes",
                place=self._place,
                mend=_MEND,
            )
        return data


def _add(tree: MemoryTree, archive: tarfile.TarFile, member: tarfile.TarInfo, place: str) -> None:
    parts = [part for part in member.name.split("/") if part not in {"", "."}]
    path = "/".join(parts)
    if member.name.startswith("/") or ".." in parts or len(path) > _PATH_LIMIT:
        raise DescriptionError(
            f"the archive names a path outside of itself: {member.name[:80]!r}",
            place=place,
            mend=_MEND,
        )
    if not path.isprintable():
        return
    if member.issym():
        tree.add_link(path, member.linkname[:_PATH_LIMIT])
    elif member.islnk():
        tree.add_link(path, "/" + member.linkname[:_PATH_LIMIT])
    elif member.isdir():
        tree.add_folder(path)
    elif member.isreg() and member.size <= FILE_LIMIT_BYTES:
        file = archive.extractfile(member)
        tree.add_file(path, file.read() if file else b"")


def _below_top(tree: MemoryTree, place: str) -> MemoryTree:
    """Take the folder that an archive puts around `sys` off all paths."""
    marks = (path for path in tree.folders if f"/{path}".endswith(f"/{_MARK}"))
    mark = min(marks, key=lambda path: (len(path), path), default=None)
    if mark is None:
        raise DescriptionError(
            f"the archive holds no {_MARK}: it is no captured sysfs tree", place=place, mend=_MEND
        )
    top = mark[: -len(_MARK)]
    below = MemoryTree()
    for path, content in tree.files.items():
        if path.startswith(top):
            below.add_file(path[len(top) :], content)
    for path, target in tree.links.items():
        if path.startswith(top):
            target = target.replace("/" + top, "/", 1) if target.startswith("/" + top) else target
            below.add_link(path[len(top) :], target)
    for path in tree.folders:
        if path.startswith(top):
            below.add_folder(path[len(top) :])
    return below
