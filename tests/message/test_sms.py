"""Counting SMS segments, against two independent libraries and the specification."""

import random

import gsm0338
import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from reminders.message.sms import Charset, measure, repair

SEPTETS = gsm0338.Codec()


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 150 + "€", 3),  # an escape pair never straddles two segments
        ("ş" * 70, 1),
        ("ş" * 71, 2),
        ("ş" * 66 + "😀" + "ş" * 66, 3),  # nor does a surrogate pair
    ],
)
def test_segments(text: str, segments: int) -> None:
    """Segments are counted as the specification has them."""
    assert measure(text).segments == segments


@given(st.text(st.sampled_from("abcåäöÅÄÖ€^{}[]~|\\@é12 \n"), max_size=400))
def test_septets_agree_with_a_library(text: str) -> None:
    """The number of septets is that of an independent codec."""
    encoded, _ = SEPTETS.encode(text)
    assert measure(text).charset is Charset.GSM7
    assert measure(text).units == len(encoded)


@given(st.text(st.sampled_from("ab“”’‘–—…\u00a0 é\r\n"), max_size=80))
def test_repair_is_final_and_never_costs(text: str) -> None:
    """Repairing twice changes nothing more, and never makes a text dearer."""
    once = repair(text)
    assert repair(once) == once
    assert measure(once).segments <= max(
        measure(text).segments, measure(text.replace("…", "...")).segments
    )


MIXED = "abcåäöÅÄÖ€^{}[]~|\\@é12 \nabcdefgh" * 3 + "ş😀“中ي"


def by_the_specification(text: str) -> tuple[str, int]:
    """Count anew, by packing characters one after another into segments."""
    try:
        gsm = True
        sizes = [len(SEPTETS.encode(sign)[0]) for sign in text]
    except UnicodeError:
        gsm = False
        sizes = [len(sign.encode("utf-16-be")) // 2 for sign in text]
    alone, joined = (160, 153) if gsm else (70, 67)
    if sum(sizes) <= alone:
        return ("GSM-7" if gsm else "UCS-2"), 1
    used, room = 1, joined
    for size in sizes:
        if size > room:
            used, room = used + 1, joined
        room -= size
    return ("GSM-7" if gsm else "UCS-2"), used


def check_random_texts(count: int) -> None:
    """Compare counts on random texts near the limits, with two libraries and the specification.

    Septets are gsm0338's; the limits and the packing are those of 3GPP 23.038; smsutil agrees.
    """
    chance = random.Random(2026)
    for _ in range(count):
        near = chance.choice((70, 134, 160, 201, 306, 459))
        signs = MIXED if chance.random() < 0.3 else MIXED[:-5]
        text = "".join(chance.choices(signs, k=near - chance.randrange(12)))
        size = measure(text)
        assert (size.charset.value, size.segments) == by_the_specification(text), text
        assert len(smsutil.split(text).parts) == size.segments, text


def test_ten_thousand_random_texts_are_counted_right() -> None:
    """Escapes and surrogates straddle no segment, and the libraries agree."""
    check_random_texts(10_000)


@pytest.mark.long
def test_a_hundred_thousand_random_texts_are_counted_right() -> None:
    """The same for a hundred thousand."""
    check_random_texts(100_000)
