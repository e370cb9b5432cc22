"""What patients write is unreadable without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.engine.sealing import seal, unseal
from reminders.errors import DatabaseError

KEY, OTHER = b"1" * 32, b"2" * 32


@given(st.text())
def test_what_is_sealed_can_be_read_again(text: str):
    """Any text comes back as it was; the same text sealed twice looks different."""
    sealed = seal(KEY, text)
    assert unseal(KEY, sealed) == text
    assert sealed != seal(KEY, text)
    assert len(text) < 4 or text.encode() not in sealed


@pytest.mark.parametrize("change", [lambda s: s[:-1], lambda s: s[:-1] + b"x", lambda s: b""])
def test_another_key_or_a_changed_text_is_refused(change):
    """Nothing is read that this key did not seal, and the error repeats nothing."""
    sealed = seal(KEY, "Kan vi byta tid?")
    with pytest.raises(DatabaseError, match="another key"):
        unseal(OTHER, sealed)
    with pytest.raises(DatabaseError, match="another key"):
        unseal(KEY, change(sealed))
