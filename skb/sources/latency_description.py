"""From one table of one-way latencies to a machine whose PUs lie flat."""

from __future__ import annotations

from skb.errors import DescriptionError
from skb.sources.description import Description, TableOptions
from skb.sources.disturbance import disturbed_notes, suspicious_notes
from skb.sources.pair_table import PairTable, clock_facts, scale_of
from skb.sources.stated_structure import stated_structure


def describe_latency(
    table: PairTable, options: TableOptions, form: str, advice: str
) -> Description:
    """Describe a machine by one table of one-way latencies."""
    scale, notes = scale_of(options, table.place)
    table = table.without_zeros()
    if not len(table.values):
        raise DescriptionError(
            "no pair has a latency above 0", place=table.place, mend="give measured latencies"
        )
    containment = stated_structure(options.structure, table)
    flat = "no structure is stated, the PUs lie flat; `skb infer` finds one"
    facts = [
        *(containment or table.flat()),
        *table.facts("latency", (), scale),
        *clock_facts(options),
    ]
    told = (
        advice,
        *(() if containment else (flat,)),
        *notes,
        *table.notes,
        *table.missing_note(),
        *disturbed_notes(table, "latency"),
        *suspicious_notes(table),
    )
    return Description(
        name="",
        format=form,
        facts=tuple(facts),
        notes=tuple(note.removeprefix(f"{table.by}: ") for note in told),
    )
