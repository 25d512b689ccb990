"""The store: facts of many machines, revision by revision, and decisions.

The only place that knows SQL.
"""

from skb.store.store import Change, Store, StoredMachine, default_url, is_default

__all__ = ["Change", "Store", "StoredMachine", "default_url", "is_default"]
