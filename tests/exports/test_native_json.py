"""Exports to the native format and JSON: nothing that is known may be lost."""

from __future__ import annotations

import json

import pytest

from skb.errors import RequestError
from skb.exports import FORMATS, export
from skb.relations import relations
from tests.exports.machines import BUNDLED, REAL, again, exported, odd


@pytest.mark.parametrize("name", [*BUNDLED, *REAL])
def test_native_reads_back_to_exactly_the_same_facts(name: str) -> None:
    """Every fact returns with source, origin, date, samples and spread; so do the notes."""
    machine = exported(name)
    found = again(export(machine, "native").text)
    assert set(found.facts) == set(machine.facts)
    assert len(found.facts) == len(machine.facts)
    assert (found.title, found.notes) == (machine.title, machine.notes)


def test_native_keeps_provenance_samples_and_odd_texts() -> None:
    """Two books that disagree stay two, a spread of 0 stays 0, and any text survives."""
    machine = odd()
    made = export(machine, "native")
    found = again(made.text)
    assert set(found.facts) == set(machine.facts)
    measured = {f.args[:2]: (f.samples, f.spread) for f in found.all("latency")}
    assert measured == {
        ("pu:0", "pu:1"): (1000, 0.5),
        ("pu:1", "pu:0"): (1000, 0.0),
        ("pu:0", "pu:2"): (None, None),
    }
    assert made.notes == ()


def test_native_refuses_a_row_with_unknown_keys() -> None:
    """A fact as a table has args, samples and spread only."""
    text = '[machine]\nname = "m"\n[structure]\ntree = "core:2 pu:1"\n[facts.measured]\n'
    with pytest.raises(Exception, match="sampels"):
        again(text + 'latency = [{args = ["pu:0", "pu:1", 5], sampels = 3}]\n')


@pytest.mark.parametrize("name", BUNDLED)
def test_json_holds_every_fact_and_the_summary(name: str) -> None:
    """The document is the summary of `skb show` with all facts, in their order, with units."""
    machine = exported(name)
    document = json.loads(export(machine, "json").text)
    facts = document.pop("facts")
    assert document == json.loads(json.dumps(machine.summary()))
    assert [(f["predicate"], tuple(f["args"]), f["source"]) for f in facts] == [
        (f.predicate, f.args, f.source) for f in machine.facts
    ]
    assert all(f["unit"] == relations()[f["predicate"]].unit for f in facts)


def test_export_names_the_formats_that_there_are() -> None:
    """An unknown format is refused with near names; every known one writes every machine."""
    with pytest.raises(RequestError, match=r"cannot export to 'hwlok'.*did you mean hwloc"):
        export(odd(), "hwlok")
    for to in FORMATS:
        made = export(odd(), to)
        assert made.text.endswith("\n") and made.media_type and made.suffix.startswith(".")
