"""The message diagrams of the docs are those of the protocols as they are now."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from simulator.protocols import PROTOCOLS
from tests.protocol_pictures import picture

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER, PAGES = DOCS / "pictures" / "protocols", DOCS / "protocols"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_picture_of_a_protocol_is_up_to_date(name: str) -> None:
    """Drawing it again gives the file of the docs, byte for byte."""
    path = FOLDER / f"{name}.svg"
    assert path.exists() and path.read_text() == picture(name), (
        "draw them anew: python -m tests.refresh_docs --pictures"
    )


@pytest.mark.parametrize("name", PROTOCOLS)
def test_picture_of_a_protocol_has_its_messages(name: str) -> None:
    """It is well-formed, and has at least one arrow between two nodes."""
    root = etree.fromstring(picture(name).encode())
    arrows = [group for group in root.iter() if group.get("class") == "message"]
    assert arrows
    assert all(arrow.get("data-from") != arrow.get("data-to") for arrow in arrows)


def test_pictures_belong_to_protocols() -> None:
    """No picture is left of a protocol that is gone."""
    assert {path.stem for path in FOLDER.glob("*.svg")} <= set(PROTOCOLS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol_has_a_page_with_its_picture(name: str) -> None:
    """The page stands beside the others, is named after the protocol, and shows its messages."""
    page = PAGES / f"{name}.md"
    assert page.exists(), f"docs/protocols/{name}.md says what {name} guarantees"
    assert f"(../pictures/protocols/{name}.svg)" in page.read_text()
