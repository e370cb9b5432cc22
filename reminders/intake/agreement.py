"""Whether the rows of a booking agree on what there can be but one of: time, status and patient."""

from datetime import datetime
from typing import NamedTuple

from reminders.domain.appointment import VisitStatus
from reminders.intake.problems import Problem, ProblemCode

_KEY_BITS = 64
_TIME_BITS = 40
_SECONDS_BEFORE_1970 = 1 << 33
_KEY_MASK = (1 << _KEY_BITS) - 1


class Said(NamedTuple):
    """What a booking's rows must agree on, and the first line that said it.

    `key` is a hash of the patient's key; 0 where the row has none. Of a million rows each is kept,
    so it is kept as one number.
    """

    line: int
    starts_at: int
    booked: bool
    key: int

    @classmethod
    def by(
        cls, line: int, starts_at: datetime, status: VisitStatus, patient_key: str | None
    ) -> "Said":
        """Return what a row says."""
        key = hash(patient_key) & _KEY_MASK if patient_key is not None else 0
        seconds = int(starts_at.timestamp()) + _SECONDS_BEFORE_1970
        return cls(line, seconds, status is VisitStatus.BOOKED, key)

    @classmethod
    def unpacked(cls, number: int) -> "Said":
        """Return what was packed."""
        rest, key = number >> _KEY_BITS, number & _KEY_MASK
        line, starts_at = rest >> (_TIME_BITS + 1), rest & ((1 << _TIME_BITS) - 1)
        return cls(line, starts_at, bool(rest >> _TIME_BITS & 1), key)

    def packed(self) -> int:
        """Return it as a number."""
        rest = (self.line << 1 | self.booked) << _TIME_BITS | self.starts_at
        return rest << _KEY_BITS | self.key

    def differs_in(self, other: "Said") -> str | None:
        """Return what the other says otherwise, in words, or None."""
        if other.starts_at != self.starts_at:
            return "another time"
        if other.booked is not self.booked:
            return "another status"
        if self.key and other.key and other.key != self.key:
            return "another patient"
        return None


class Agreement:
    """Remembers what each booking said first, and the lines that say otherwise."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}
        self.contradictions: list[Problem] = []

    def hear(self, ref: str, said: Said) -> None:
        """Keep what a booking's row says, if it is the first, or what is wrong with it."""
        number = said.packed()
        known = self._said.setdefault(ref, number)
        if known is number:
            return
        first = Said.unpacked(known)
        if not first.key and said.key:
            self._said[ref] = first._replace(key=said.key).packed()
        differing = first.differs_in(said)
        if differing:
            message = (
                f"The booking has {differing} here than on line {first.line}. Leave the row that "
                "is true, and export again."
            )
            self.contradictions.append(
                Problem(said.line, None, ProblemCode.CONTRADICTION, message, ref)
            )
