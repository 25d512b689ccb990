"""DOT: nodes and edges become parts and links; what is wrong is said with its line."""

from __future__ import annotations

import time

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skb.errors import DescriptionError, SkbError
from skb.exports import dot as drawn
from skb.knowledge import machine_of
from skb.sources import dot, read
from skb.sources.description import Description
from tests.machines import bundled

NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_characters=" ,()\"'<>&\\\t\n\r", exclude_categories=["C", "Z"]
    ),
    min_size=1,
    max_size=12,
)


def links(description: Description) -> set[tuple[str, str]]:
    """Return the ends of all links."""
    rows = [fact.args for fact in description.facts if fact.predicate == "link"]
    return {(str(a), str(b)) for a, b, _kind in rows}


def test_dot_network_becomes_a_machine_with_links() -> None:
    """Chains, groups, both directions, defaults, comments, quotes and names of parts."""
    text = """\
// a fabric
# of two
digraph "my net" {
  rankdir = LR; node [shape=box]; edge [mib_s=100, kind="HT"]
  a -> b -> "package:0" [label="x" latency_ns=2.5]
  subgraph cluster_one { label="one"; c; edge [mib_s=5]; d -> c [count=2] }
  {e f} -> a:p1:ne; a -> b
  a -> a [color=red]
  "two words" -> a [dir=both width_bits=16 port=7]
}"""
    found = read(text.encode(), "net.dot")
    assert found.title == "my net" and found.partial
    a, b = "device:a", "device:b"
    assert links(found) == {
        *{(a, b), (b, "package:0"), ("device:d", "device:c"), ("device:e", a), ("device:f", a)},
        *{("device:two-words", a), (a, "device:two-words")},
    }
    machine = machine_of(found, "net")
    assert machine.number("link_bandwidth", a, b) == 100
    assert machine.number("link_latency", b, "package:0") == 2.5
    assert machine.number("link_bandwidth", "device:d", "device:c") == 5
    assert machine.number("link_count", "device:d", "device:c") == 2
    assert machine.number("link_count", a, b) == 2
    assert machine.value("link", a, b) == "HT"
    assert machine.number("link_width", a, "device:two-words") == 16
    assert machine.fact("link_port", "device:two-words", 7) is not None
    assert machine.has("package:0") and machine.parent(a) == "machine:0"
    assert found.notes == (
        "7 nodes became devices: they are not named as parts are",
        "left out: 1 edge from a node to itself",
        "1 link of several edges that differ, such as a -> b: what the first of them states is"
        " taken for all",
        "attributes left out: color",
    )


def test_dot_graph_has_both_directions_and_strict_one_edge() -> None:
    """Edges without a direction are links in both; equal edges of a strict graph are one."""
    found = read(b"STRICT Graph { a -- b -- c; a -- b }", "g.dot")
    assert links(found) == {
        *{("device:a", "device:b"), ("device:b", "device:a")},
        *{("device:b", "device:c"), ("device:c", "device:b")},
    }
    assert not [fact for fact in found.facts if fact.predicate == "link_count"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=12), st.booleans())
