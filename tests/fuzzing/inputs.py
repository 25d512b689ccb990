"""Makes the inputs of a source: the same number and seed always give the same bytes."""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

from skb.sources import read, sysfs
from skb.sources.description import Description
from skb.sources.link_tables import facts_of
from tests.fuzzing.corpora import corpora, tree_files
from tests.fuzzing.documents import mutated_toml, mutated_xml
from tests.fuzzing.mutations import mutate
from tests.machines import bundled
from tests.sources import linux

# most inputs are made from small samples: that is what makes a hundred thousand of them possible
_SMALL_BYTES = 8_000
_LARGE_SHARE = 0.05
_ODD_PATHS = ("..", "cpu99999", "cpu-1", "cpux", "node7", "node4096", "index99", "", "a" * 300, "é")
_ODD_LINKS = ("..", "../..", "/", ".", "self", "../../devices/none", "../../../../../../etc/passwd")


@dataclass(frozen=True)
class Kind:
    """A source as the fuzzer sees it: how its inputs are made, and how they are read.

    `reader` is None where `skb.sources.read` reads them.
    """

    make: Callable[[Random], bytes]
    reader: Callable[[bytes], Description] | None = None


def kinds() -> dict[str, Kind]:
    """Return what can be fuzzed: each source by its module's name, and more ways into some."""
    found = {name: Kind(_mutated(name)) for name in corpora()}
    for name in ("hwloc", "nccl"):
        found[f"{name}-elements"] = Kind(_documents(name, mutated_xml))
    found["native-values"] = Kind(_documents("native", mutated_toml))
    found["sysfs-archive"] = Kind(_archive)
    found["sysfs-tree"] = Kind(_tree, _read_tree)
    found["opensm-on-a-machine"] = Kind(_mutated("opensm"), _read_tables)
    return found


def make(kind: Kind, name: str, seed: int, number: int) -> bytes:
    """Return an input by its number."""
    return kind.make(Random(f"{seed}:{name}:{number}"))


def _mutated(name: str) -> Callable[[Random], bytes]:
    corpus = corpora()[name]
    small = [sample for sample in corpus.samples if len(sample) < _SMALL_BYTES] or list(
        corpus.samples
    )

    def made(draw: Random) -> bytes:
        samples = corpus.samples if draw.random() < _LARGE_SHARE else small
        return mutate(draw.choice(samples), draw, corpus.samples, corpus.tokens)

    return made


def _documents(
    name: str, change: Callable[[bytes, Random, Sequence[bytes]], bytes]
) -> Callable[[Random], bytes]:
    corpus = corpora()[name]
    small = [sample for sample in corpus.samples if len(sample) < _SMALL_BYTES]

    def made(draw: Random) -> bytes:
        samples = corpus.samples if draw.random() < _LARGE_SHARE else small
        return change(draw.choice(samples), draw, corpus.tokens)

    return made


def _read_tables(data: bytes) -> Description:
    """Read tables and put them in force on a machine."""
    description = read(data, "fuzz.input")
    if description.tables is None:
        return description
    found = facts_of(bundled("tyan-s4985"), description.tables, "fuzz.input")
    return replace(description, facts=tuple(found))


def _files(draw: Random) -> dict[str, str]:
    """The files of a small Linux machine with a few things changed."""
    files = linux.machine(2) if draw.random() < 0.5 else tree_files()
    tokens = corpora()["sysfs"].tokens
    for _ in range(draw.randrange(1, 6)):
        path = draw.choice(list(files))
        way = draw.randrange(8)
        if way < 4:
            texts = [text.encode(errors="replace") for text in files.values()]
            new = mutate(files[path].encode(errors="replace"), draw, texts, tokens)
            files[path] = new.decode(errors="replace")
        elif way == 4:
            del files[path]
        elif way == 5:
            files[path] = linux.LINK + draw.choice(_ODD_LINKS)
        else:
            parts = path.split("/")
            at = draw.randrange(len(parts))
            other = draw.choice((*_ODD_PATHS, *draw.choice(list(files)).split("/")))
            old, new_path = "/".join(parts[: at + 1]), "/".join([*parts[:at], other])
            moved = {p: t for p, t in files.items() if p.startswith(old)}
            files |= {new_path + p.removeprefix(old): t for p, t in moved.items()}
            if way == 6:
                files = {p: t for p, t in files.items() if p not in moved}
        if not files:
            break
    return files


def _archive(draw: Random) -> bytes:
    files = {path: text for path, text in _files(draw).items() if "\0" not in path}
    return linux.archive(files, draw.choice(("w", "w", "w", "w:gz")), draw.choice(("host/", "")))


def _tree(draw: Random) -> bytes:
    return json.dumps(_files(draw)).encode()


class _Folder:
    """A folder that is brought from one set of files to the next by what differs."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(prefix="skb-", dir=memory if memory.is_dir() else None))
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        self._files: dict[str, str] = {}

    def fill(self, files: Mapping[str, str]) -> Path:
        """Make the folder hold these files and links; what a file system refuses is left out."""
        for path in self._files.keys() - files.keys():
            self._remove(path)
        for path, text in files.items():
            if self._files.get(path) != text:
                self._remove(path)
                self._write(path, text)
        self._files = dict(files)
        return self.root

    def _place(self, path: str) -> Path | None:
        """Where a path lies, None where it leads out of the folder or through a link."""
        parts = path.strip("/").split("/")
        place = self.root
        with contextlib.suppress(OSError, ValueError):
            for part in parts:
                if part in ("", "..") or place.is_symlink():
                    return None
                place /= part
            return place
        return None

    def _remove(self, path: str) -> None:
        place = self._place(path)
        if place is None:
            return
        with contextlib.suppress(OSError, ValueError):
            place.unlink()
            for folder in place.parents:
                if folder == self.root:
                    break
                # refused, and so the end, where something is left in it
                folder.rmdir()

    def _write(self, path: str, text: str) -> None:
        place = self._place(path)
        if place is None:
            return
        with contextlib.suppress(OSError, ValueError):
            place.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith(linux.LINK):
                place.symlink_to(text.removeprefix(linux.LINK))
            else:
                place.write_text(text, errors="replace")


_folder = cache(_Folder)


def _read_tree(data: bytes) -> Description:
    """Discover what is in a folder with these files."""
    return sysfs.discover(_folder().fill(json.loads(data)))
