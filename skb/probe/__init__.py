"""Measures the live host: messages between PUs, and memory from every node.

The kernels are plain Python functions (`kernels`, `memory_kernels`) that numba compiles
(`atomics`, the only importer of numba); what is measured is planned in `plan`, judged in
`statistics`, and turned into facts in `reporting`. The facade is `skb.probe.measure`.
"""
