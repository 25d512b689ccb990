"""Engines: the only place that imports a solver."""
