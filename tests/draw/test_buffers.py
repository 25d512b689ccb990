"""Buffers drawn over their machine: a way for each ring, through memory or straight into a GPU."""

from __future__ import annotations

from typing import Any

from lxml import etree

from skb.decision import Limits
from skb.draw import decision_svg
from skb.knowledge import decide
from tests.machines import bundled

HOST = bundled("epyc-7401-2p")
SVG = "{http://www.w3.org/2000/svg}"
NIC, NEAR, FAR = "device:mlx5_0", "device:opencl0d0", "device:opencl0d3"


def drawn(*flows: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[tuple[str, str]]]]:
    """Return the answer, and the hops of each ring as the drawing shows them."""
    decision = decide("buffers", HOST, {"flow": list(flows)}, Limits()).to_json()
    root = etree.fromstring(decision_svg(HOST, decision).encode())
    hops: dict[str, list[tuple[str, str]]] = {}
    for group in root.iter(f"{SVG}g"):
        if name := group.get("data-flow"):
            hops.setdefault(name, []).append((group.get("data-from"), group.get("data-to")))
    return decision["answer"]["flows"], hops


def test_buffers_draw_a_way_for_each_ring() -> None:
    """Payload, headers and descriptors each go from the NIC over their ring to the PU."""
    flow = {"name": "rx", "device": NIC, "consumer": 20, "pattern": "headers"}
    _, hops = drawn({**flow, "header_split": True, "descriptor_bytes": 16})
    assert set(hops) == {"rx", "rx · headers", "rx · descriptors"}
    for name, way in hops.items():
        assert way == [(NIC, f"flow:{name}"), (f"flow:{name}", "pu:20")]


def test_buffers_draw_the_way_into_a_gpu() -> None:
    """Straight into the GPU where that is possible, by a bounce where it is not."""
    answer, hops = drawn(
        {"name": "near", "device": NIC, "consumer": NEAR},
        {"name": "far", "device": NIC, "consumer": FAR},
    )
    assert (answer["near"]["place"], hops["near"]) == (NEAR, [(NIC, NEAR)])
    assert hops["far"] == [(NIC, "flow:far"), ("flow:far", FAR)]


def test_buffers_draw_what_is_sent_the_other_way() -> None:
    """Of a flow that is sent the arrows begin at the PU."""
    _, hops = drawn({"name": "tx", "device": NIC, "consumer": 20, "direction": "tx"})
    assert hops["tx"] == [("pu:20", "flow:tx"), ("flow:tx", NIC)]


def test_buffers_colour_each_ring_by_where_it_lies() -> None:
    """Split headers and descriptors near the device are coloured as the payload is there."""
    flow = {"name": "rx", "device": NIC, "consumer": 20, "header_split": True, "pattern": "headers"}
    asked = {"flow": [{**flow, "descriptor_bytes": 16}]}
    decision = decide("buffers", HOST, asked, Limits()).to_json()
    root = etree.fromstring(decision_svg(HOST, decision).encode())
    rings = {"rx": decision["answer"]["flows"]["rx"]}
    rings |= {f"rx · {kind}": ring for kind, ring in rings["rx"]["rings"].items()}
    for name, ring in rings.items():
        near = "near-device" if ring["numa_node"] in HOST.numa_of(NIC) else "near-core"
        [box] = [each for each in root.iter() if each.get("data-object") == f"flow:{name}"]
        assert near in box.get("class", "").split()
