"""Tests of the simulator; they mirror its files."""
