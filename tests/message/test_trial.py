"""The sample people that texts are tried on."""

import pytest

from reminders.message.trial import readers_for
from tests.message.people import CLINIC, NOW


@pytest.mark.parametrize(
    ("change", "same"), [({"templates_folder": "north"}, True), ({"phone": "08-465 004 00"}, False)]
)
def test_clinics_that_are_alike_have_the_same_readers(change: dict[str, str], same: bool) -> None:
    """What has been judged for one clinic holds for another whose texts say the same."""
    other = CLINIC.model_copy(update=change)
    assert (readers_for(other, {"sv"}, NOW) is readers_for(CLINIC, {"sv"}, NOW)) is same
