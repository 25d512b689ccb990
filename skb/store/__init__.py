"""The store: facts of many machines, revision by revision, decisions, and what the service keeps.

The only place that knows SQL.
"""

from skb.store.jobs import Job
from skb.store.log import Change
from skb.store.machines import StoredMachine
from skb.store.replies import Reply
from skb.store.shapes import Shape
from skb.store.store import Store, default_url, is_default
from skb.store.tokens import Audit, Token

__all__ = [
    "Audit",
    "Change",
    "Job",
    "Reply",
    "Shape",
    "Store",
    "StoredMachine",
    "Token",
    "default_url",
    "is_default",
]
