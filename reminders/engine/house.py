"""How the installation is set up, as staff may see it: no secret, no provider's password."""

from collections.abc import Mapping
from dataclasses import dataclass

from reminders.domain.access import ALL_CLINICS
from reminders.engine.runtime import Runtime
from reminders.engine.watch import ACTOR
from reminders.store import clinics, import_pages, ledger, users
from reminders.store.database import Connection
from reminders.store.ledger import Act
from reminders.store.users import Account

SHOWN = 100
IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class House:
    """What the settings page shows."""

    opt_outs: tuple[tuple[str, str, object], ...]
    more_opt_outs: bool
    acts: tuple[Act, ...]
    users: tuple[Account, ...]
    rules: Mapping[str, Mapping[str, object]]


def look(conn: Connection, runtime: Runtime, clinic: str) -> House:
    """Return the clinic's opt-outs, rules and users, and what people did last."""
    clinic_id = clinics.find_clinic_id(conn, clinic) or 0
    listed = clinics.opt_outs_from(conn, clinic_id, SHOWN + 1)
    practice = runtime.practices[clinic]
    rules = {
        key: rule.model_dump(exclude_defaults=True, exclude_none=True, mode="json", by_alias=True)
        for key, rule in runtime.config.rules.items()
        if key in practice.rule
    }
    return House(
        tuple(listed[:SHOWN]),
        len(listed) > SHOWN,
        _acts(conn, clinic_id),
        tuple(one for one in users.accounts(conn) if {clinic, ALL_CLINICS} & set(one.roles)),
        rules,
    )


def _acts(conn: Connection, clinic_id: int) -> tuple[Act, ...]:
    """Return what people did last, the newest first: with visits, texts, sending, and files."""
    most = SHOWN // 2
    files = import_pages.imports_before(conn, clinic_id, None, most, but_by=ACTOR)
    acts = [
        *ledger.latest_by_people(conn, clinic_id, most),
        *(Act(f.applied_at, f.actor, IMPORTED, None, 1, f.id, f.file_name) for f in files),
    ]
    return tuple(sorted(acts, key=lambda act: act.at, reverse=True)[:most])
