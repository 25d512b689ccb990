"""Files that no source takes: pipes, devices, other encodings and formats."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from skb.errors import DescriptionError
from skb.sources import read, read_path
from tests.sources.samples import parents

TINY = '<topology version="2.0"><object type="Machine"><object type="PU" os_index="0"/></object>'
WHOLE = f"{TINY}</topology>"


def test_unknown_pipe_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes to would never end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DescriptionError, match="neither a file nor a folder"):
        read_path(pipe)


def test_unknown_device_is_refused() -> None:
    """A device gives bytes without end."""
    with pytest.raises(DescriptionError, match="neither a file nor a folder"):
        read_path(Path("/dev/zero"))


def test_unknown_missing_file_names_the_path(tmp_path: Path) -> None:
    """What cannot be opened is said with its path."""
    with pytest.raises(DescriptionError, match="No such file") as caught:
        read_path(tmp_path / "none.xml")
    assert caught.value.place.endswith("none.xml")


def test_unknown_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is what another program writes."""

    class Input:
        buffer = io.BytesIO(WHOLE.encode())

    monkeypatch.setattr(sys, "stdin", Input())
    assert "pu:0" in parents(read_path(Path("-")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_unknown_encodings_of_text_are_read(encoding: str) -> None:
    """Shells of Windows redirect UTF-16, editors add byte order marks."""
    description = read(WHOLE.encode(encoding), "windows.xml")
    assert "pu:0" in parents(description)
    assert any("UTF-16" in note for note in description.notes) == (encoding == "utf-16")


def test_unknown_doctype_does_not_hide_a_topology() -> None:
    """The first element decides, whatever the DOCTYPE is called."""
    text = f'<?xml version="1.0"?><!-- a --><!DOCTYPE hwloc SYSTEM "x.dtd"><!-- b -->{WHOLE}'
    assert "pu:0" in parents(read(text.encode(), "odd.xml"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b'<?xml version="1.0"?><svg width="1"/>', "first element is svg"),
        (b"<!DOCTYPE html><html>", "first element is html"),
        (b"<topologydiff><diff/></topologydiff>", "topologydiff"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"\x89PNG\r\n", "picture"),
        (b'{\n  "name": "m"}', "read back"),
        (b"% m: facts that hold, made by skb export", "read back"),
        (b"Machine (31GB total)\n  Package L#0", "lstopo prints"),
        (b"\xff\xfea", "UTF-16"),
        (b"<!-- -->" * 8000 + b"<a", "first element is a"),
        (b"<?x?>" * 12000, "know"),
        (b"<!DOCTYPE a [" * 5000, "know"),
    ],
)
def test_unknown_formats_say_what_they_seem_to_be(data: bytes, words: str) -> None:
    """The error names what the file is, and what to give instead."""
    with pytest.raises(DescriptionError, match=words) as caught:
        read(data, "thing")
    assert caught.value.mend and caught.value.place == "thing"
