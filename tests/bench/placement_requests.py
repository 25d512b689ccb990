"""The random placement requests of `skb bench placement`, for the other benchmarks and tests."""

from skb.benching.random_requests import (
    CACHE_NS,
    HOP_NS,
    PACKAGE_NS,
    SHAPES,
    Shape,
    distance_ns,
    machine_of,
    prices,
    request_of,
)

__all__ = [
    "CACHE_NS",
    "HOP_NS",
    "PACKAGE_NS",
    "SHAPES",
    "Shape",
    "distance_ns",
    "machine_of",
    "prices",
    "request_of",
]
