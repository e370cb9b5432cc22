"""Errors as problem+json (RFC 9457), with a pointer at the field. No value is repeated."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from reminders.intake.columns import Field as Column
from reminders.intake.problems import Problem as RowProblem
from reminders.intake.problems import ProblemCode

MEDIA = "application/problem+json"

TITLES: Mapping[int, str] = {
    401: "A token is needed",
    403: "The token may not do this",
    404: "Not found",
    405: "The method is not allowed here",
    409: "It cannot be done as things stand",
    413: "The request is too large",
    415: "The request has to be JSON",
    422: "The request cannot be used",
    429: "Too many requests",
    500: "The program failed",
    503: "The database does not answer",
}

_PATIENT = {Column.PATIENT: "key", Column.BIRTH_DATE: "birth_date"}
_PATIENT |= {Column.PROTECTED: "protected", Column.OWN_LOGIN: "own_login"}
_VISIT = {Column.STARTS_AT, Column.KIND, Column.STATUS, Column.CLINICIAN}
_ROLE_AND_WISHES = {Column.ROLE, Column.CONSENT_SMS, Column.CONSENT_EMAIL, Column.LANGUAGE}
_PERSON = {Column.MOBILE, Column.EMAIL, *_ROLE_AND_WISHES}
_FIRST_LINE = 2


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    place: Literal["body", "path", "query", "header"] = Field(description="The part it is in.")
    pointer: str = Field(description="A JSON pointer (RFC 6901) at the field; empty: all of it.")
    code: str = Field(description="For programs: it stays the same.")
    detail: str = Field(description="For people: what is wrong, and what would be right.")


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


def answer(
    status: int,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an error answer."""
    title = TITLES.get(status, "The request is refused")
    problem = Problem(title=title, status=status, detail=detail, errors=list(faults))
    return JSONResponse(problem.model_dump(), status, headers, media_type=MEDIA)


def misread(error: RequestValidationError) -> list[Fault]:
    """Return what is wrong with the form of a request."""
    return [_misread(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]


def _misread(where: Sequence[str | int], code: str, message: str) -> Fault:
    place, *path = where
    known: Literal["body", "path", "query", "header"]
    match place:
        case "path" | "query" | "header":
            known = place
        case _:
            known = "body"
    if code == "json_invalid":
        path = []
    return Fault(place=known, pointer=_pointer(path), code=code, detail=message)


def _pointer(path: Iterable[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts)


def from_rows(problems: Sequence[RowProblem]) -> list[Fault]:
    """Return what is wrong with a booking, each with the field that it stands in."""
    return [_from_row(problem) for problem in problems]


def _from_row(problem: RowProblem) -> Fault:
    pointer = ""
    if problem.column == Column.REF:
        return Fault(place="path", pointer="/ref", code=problem.code, detail=problem.message)
    if problem.column in _VISIT:
        pointer = f"/{problem.column}"
    elif problem.column in _PATIENT:
        pointer = f"/patient/{_PATIENT[Column(problem.column)]}"
    elif problem.column in _PERSON:
        pointer = f"/contacts/{problem.line - _FIRST_LINE}/{problem.column}"
    elif problem.code is ProblemCode.NO_CONTACT:
        pointer = "/contacts"
    return Fault(place="body", pointer=pointer, code=problem.code, detail=problem.message)
