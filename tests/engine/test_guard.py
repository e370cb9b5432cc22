"""The environment guard: before production nobody is written to who is not on the list."""

from collections.abc import Callable

import pytest

from reminders.errors import ConfigError
from reminders.providers.sandbox import Sandbox
from tests.engine.clinic import Clinic, row

Make = Callable[..., Clinic]


class Real(Sandbox):
    """A sandbox that counts as a provider that reaches people."""

    real = True


def test_environment_guard(open_clinic: Make) -> None:
    """Outside production nobody is written to who is not on the list."""
    clinic = open_clinic(
        make_provider=lambda _name, setup: Real(setup), allowed_recipients=["070-174 06 07"]
    )
    clinic.read(row(), row("B2", phone="070-174 06 06"))
    clinic.until("2026-12-02 11:00")
    assert clinic.texts() == []


def test_what_the_guard_held_goes_when_it_may(open_clinic: Make) -> None:
    """What a test held back and still helps goes out when the list, or the environment, allows it."""
    clinic = open_clinic(make_provider=lambda _name, setup: Real(setup))
    clinic.read(row(), row("B2", phone="070-174 06 06"))
    clinic.plan()
    held = ("day_before", "sms", "suppressed", "environment")
    assert held in clinic.states("B1")
    clinic.restart(allowed_recipients=["070-174 06 06"])
    clinic.plan()
    assert held in clinic.states("B1")
    assert held not in clinic.states("B2")
    clinic.restart(environment="production")
    clinic.until("2026-12-02 11:00")
    assert {text.to[-3:] for text in clinic.texts()} == {"605", "606"}


@pytest.mark.parametrize("entry", ["070-174", "08-123 45 67", "anna", "anna@"])
def test_a_recipient_that_nobody_can_be_is_refused(open_clinic: Make, entry: str) -> None:
    """An entry of the guard's list that no import would accept is refused, with what is right."""
    with pytest.raises(ConfigError, match=r"allowed_recipients, entry 2: .* like "):
        open_clinic(allowed_recipients=["070-174 06 06", entry])


@pytest.mark.parametrize("spelling", ["+46 70-174 06 06", "070-174 06 06", "0046701740606"])
def test_environment_guard_lets_listed_addresses_through(open_clinic: Make, spelling: str) -> None:
    """Outside production an address on the list, spelt as a file may spell it, is written to."""
    clinic = open_clinic(
        make_provider=lambda _name, setup: Real(setup), allowed_recipients=[spelling]
    )
    clinic.read(row(), row("B2", phone="070-174 06 06"))
    clinic.until("2026-12-02 11:00")
    assert {text.to[-3:] for text in clinic.texts()} == {"606"}
    assert ("day_before", "sms", "suppressed", "environment") in clinic.states("B1")
