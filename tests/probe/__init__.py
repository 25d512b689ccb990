"""Tests of the probe: plan, statistics, protocols, facts, and one tiny real measurement."""
