"""Counting SMS segments, against two independent libraries and the specification."""

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.message.sms import Charset, measure, repair


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
    encoded, _ = gsm0338.Codec().encode(text)
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
