"""Who is known again under another number: with zeros dropped, or from another column."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from reminders.domain.brought import IncomingPatient, KnownPatient
from reminders.domain.contact import Role
from reminders.domain.matching import addresses_alike

NAMED = "patient:"
"""How the keys begin of patients whom a file has named."""


def is_named(key: str) -> bool:
    """Tell whether a patient has a number of their own."""
    return key.startswith(NAMED)


def bare(name: str) -> str | None:
    """Return a name of digits without its leading zeros; None of any other, and of zeros alone."""
    return (name.lstrip("0") or None) if name.isascii() and name.isdecimal() else None


def bare_key(key: str) -> str | None:
    """Return what `bare` says of the number in a named patient's key."""
    return bare(key.removeprefix(NAMED)) if is_named(key) else None


def is_same_patient(
    incoming: IncomingPatient, key: str, record: KnownPatient, is_in_file: Callable[[], bool]
) -> bool:
    """Tell whether a booking's patient is the one who had it before, under another key.

    They are if the numbers differ in leading zeros alone, or an address is the same and no birth
    date another. Siblings share a guardian's address, and twins the birth date too: where the file
    has the earlier key as well (`is_in_file`), only the patient's own address shows it.
    """
    number = bare_key(key)
    if number is not None and number == bare_key(incoming.key):
        return True
    born, was = incoming.birth_dates, record.birth_date
    if born and was and was not in born:
        return False
    shared = {
        person.role is contact.role is Role.PATIENT
        for person in (*incoming.people, *incoming.unsure)
        for contact in record.contacts
        if addresses_alike(person, contact)
    }
    return bool(shared) and (True in shared or not is_in_file())


def by_zeros(new: Collection[str], known: Iterable[str], prefix: str = "") -> dict[str, str]:
    """Return which new name is which known one but for leading zeros, after the prefix.

    Only where it is clear: not if two known names are alike, or two new ones.
    """
    digits = {name: number for name in new if (number := bare(name.removeprefix(prefix)))}
    alike: dict[str, set[str]] = {number: set() for number in digits.values()}
    for name in known:
        number = bare(name.removeprefix(prefix))
        if number in alike:
            alike[number].add(name)
    pairs = {n: min(alike[number]) for n, number in digits.items() if len(alike[number]) == 1}
    often = Counter(pairs.values())
    return {name: old for name, old in pairs.items() if often[old] == 1}
