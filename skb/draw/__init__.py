"""Drawings: machines and decisions as SVG text, without a browser or a plotting library."""

from __future__ import annotations

from skb.draw.decision_svg import decision_svg
from skb.draw.machine_svg import machine_svg
from skb.draw.style import STYLE

__all__ = ["STYLE", "decision_svg", "machine_svg"]
