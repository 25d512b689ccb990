"""The docs are true: every command and predicate stands in them, every example is executed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skb.cli.main import app, main
from skb.questions import NAMES
from skb.relations import reference_page, relations
from skb.resources import bundled_machines
from tests.refresh_docs import concrete

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b[0-9a-f]{8,16}\b")
_RATE = re.compile(r"\d+(\.\d+)? events/s")


def blocks() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return every console block: its page, and its commands with their outputs."""
    found = []
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
            rows = [part.partition("\n") for part in parts]
            found.append((page.name, [(command, output) for command, _, output in rows]))
    return found


def plain(text: str) -> str:
    """Blank out what differs from run to run: ids of decisions, and the blanks that end lines."""
    text = _RATE.sub("RATE events/s", _ID.sub("ID", text))
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize(("page", "rows"), blocks())
def test_docs_examples_print_what_they_say(
    page: str,
    rows: list[tuple[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The commands of a block, one after the other, print exactly what the docs show."""
    monkeypatch.chdir(ROOT)
    said = ""
    for command, output in rows:
        words = concrete(command, said)
        assert words[0] == "skb", page
        main(words[1:])
        captured = capsys.readouterr()
        said += captured.out
        assert plain(captured.out + captured.err) == plain(output)


def test_docs_show_one_example_for_each_question() -> None:
    """The README answers each question once with its real output."""
    asked = [command for page, rows in blocks() if page == "README.md" for command, _ in rows]
    for name in NAMES:
        assert any(command.startswith(f"skb ask {name} ") for command in asked), name


def test_docs_name_every_command_and_machine() -> None:
    """Nothing that a user can type is undocumented."""
    text = "\n".join(page.read_text() for page in PAGES)
    for command in app.registered_commands:
        assert f"skb {command.name}" in text, command.name
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands if group.typer_instance else ():
            assert f"skb {group.name} {command.name}" in text, command.name
    for name in bundled_machines():
        assert name in text, name


def test_docs_predicates_are_those_of_the_relations() -> None:
    """The reference page is made from `facts/relations.toml` and stands as made."""
    page = ROOT / "docs" / "predicates.md"
    assert page.read_text() == reference_page(), (
        "write it anew: skb facts --relations --markdown > docs/predicates.md"
    )
    assert all(f"`{name}(" in page.read_text() for name in relations())


def test_docs_links_lead_somewhere() -> None:
    """Relative links of the docs point at files that exist."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
