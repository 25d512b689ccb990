"""Structure from numbers: threads of a core, shared caches, packages and meshes from latencies.

After MCTOP (Chatzopoulos, Guerraoui, Harris and Trigonakis, "Abstracting multi-core topologies with
MCTOP", EuroSys 2017), which clusters the values first; here whole partitions are judged, by how far
each PU is from the nearest other group in standard errors, so that noise and meshes give nothing.
"""

from __future__ import annotations

from skb.inference.inferring import infer
from skb.inference.structure import Level, Structure

__all__ = ["Level", "Structure", "infer"]
