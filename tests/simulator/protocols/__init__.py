"""Tests of the protocols: the registry, their exact timing, and the faults that must be noticed."""
