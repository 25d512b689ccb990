"""The service: REST, drawings and the page, thin over the facade."""

from __future__ import annotations
