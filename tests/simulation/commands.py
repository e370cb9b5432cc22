"""Commands of the admins whose process dies: what of them is done, and what is not."""

from collections.abc import Iterator
from contextlib import contextmanager

from reminders.engine import applying
from tests.simulation.knobs import OF_SEVERAL
from tests.simulation.process import Died


@contextmanager
def parts_of(patients: int | None) -> Iterator[None]:
    """Apply files in parts of so many patients, however small; None: as the program does it."""
    before = applying.AT_ONCE, applying.PART
    if patients is not None:
        applying.AT_ONCE, applying.PART = 0, patients
    try:
        yield
    finally:
        applying.AT_ONCE, applying.PART = before


class AsCommitted:
    """A command whose process died after the commit has taken effect all the same."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        """Go on if the work was committed before the process died."""
        return (
            isinstance(error, Died)
            and error.args[:1] == ("after",)
            and error.args[1] not in OF_SEVERAL
        )
