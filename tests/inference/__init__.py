"""Tests of the inference of structure from latencies."""