def test_dot_edges_are_those_of_the_graph(edges: list[tuple[str, str]], directed: bool) -> None:
    """Any quoted names, any edges: the links are the edges without loops."""
    kept = [(a, b) for a, b in edges if a != b]
    line = "->" if directed else "--"
    body = "".join(f'"{a}" {line} "{b}";\n' for a, b in edges)
    text = f"{'di' if directed else ''}graph {{ {body} }}".encode()
    if not kept:
        with pytest.raises(DescriptionError, match="no edges"):
            read(text, "r.dot")
        return
    found = read(text, "r.dot")
    graph = networkx.DiGraph(kept)
    graph.add_edges_from((b, a) for a, b in kept if not directed)
    names = {name: name if name.startswith("package:") else f"device:{name}" for name in graph}
    assert links(found) == {(names[a], names[b]) for a, b in graph.edges}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("digraph { a -> }", 1, "'}' is out of place"),
        ("digraph {\n a -> b\n", 3, "the graph is not closed"),
        ("digraph { a -> b }\ndigraph { c -> d }", 2, "'digraph' is out of place"),
        ("digraph { a\n-> b [mib_s=-3] }", 1, "mib_s is '-3'"),
        ("digraph {\n a -> b [count=x] }", 2, "count is 'x'"),
        ("digraph {\n a -> b [port=0] }", 2, "the port is '0'"),
        ("digraph {\n a -> b [port=1]\n a -> c [port=1] }", 3, "port 1 of a leads to b and to c"),
        ('digraph { "a b" -> b;\n "a-b" -> b }', 2, "would both be device:a-b"),
        ('digraph {\n a -> b; a [channel=99 next_hop="b=b"] }', 2, "the channel of a is '99'"),
        ('digraph {\n a -> b; a [next_hop="b"] }', 2, "cannot read 'b' in the table of a"),
        ('digraph {\n a -> b; a [next_hop="c=b"] }', 2, "has no c"),
        ('digraph {\n a -> b; a [next_hop="b=b"] }', 0, "device:b has no table, and 0 links"),
        ("digraph " + "{" * 30, 1, "braces are nested deeper than 20"),
        ("digraph { " + "{a b c d e f g h}--" * 3 + "a }\x00", 1, "cannot read '\x00'"),
    ],
)
def test_dot_faults_name_their_line(text: str, line: int, words: str) -> None:
    """One clear error with line and mend."""
    with pytest.raises(DescriptionError) as fault:
        read(text.encode(), "g.dot")
    assert words.encode("unicode_escape").decode() in fault.value.message
    assert fault.value.place == (f"g.dot:{line}" if line else "g.dot") and fault.value.mend


@pytest.mark.parametrize(
    "text",
    [
        "graph {" + "a--" * 200_000 + "b}",
        "digraph {" + "/**/" * 2_000_000,
        "//\n" * 2_000_000 + "digraph {}",
        "digraph {" + " " * 5_000_000,
        "digraph {<" + "<a" * 100_000,
        'digraph {"' + "\\" * 1_000_000,
        "digraph {{"
        + " ".join(f"a{n}" for n in range(2000))
        + "}->{"
        + "b " * 10
        + "c}->{"
        + " ".join(f"d{n}" for n in range(2000))
        + "}->{"
        + " ".join(f"e{n}" for n in range(2000))
        + "}}",
        "/*" * 30_000 + "*/ graph {",
    ],
)
def test_dot_that_is_hostile_is_refused_at_once(text: str) -> None:
    """Neither a traceback nor a long wait."""
    begin = time.process_time()
    with pytest.raises(SkbError):
        dot.read(text.encode(), "g.dot")
    assert time.process_time() - begin < 5


def test_dot_of_a_whole_machine_is_a_drawing() -> None:
    """What `skb export --to dot` draws is no network: the mend names what can be read back."""
    text, _notes = drawn.write(bundled("tyan-s4985"))
    with pytest.raises(DescriptionError, match="draws a whole machine") as fault:
        read(text.encode(), "machine.dot")
    assert "read back" in fault.value.mend


def test_dot_edges_of_the_same_ends_add_up_their_counts() -> None:
    """Each edge counts what it states, else one; where they differ otherwise, a note says so."""
    text = "digraph { a -> b [count=3]; a -> b; a -> b [count=2]; b -> a; b -> a [latency_ns=4] }"
    found = read(text.encode(), "net.dot")
    machine = machine_of(found, "net")
    assert machine.number("link_count", "device:a", "device:b") == 6
    assert machine.number("link_count", "device:b", "device:a") == 2
    assert machine.number("link_latency", "device:b", "device:a") is None
    assert found.notes[1].startswith("1 link of several edges that differ, such as b -> a")


def test_dot_channels_without_next_hops_are_no_tables() -> None:
    """An attribute of that name may mean anything: it is left out, and said so."""
    found = read(b"graph { a -- b; a [channel=5] }", "net.dot")
    assert found.tables is None and "attributes left out: channel" in found.notes
