"""A key is known by all of its text, in a time that tells nothing of it, and is stored nowhere."""

from __future__ import annotations

import hmac
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tachy_server.access import door as door_module
from tachy_server.access import keys
from tachy_server.access.door import Door, key_in
from tachy_server.access.keys import Key
from tachy_server.access.refusals import BURST, Refusals
from tachy_server.base.errors import Denied

NOW = 1_800_000_000 * 10**9


def made(**changes: Any) -> tuple[str, Key]:
    text, key_id, digest = keys.make()
    return text, replace(Key(key_id, "of a test", digest, ("query",), NOW), **changes)


def reason(known: dict[str, Key], text: str) -> str:
    try:
        keys.find(known, text, NOW)
    except Denied as denied:
        return denied.reason
    return ""


def test_a_key_is_found_and_nothing_like_it() -> None:
    text, key = made()
    known = {key.key_id: key}
    assert keys.find(known, text, NOW) is key
    other, _ = made()
    for at in range(len(text)):
        letter = "A" if text[at] != "A" else "B"
        assert reason(known, text[:at] + letter + text[at + 1 :]) == "unknown_key"
    for wrong in ("", text[:-1], text + "A", text.upper(), other, f" {text}", f"{text}\n", key.key_id, "tk_", "\0"):
        assert reason(known, wrong) == "unknown_key", wrong


def test_what_is_wrong_with_a_key_is_said_to_its_holder_alone() -> None:
    for changes, expected in (
        ({"expires": NOW}, "expired_key"),
        ({"expires": NOW + 1}, ""),
        ({"revoked": NOW - 1}, "revoked_key"),
        ({"revoked": NOW - 1, "expires": NOW - 2}, "revoked_key"),
    ):
        text, key = made(**changes)
        assert reason({key.key_id: key}, text) == expected
        assert reason({key.key_id: key}, text[:-1] + ("A" if text[-1] != "A" else "B")) == "unknown_key"


def test_keys_are_random_and_their_hash_does_not_show_them() -> None:
    texts = {made()[0] for _ in range(1000)}
    assert len({text.split("_")[1] for text in texts}) == len({text.split("_")[2] for text in texts}) == 1000
    text, key = made()
    secret = text.rpartition("_")[2]
    assert secret not in repr(key)
    assert len(key.hash) == 32


def steps(work: Callable[[], object]) -> int:
    """Instructions of Python's that `work` takes in keys.py."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        if frame.f_code.co_filename != keys.__file__:
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_comparing_takes_the_same_steps_wherever_a_wrong_key_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole hashes are compared, by the function that does it in constant time; also where no key has the id."""
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return real(a, b)

    monkeypatch.setattr(keys.hmac, "compare_digest", compare)
    text, key = made()
    known = {key.key_id: key}
    begin = text.rindex("_") + 1
    wrong = [text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :] for at in range(begin, len(text))]
    assert steps(lambda: reason(known, text)) > 50
    assert len({steps(lambda candidate=candidate: reason(known, candidate)) for candidate in wrong}) == 1  # type: ignore[misc]
    compared.clear()
    unknown, _ = made()
    assert [reason(known, candidate) for candidate in (text, wrong[0], wrong[-1], unknown)] == [
        "",
        *["unknown_key"] * 3,
    ]
    assert compared == [(32, 32)] * 4


@given(st.text(st.characters(codec="latin-1"), max_size=120))
def test_any_header_is_a_refusal_and_never_a_failure(header: str) -> None:
    _, key = made()
    door = Door(lambda: [key])
    with pytest.raises(Denied):
        door.enter(header, "127.0.0.1")


def test_bearer_and_basic_hold_a_key() -> None:
    assert key_in("Bearer tk_a") == key_in("bearer  tk_a ") == "tk_a"
    assert (
        key_in("Basic dXNlcjp0a19h")
        == key_in("basic dGtfYTo=")
        == key_in("BASIC dGtfYQ==")
        == key_in("Basic dGtfYQ")
        == "tk_a"
    )
    for nothing in ("", "tk_a", "Digest tk_a", "Basic", "Basic !", "Basic gICA", "Bearer"):
        assert key_in(nothing) == ""


def test_who_has_entered_stays_no_longer_than_his_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose key was found a moment ago is not looked for again, until the keys are read again or his has expired."""
    (text, key), (other, another) = made(expires=NOW + 100), made()
    found = {key.key_id: key, another.key_id: another}
    door = Door(lambda: list(found.values()))
    clock = iter([NOW] * 4 + [NOW + 99, NOW + 100, NOW + 100])
    monkeypatch.setattr(door_module.time, "time_ns", lambda: next(clock))
    hashed: list[str] = []

    def noting(text: str) -> bytes:
        hashed.append(text)
        return hash_of(text)

    hash_of = keys.hash_of
    monkeypatch.setattr(keys, "hash_of", noting)
    for _ in range(2):
        assert door.enter(f"Bearer {text}", "127.0.0.1").key_id == key.key_id
        assert door.enter(f"Bearer {other}", "127.0.0.1").key_id == another.key_id
    assert hashed == [text, other]
    assert door.enter(f"Bearer {text}", "127.0.0.1").key_id == key.key_id
    with pytest.raises(Denied, match="expired"):
        door.enter(f"Bearer {text}", "127.0.0.1")
    del found[another.key_id]
    door.read_again()
    with pytest.raises(Denied, match="no key of this server"):
        door.enter(f"Bearer {other}", "127.0.0.1")


def test_a_door_without_keys_is_open_and_one_with_a_revoked_key_is_not() -> None:
    found: list[Key] = []
    door = Door(lambda: list(found))
    assert door.enter("", "127.0.0.1").scopes == ("ingest", "query", "control", "admin")
    found.append(made(revoked=NOW)[1])
    door.read_again()
    with pytest.raises(Denied, match="needs a key"):
        door.enter("", "127.0.0.1")


def test_refusals_are_counted_by_reason_and_limited_per_address(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("tachy_server.access.refusals.time.monotonic", lambda: clock)
    text, key = made()
    door = Door(lambda: [key])

    def answer(address: str) -> tuple[str, int]:
        with pytest.raises(Denied) as denied:
            door.enter("Bearer tk_wrong", address)
        return denied.value.reason, denied.value.wait

    said = [answer("10.0.0.1")[0] for _ in range(int(BURST) + 5)]
    assert said == ["unknown_key"] * int(BURST) + ["rate"] * 5
    assert answer("10.0.0.2")[0] == "unknown_key"
    assert door.enter(f"Bearer {text}", "10.0.0.1").key_id == key.key_id
    clock += 1
    assert [answer("10.0.0.1") for _ in range(2)] == [("unknown_key", 0), ("rate", 1)]
    assert door.refusals.stats() == {"unknown_key": int(BURST) + 2, "rate": 6}


def test_an_ipv6_address_is_its_network() -> None:
    refusals = Refusals()
    denied = Denied("no_key", "a sentence")
    said = [refusals.answer(denied, f"2001:db8::{number:x}").reason for number in range(1, int(BURST) + 2)]
    assert said[-2:] == ["no_key", "rate"]
    assert refusals.answer(denied, "2001:db8:0:1::1").reason == "no_key"
    assert refusals.answer(denied, "fe80::1%eth0").reason == refusals.answer(denied, "").reason == "no_key"
    for number in range(10_000):
        refusals.answer(denied, f"10.{number >> 8}.{number & 255}.1")
    assert len(refusals._left) <= 4096
