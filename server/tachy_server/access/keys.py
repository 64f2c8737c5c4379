"""Keys: what they look like, and whether a text is one of them.

A key is `tk_ID_SECRET`. The id is public: it finds the row, and stands in lists and logs. The secret is 43 letters and
digits, 256 random bits, of which the server keeps SHA-256 alone. Nobody can guess or enumerate that many, so a slow
hash (scrypt, Argon2), which passwords need, would protect nothing here and cost every request its milliseconds.

To check: pytest tests/access.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tachy_server.base.errors import Denied
from tachy_server.base.who import Scope

_ALPHABET: Final = string.ascii_letters + string.digits
_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 43  # 62**43 > 2**256
_KEY: Final = re.compile(rf"tk_([0-9a-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}")
_NO_HASH: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the server has it. Times are UTC nanoseconds; None: not yet, or never."""

    key_id: str
    name: str
    hash: bytes
    scopes: tuple[Scope, ...]
    created: int
    expires: int | None = None
    revoked: int | None = None
    last_used: int | None = None
    stamp: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def state(self, now: int) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


def make() -> tuple[str, str, bytes]:
    """A new key: its text, which nobody keeps but its holder, its id, and its hash."""
    key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(_ID_LENGTH))
    text = f"tk_{key_id}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return text, key_id, hash_of(text)


def hash_of(text: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


def find(known: Mapping[str, Key], text: str, now: int) -> Key:
    """The key whose text this is. Raises Denied.

    What is wrong with a key is said only to who has the whole of it. One hash is made and one compared, in a time that
    does not depend on what they are, for every text that looks like a key.
    """
    match = _KEY.fullmatch(text)
    if match is None:
        raise Denied("unknown_key", "This is no key of this server; `tachy keys list` names those that there are.")
    key = known.get(match[1])
    same = hmac.compare_digest(hash_of(text), _NO_HASH if key is None else key.hash)
    if key is None or not same:
        raise Denied("unknown_key", "This is no key of this server; `tachy keys list` names those that there are.")
    state = key.state(now)
    if state == "revoked":
        raise Denied("revoked_key", f"The key {key.name} has been revoked; ask for another one.")
    if state == "expired":
        raise Denied("expired_key", f"The key {key.name} has expired; ask for another one.")
    return key
