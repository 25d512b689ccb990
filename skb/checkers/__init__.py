"""Checkers: one rule-free judge per question; they share no code with the engines.

Each module has `check(machine, decision)`, which returns what is wrong in words, empty where all is
well. A checker recomputes admissibility and price from the snapshot and the request alone.
"""
