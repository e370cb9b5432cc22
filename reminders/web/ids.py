"""Numbers that name something in an address or a form: what is no such number names nothing."""

from typing import Annotated

from fastapi import Form, Path, Query

LARGEST = (1 << 63) - 1
"""No row has a larger id, and no database takes one."""

PathId = Annotated[int, Path(ge=0, le=LARGEST)]
FormId = Annotated[int, Form(ge=0, le=LARGEST)]
QueryId = Annotated[int, Query(ge=0, le=LARGEST)]

OUT_OF_RANGE = frozenset({"greater_than_equal", "less_than_equal"})
"""What is found of a number that is no id."""
