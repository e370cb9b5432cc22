"""A mark of what a person was shown of a file, so that nothing else is applied than that."""

import hashlib
from collections.abc import Iterable

from reminders.errors import ConflictError
from reminders.store import clinics, templates
from reminders.store.database import Connection


class DifferenceChangedError(ConflictError):
    """What was shown of a file is no longer so: by what somebody did meanwhile, or by time."""

    def __init__(self) -> None:
        super().__init__(
            "What was shown is no longer so: somebody has changed something, or time has gone on."
            " Nothing was imported: look at the file's difference again."
        )


class Fingerprint:
    """Adds up what is shown, and what the texts depend on besides: templates and opt-outs."""

    def __init__(self, conn: Connection, clinic_id: int) -> None:
        self._digest = hashlib.sha256()
        self.add(sorted(templates.approved_versions(conn)))
        self.add([address for address, _, _ in clinics.opt_outs(conn, clinic_id)])

    @classmethod
    def of(cls, conn: Connection, clinic_id: int, values: Iterable[object]) -> "Fingerprint":
        """Return the fingerprint that has seen these."""
        seen = cls(conn, clinic_id)
        for value in values:
            seen.add(value)
        return seen

    def add(self, value: object) -> None:
        """Add a value whose `repr` tells all of it."""
        self._digest.update(repr(value).encode())

    def digest(self) -> str:
        """Return the mark."""
        return self._digest.hexdigest()
