"""Who may do what: the people of the pages, and the programs of the JSON API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

ALL_CLINICS = "*"
"""In a user's roles: every clinic, also those that are added later."""


class Role(StrEnum):
    """What a user may do at a clinic: look, or also act."""

    VIEWER = "viewer"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a program's token may do at its clinic."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who is signed in. `roles` has a role for each of `clinics`, and those alone.

    `everywhere`: an admin of every clinic, who may do what concerns them all.
    """

    id: int
    login: str
    language: str
    roles: Mapping[str, Role]
    everywhere: bool = False

    @property
    def clinics(self) -> tuple[str, ...]:
        """Return the clinics that the user may see, in the order of the configuration."""
        return tuple(self.roles)

    @property
    def role(self) -> Role:
        """Return the most that the user may do at any clinic."""
        return Role.ADMIN if Role.ADMIN in self.roles.values() else Role.VIEWER

    def may(self, clinic: str, role: Role = Role.VIEWER) -> bool:
        """Tell whether the user has at least this role at a clinic."""
        held = self.roles.get(clinic)
        return held is not None and role in {Role.VIEWER, held}


@dataclass(frozen=True, slots=True)
class Client:
    """A program that has shown its token, and the one clinic that it works for."""

    id: int
    name: str
    clinic: str
    scopes: frozenset[Scope]
    used_at: datetime | None
