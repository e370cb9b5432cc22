"""The people who are told of a visit. The planner sees whether they can be reached, not where."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reminders.domain.quiet import QuietHours
from reminders.domain.reasons import Reason


class Channel(StrEnum):
    """The ways a message can take."""

    SMS = "sms"
    EMAIL = "email"


class Role(StrEnum):
    """Who the person is to the visit."""

    PATIENT = "patient"
    GUARDIAN = "guardian"


class Consent(StrEnum):
    """What is recorded of a person's wish to be contacted on one channel."""

    GIVEN = "given"
    REFUSED = "refused"


def canonical(address: str) -> str:
    """Return the form in which two spellings of one phone or mailbox are equal.

    The standard lets a mailbox tell capitals apart, and none does. What is sent goes to the address
    as it is written.
    """
    return address.casefold()


def is_one_address(one: str | None, other: str | None) -> bool:
    """Tell whether both are told, and are one phone or mailbox."""
    return bool(one and other and canonical(one) == canonical(other))


@dataclass(frozen=True, slots=True)
class Reach:
    """One address of a contact, by its keyed digest: equal digests are equal addresses."""

    address_key: str
    consent: Consent
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a person wants to be contacted; None is nothing said.

    `prefers` is tried before a rule's other channels; `no_sms` are hours of the day without SMS.
    `from_13` is the recorded choice, of a guardian alone, whether they are contacted although the
    patient is of the age for a login of their own.
    """

    prefers: Channel | None = None
    no_sms: QuietHours | None = None
    from_13: bool | None = None

    def over(self, known: "Wishes") -> "Wishes":
        """Return these wishes, with what is `known` where they say nothing."""
        return Wishes(
            self.prefers or known.prefers,
            self.no_sms or known.no_sms,
            known.from_13 if self.from_13 is None else self.from_13,
        )


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of a patient's, with the channels that an address is known for."""

    id: int
    role: Role
    reach: Mapping[Channel, Reach]
    language: str | None = None
    wishes: Wishes = NO_WISHES


def unchosen(contact: Contact, age: int | None, own_from_age: int) -> Reason | None:
    """Return why a guardian is not contacted of a patient of an age for an own login; else None."""
    young = age is None or age < own_from_age
    if contact.role is not Role.GUARDIAN or young or contact.wishes.from_13:
        return None
    chosen = contact.wishes.from_13 is not None
    return Reason.GUARDIAN_DECLINED if chosen else Reason.GUARDIAN_NOT_CHOSEN
