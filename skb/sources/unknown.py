"""What to tell somebody whose file no source recognises: what it seems to be, and what to give."""

from __future__ import annotations

from skb.errors import DescriptionError
from skb.sources.table_text import near_miss
from skb.sources.xml_names import first_names

_MEND = (
    "give hwloc XML (lstopo FILE.xml), a sysfs archive, or any other description that "
    "`skb import --help` names"
)
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive", "unpack it, or give a tar archive of a sysfs tree"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "decompress it with zstd -d"),
    (b"\x7fELF", "a program", _MEND),
    (b"\x89PNG", "a picture", "export the topology as XML: lstopo FILE.xml"),
    (b"%PDF", "a PDF document", "export the topology as XML: lstopo FILE.xml"),
)
_XML_MENDS = {
    "svg": "lstopo drew a picture; export the topology as XML: lstopo FILE.xml",
    "topologydiff": "this is a difference of two topologies; apply it with hwloc-patch first",
}


def unknown_format(head: bytes, place: str) -> DescriptionError:
    """The error for a file of an unknown format, from its first bytes."""
    if not head.strip():
        return DescriptionError("the description is empty", place=place, mend=_MEND)
    for magic, what, mend in _MAGIC:
        if head.startswith(magic):
            return DescriptionError(f"this is {what}, no description", place=place, mend=mend)
    if name := first_names(head)[1]:
        return DescriptionError(
            f"this is XML of a kind that we do not know: its first element is {name}",
            place=place,
            mend=_XML_MENDS.get(name, "give XML whose first element is topology or system"),
        )
    if head.lstrip().startswith((b"Machine (", b"Machine L#0", b"depth 0:")):
        return DescriptionError(
            "this is the text that lstopo prints, which leaves too much out",
            place=place,
            mend="export the topology as XML: lstopo FILE.xml",
        )
    if head.lstrip().startswith((b"{", b"[{", b"digraph")) or head.startswith(b"% "):
        return DescriptionError(
            "this is no machine description that we know",
            place=place,
            mend="what `skb export --to native` or hwloc writes can be read back; JSON, ASP facts "
            "and DOT are for other programs",
        )
    return DescriptionError(
        f"this is no machine description that we know{near_miss(head)}", place=place, mend=_MEND
    )
