"""What an XML file calls itself: the name in its DOCTYPE and that of its first element.

Sources recognise their format by it; nothing is parsed, and no text takes more than one pass.
"""

from __future__ import annotations

import re

_NAME = re.compile(rb"[A-Za-z_][\w.:-]{0,99}")
_DOCTYPE = b"<!DOCTYPE"


def first_names(head: bytes) -> tuple[str, str]:
    """The name in the DOCTYPE and that of the first element; empty texts where there is none."""
    doctype, at = "", 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while True:
        while head[at : at + 1].isspace():
            at += 1
        if head.startswith(b"<?", at):
            end = head.find(b"?>", at) + 2
        elif head.startswith(b"<!--", at):
            end = head.find(b"-->", at) + 3
        elif head.startswith(_DOCTYPE, at):
            at += len(_DOCTYPE) + 1
            match = _NAME.match(head, at)
            doctype = match[0].decode() if match else doctype
            end = head.find(b">", at) + 1
            if 0 <= head.find(b"[", at) < end:
                end = head.find(b">", head.find(b"]", at)) + 1
        else:
            match = _NAME.match(head, at + 1) if head[at : at + 1] == b"<" else None
            return doctype, match[0].decode() if match else ""
        if end <= at:
            return doctype, ""
        at = end
