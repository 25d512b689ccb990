"""The one tree of errors; each class names one thing that the user can do something about."""

from __future__ import annotations

import re

# errors quote what they refuse: whoever sent a megabyte of it, or codes that move the cursor or
# cannot be printed at all, gets them back short and escaped
_MESSAGE_LIMIT = 1000
_PLACE_LIMIT = 400
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _shown(text: str, limit: int) -> str:
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]} … {len(text) - limit} characters … {text[-half:]}"
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class SkbError(Exception):
    """Anything that we tell the user about instead of showing a traceback.

    `message` says what is wrong, `place` where (a file and line, or a JSON pointer), and `mend`
    what to do about it. `exit_code` is the exit code of the command line, `http_status` and `kind`
    what the service answers (RFC 9457: `type` is `urn:skb:<kind>`).
    """

    exit_code = 2
    http_status = 400
    kind = "bad-input"

    def __init__(self, message: str, *, place: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = _shown(message, _MESSAGE_LIMIT)
        self.place = _shown(place, _PLACE_LIMIT)
        self.mend = _shown(mend, _PLACE_LIMIT)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} ({self.mend})" if self.mend else text


class DescriptionError(SkbError):
    """A machine description cannot be read: malformed, truncated, hostile or contradictory."""

    kind = "bad-description"


class TooLargeError(DescriptionError):
    """An input exceeds a stated limit of size, depth or number of elements."""

    http_status = 413
    kind = "too-large"


class FactError(SkbError):
    """A fact does not fit its relation: unknown predicate, wrong arity, type, unit or range."""

    kind = "bad-fact"


class ContradictionError(FactError):
    """Two facts of one source give one key different values, or the structure is impossible."""

    http_status = 409
    kind = "contradiction"


class RequestError(SkbError):
    """A question's request is malformed or names what does not exist."""

    http_status = 422
    kind = "bad-request"


class RulesError(SkbError):
    """A user's rules are refused before or while they are parsed."""

    http_status = 422
    kind = "bad-rules"


class NotFoundError(SkbError):
    """A machine, decision, question or revision is not known."""

    http_status = 404
    kind = "not-found"


class RevisionError(SkbError):
    """The machine has changed since the revision that a write was based on; nothing was written."""

    http_status = 412
    kind = "stale-revision"


class NameTakenError(SkbError):
    """A name is already used; nothing was written."""

    http_status = 409
    kind = "name-taken"


class LimitError(SkbError):
    """No answer within the limit; the worker was ended."""

    exit_code = 4
    http_status = 504
    kind = "limit-exceeded"


class CheckError(SkbError):
    """A checker refused our own answer: an internal fault, never shown as a decision."""

    exit_code = 1
    http_status = 500
    kind = "check-failed"


class AddressError(SkbError):
    """A database address cannot be opened."""

    kind = "bad-address"


class StoreError(SkbError):
    """The database refused to read or write; the transaction did not happen."""

    exit_code = 1
    http_status = 507
    kind = "store-failed"
