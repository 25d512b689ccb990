"""System Knowledge Base: facts about a machine, and decisions about where things go on it."""

__version__ = "0.1.0"
