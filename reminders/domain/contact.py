"""The people who are told of a visit. The planner sees whether they can be reached, not where."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Reach:
    """One address of a contact, by its keyed digest: equal digests are equal addresses."""

    address_key: str
    consent: Consent
    opted_out: bool = False


@dataclass(frozen=True, slots=True)
class Contact:
    """One person of a patient's, with the channels that an address is known for."""

    id: int
    role: Role
    reach: Mapping[Channel, Reach]
    language: str | None = None
