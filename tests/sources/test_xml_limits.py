"""Hostile and damaged XML is refused quickly, with the line, and without growing."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from skb.errors import DescriptionError, TooLargeError
from skb.sources.xml_limits import parse

LAUGHS = b"<!DOCTYPE topology [<!ENTITY a 'lol'>" + b"".join(
    b"<!ENTITY b%d '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>" % number for number in range(9)
)
HOSTILE = {
    "nested": b"<a>" * 200_000,
    "nested with lines": b"<a>\n" * 200_000 + b"</a>" * 200_000,
    "billion laughs": LAUGHS + b"]><topology>&b8;</topology>",
    "quadratic blowup": b"<!DOCTYPE a [<!ENTITY x '" + b"y" * 50_000 + b"'>]><a>" + b"&x;" * 50_000,
    "external entity": b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
    "parameter entity": b"<!DOCTYPE a [<!ENTITY % x SYSTEM 'http://localhost/'> %x;]><a/>",
    "default attributes": b"<!DOCTYPE a [<!ATTLIST a x CDATA 'y'>]><a/>",
    "many elements": b"<a>" + b"<b/>" * 1_000_000,
    "many attributes": b"<a " + b" ".join(b'x%d="1"' % n for n in range(100_000)) + b"/>",
    "long attribute": b'<a x="' + b"1" * 10_000_000 + b'"/>',
    "long text": b"<a>" + b"1" * 10_000_000 + b"</a>",
    "utf-16": "<a/>".encode("utf-16"),
    "not xml": b"hello",
    "empty": b"",
    "bad bytes": b'<a x="\xff\xfe"/>',
    "undeclared entity": b"<a>&foo;</a>",
    "two roots": b"<a/><b/>",
    "another encoding": b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_xml_limits_refuse_quickly(name: str) -> None:
    """A hostile file ends in an error for the user within a tenth of a second (generous: 0.3 s)."""
    start = time.perf_counter()
    with pytest.raises(DescriptionError) as caught:
        parse(HOSTILE[name], "bad.xml")
    assert time.perf_counter() - start < 0.3
    assert caught.value.place.startswith("bad.xml")
    assert caught.value.mend


@pytest.mark.parametrize("name", ["nested", "many elements", "many attributes", "long attribute"])
def test_xml_limits_are_told_from_faults(name: str) -> None:
    """What is only too large says so."""
    with pytest.raises(TooLargeError):
        parse(HOSTILE[name], "bad.xml")


@pytest.mark.parametrize("name", ["nested", "billion laughs", "quadratic blowup", "many elements"])
def test_xml_limits_keep_memory_small(name: str) -> None:
    """Python allocates little while refusing."""
    tracemalloc.start()
    try:
        with pytest.raises(DescriptionError):
            parse(HOSTILE[name], "bad.xml")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_xml_limits_hold_for_the_whole_file() -> None:
    """A hundred megabytes are refused by their size, unread."""
    start = time.perf_counter()
    with pytest.raises(TooLargeError):
        parse(bytes(100_000_000), "bad.xml")
    assert time.perf_counter() - start < 0.3


def test_xml_limits_truncated_file_names_the_last_line() -> None:
    """A file that ends early says so, and where."""
    with pytest.raises(DescriptionError) as caught:
        parse(b"<a>\n<b>\n<c x='1'", "cut.xml")
    assert caught.value.message == "the file ends before its first element is closed"
    assert caught.value.place == "cut.xml:3"


def test_xml_limits_malformed_file_names_the_line() -> None:
    """A fault in the middle is named with its line."""
    with pytest.raises(DescriptionError) as caught:
        parse(b"<a>\n<b x='1' x='2'/>\n\n\n</a>", "bad.xml")
    assert caught.value.place == "bad.xml:2"
    assert "redefined" in caught.value.message


def test_xml_limits_never_fetch_a_dtd(tmp_path: Path) -> None:
    """A DOCTYPE that names a file is passed over: its default attributes do not appear."""
    dtd = tmp_path / "some.dtd"
    dtd.write_text("<!ATTLIST topology version CDATA '9.9'>")
    node = parse(f'<!DOCTYPE topology SYSTEM "{dtd.as_uri()}"><topology/>'.encode(), "good.xml")
    assert node.attributes == {}


def test_xml_limits_give_tags_attributes_text_and_lines() -> None:
    """What is read: elements in order, their text, their lines; no comments."""
    root = parse(b"<a x='1'>\n<!-- c --><b>1 2 </b>\n<c y='&lt;&#228;'/></a>", "good.xml")
    assert (root.tag, root.attributes, root.line) == ("a", {"x": "1"}, 1)
    assert [(node.tag, node.text, node.line) for node in root.children] == [
        ("b", "1 2 ", 2),
        ("c", "", 3),
    ]
    assert root.children[1].attributes == {"y": "<ä"}
