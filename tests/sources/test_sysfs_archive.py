"""Captured trees in archives and folders: limits, links, hostile paths and damaged bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError, TooLargeError
from skb.relations import check_set
from skb.sources import sysfs, sysfs_archive
from tests.sources.linux import CPU, LINK, archive, describe, machine, node
from tests.sources.samples import args


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_sysfs_archive_in_every_compression(mode: str) -> None:
    """Plain and compressed archives are recognised by content and give the same facts."""
    data = archive(machine(), mode)
    assert sysfs.recognises(data[:65536])
    assert args(sysfs.read(data, "t"), "contains") == args(describe(machine()), "contains")


def test_sysfs_folder_and_archive_give_the_same(tmp_path: Path) -> None:
    """A captured tree in a folder is read like the archive of it."""
    files = machine() | node(0, "0-3", 100)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text + "\n")
    folder, tar = sysfs.discover(tmp_path), describe(files)
    assert {(f.predicate, f.args) for f in folder.facts} == {
        (f.predicate, f.args) for f in tar.facts
    }


def test_sysfs_folder_around_one_tree_is_that_tree(tmp_path: Path) -> None:
    """Archives unpack into a folder of their own; a link to another tree is not followed."""
    for path, text in (machine() | node(0, "0-3", 100)).items():
        (tmp_path / "above/node" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "above/node" / path).write_text(text + "\n")
    assert sysfs.discover(tmp_path / "above") == sysfs.discover(tmp_path / "above/node")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/node").symlink_to(tmp_path / "above/node")
    with pytest.raises(DescriptionError, match="no online CPU"):
        sysfs.discover(tmp_path / "other")


def test_sysfs_folder_links_do_not_lead_out(tmp_path: Path) -> None:
    """A link to the real /sys inside a captured folder is not followed."""
    (tmp_path / "sys").symlink_to("/sys")
    with pytest.raises(DescriptionError, match="no online CPU"):
        sysfs.discover(tmp_path)


def test_sysfs_archive_links_stay_inside() -> None:
    """Links that climb, loop or are absolute end inside the archive."""
    files = machine() | {
        f"{CPU}/cpu0/cpufreq": f"{LINK}../../../../../../../../etc",
        "proc/cpuinfo": f"{LINK}/etc/passwd",
        "sys/class/net": f"{LINK}net",
        "sys/bus/pci/devices": f"{LINK}../pci/devices",
    }
    assert not any(fact.predicate == "clock_mhz" for fact in describe(files).facts)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "host/../../x"])
def test_sysfs_archive_with_hostile_paths_is_refused(path: str) -> None:
    """Nothing is ever written, and an archive that tries is not trusted in anything else."""
    with pytest.raises(DescriptionError, match="outside of itself"):
        sysfs.read(archive(machine() | {path: "x"}, top=""), "bad.tar")


def test_sysfs_archive_that_unpacks_too_far_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may not grow beyond the limit."""
    monkeypatch.setattr(sysfs_archive, "UNPACKED_LIMIT_BYTES", 100_000)
    data = archive(machine() | {"sys/zeros": "0" * 1_000_000}, "w:bz2")
    assert len(data) < 10_000
    with pytest.raises(TooLargeError, match="unpacks to more"):
        sysfs.read(data, "bad.tar")


def test_sysfs_archive_with_too_many_members_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of members is limited."""
    monkeypatch.setattr(sysfs_archive, "MEMBER_LIMIT", 10)
    with pytest.raises(TooLargeError, match="more than 10 files"):
        describe(machine())


@pytest.mark.parametrize(
    "data", [b"\x1f\x8bnonsense", b"BZhnonsense", b"\xfd7zXZ\x00nonsense", archive({"a/b": "c"})]
)
def test_sysfs_damaged_or_foreign_archive_is_refused(data: bytes) -> None:
    """A damaged archive, or one of something else, is named with place and mend."""
    with pytest.raises(DescriptionError) as caught:
        sysfs.read(data, "bad.tar")
    assert caught.value.place == "bad.tar" and caught.value.mend


_SEED = archive(machine(4) | node(0, "0-3", 100))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, len(_SEED) - 1), st.binary(min_size=1, max_size=8)), max_size=4
    )
)
def test_sysfs_mutated_archive_is_described_or_refused(changes: list[tuple[int, bytes]]) -> None:
    """Whatever the bytes, the answer is a description or an error for the user."""
    data = bytearray(_SEED)
    for start, new in changes:
        data[start : start + len(new)] = new
    try:
        check_set(sysfs.read(bytes(data), "mutant.tar").facts)
    except SkbError as fault:
        assert fault.message
