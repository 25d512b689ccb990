"""Benchmarks: they print figures, and fail only where an answer is wrong; see README.md."""
