"""What can be wrong with a file, in codes that scripts read and sentences that people read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reminders.errors import RefusedFileError

SHOWN = 10
"""How many lines a refusal names before it says how many more there are."""


class ProblemCode(StrEnum):
    """Each code has its line in docs/csv-format.md."""

    # The file is refused whole.
    UNREADABLE_FILE = "unreadable_file"
    EMPTY_FILE = "empty_file"
    NOT_TEXT = "not_text"
    PASSWORD = "password"  # noqa: S105 - a code
    BROKEN_SHEET = "broken_sheet"
    TOO_LARGE = "too_large"
    MIXED_ENCODING = "mixed_encoding"
    NUL_CHARACTER = "nul_character"
    OPEN_QUOTE = "open_quote"
    CUT_OFF = "cut_off"
    TOO_LONG = "too_long"
    MISSING_COLUMN = "missing_column"
    REPEATED_COLUMN = "repeated_column"
    UNKNOWN_FIELD = "unknown_field"
    CONTRADICTION = "contradiction"
    # The row is not read.
    BROKEN_ROW = "broken_row"
    BAD_REF = "bad_ref"
    BAD_TIME = "bad_time"
    AMBIGUOUS_DATE = "ambiguous_date"
    IMPOSSIBLE_TIME = "impossible_time"
    DOUBLED_TIME = "doubled_time"
    PAST_TIME = "past_time"
    FAR_TIME = "far_time"
    UNKNOWN_STATUS = "unknown_status"
    # The row is read, without what could not be used.
    FORMULA = "formula"
    LOST_DIGITS = "lost_digits"
    NO_KIND = "no_kind"
    BAD_PHONE = "bad_phone"
    NOT_MOBILE = "not_mobile"
    BAD_EMAIL = "bad_email"
    UNKNOWN_ROLE = "unknown_role"
    BAD_CONSENT = "bad_consent"
    BAD_WISH = "bad_wish"
    BAD_YES_NO = "bad_yes_no"
    BAD_BIRTH_DATE = "bad_birth_date"
    OTHER_BIRTH_DATE = "other_birth_date"
    BAD_IDENTITY = "bad_identity"
    BAD_PATIENT = "bad_patient"
    NO_CONTACT = "no_contact"


OF_AN_ADDRESS = frozenset(
    {
        ProblemCode.BAD_PHONE,
        ProblemCode.NOT_MOBILE,
        ProblemCode.LOST_DIGITS,
        ProblemCode.BAD_EMAIL,
        ProblemCode.FORMULA,
        ProblemCode.NO_CONTACT,
    }
)
"""Problems that a right phone number or email address solves."""

HIDES_NOBODY = frozenset(
    {
        ProblemCode.PAST_TIME,
        ProblemCode.BAD_BIRTH_DATE,
        ProblemCode.BAD_CONSENT,
        ProblemCode.BAD_WISH,
    }
)
"""Problems of rows on which everybody is read all the same, with their numbers and addresses."""

OF_A_TIME = frozenset(
    {
        ProblemCode.BAD_TIME,
        ProblemCode.AMBIGUOUS_DATE,
        ProblemCode.IMPOSSIBLE_TIME,
        ProblemCode.DOUBLED_TIME,
        ProblemCode.PAST_TIME,
        ProblemCode.FAR_TIME,
    }
)
"""Problems that a right time solves."""

WHOLE_FILE = frozenset(
    {
        ProblemCode.UNREADABLE_FILE,
        ProblemCode.EMPTY_FILE,
        ProblemCode.NOT_TEXT,
        ProblemCode.PASSWORD,
        ProblemCode.BROKEN_SHEET,
        ProblemCode.TOO_LARGE,
        ProblemCode.UNKNOWN_FIELD,
    }
)
"""Problems of the file as a whole: no line is at fault."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct. `column` is the header as the file has it; no personal data in any.

    `row_key` is a keyed digest of the whole row: by it the same row is known again. `starts_at`
    (UTC) is told of a row without a reference, where its time can be read, and of a time that has
    passed.
    """

    line: int
    column: str | None
    code: ProblemCode
    message: str
    ref: str | None = None
    row_key: str = field(default="", compare=False, repr=False)
    starts_at: datetime | None = field(default=None, compare=False)


def may_hide(problems: Iterable[Problem]) -> bool:
    """Tell whether somebody may stand on a row with these problems who could not be read."""
    return any(problem.code not in HIDES_NOBODY for problem in problems)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one value cannot be used, before it is known where the value stands."""

    code: ProblemCode
    message: str


def refusal(problems: Sequence[Problem]) -> RefusedFileError:
    """Return the error that refuses the file for these problems, the first of them named."""
    lines = ["The file cannot be used, and nothing was changed."]
    lines += [f"  {_place(problem)}{problem.message}" for problem in problems[:SHOWN]]
    more = len(problems) - SHOWN
    if more > 0:
        lines.append(f"  … and {more} more.")
    return RefusedFileError("\n".join(lines), tuple(problems))


def _place(problem: Problem) -> str:
    return "" if problem.code in WHOLE_FILE else f"Line {problem.line}: "


def refuse(
    code: ProblemCode, message: str, line: int = 1, column: str | None = None
) -> RefusedFileError:
    """Return the error that refuses the file for one problem."""
    return refusal([Problem(line, column, code, message)])
