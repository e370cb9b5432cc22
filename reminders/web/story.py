"""The ledger of a visit, in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from reminders.domain.reasons import Reason, sentence
from reminders.store.ledger import Entry
from reminders.store.views import Line
from reminders.web.here import Here
from reminders.web.language import N_

SENTENCES: Mapping[str, str] = {
    "imported new": N_("The booking was read from a file."),
    "imported moved": N_("A file gave the visit a new time."),
    "imported cancelled": N_("A file said that the visit is cancelled."),
    "imported updated": N_("A file changed something about the visit or its contacts."),
    "missing_cancelled": N_("The booking was missing in a whole file, and was cancelled."),
    "moved_by_hand": N_("The visit was given a new time."),
    "cancelled_by_hand": N_("The visit was cancelled."),
    "asked_to_send": N_("%(rule)s was asked for, to go at once."),
    "contact_corrected": N_("A contact's address was corrected."),
    "contact_added": N_("A contact was added."),
    "stopped_contacting": N_("Messages to an address were stopped."),
    "started_contacting": N_("Messages to an address were let again."),
    "contact_changed": N_("What a contact wishes was recorded."),
    "own_login": N_("It was recorded whether there is a login of their own."),
    "inbound": N_("Somebody wrote to us: %(keyword)s."),
    "confirmed": N_("It was answered that they come."),
    "answered": N_("It is answered: %(rule)s."),
    "called": N_("Ticked off on the call list by %(by)s."),
    "not_called": N_("Put back on the call list."),
    "planned": N_("%(rule)s, %(whom)s: planned for %(due)s."),
    "planned before": N_("%(rule)s, %(whom)s: planned."),
    "sending": N_("%(rule)s, %(whom)s: handed over."),
    "accepted": N_("%(rule)s, %(whom)s: sent, the provider has taken it."),
    "delivered": N_("%(rule)s, %(whom)s: arrived."),
    "undelivered": N_("%(rule)s, %(whom)s: did not arrive."),
    "failed": N_("%(rule)s, %(whom)s: refused."),
    "unknown": N_("%(rule)s, %(whom)s: the provider's answer was lost."),
    "unknown restored": N_("%(rule)s, %(whom)s: it may have gone before the restore."),
    "expired": N_("%(rule)s, %(whom)s: did not go, as it could no longer help."),
    "cancelled": N_("%(rule)s, %(whom)s: taken back."),
    "suppressed": N_("%(rule)s, %(whom)s: not sent."),
    "late_answer": N_("%(rule)s, %(whom)s: a late answer came."),
}
INSTEAD = N_("There is no approved text in %(wanted)s, so it went in %(used)s.")
TONES: Mapping[str, str] = {
    "accepted": "good", "delivered": "good", "undelivered": "bad", "failed": "bad",
    "unknown": "bad", "expired": "bad",
}  # fmt: skip
UNNAMED = frozenset({"planner", "system", "demo", "inbound"})
"""What the program did by itself stands without a name."""
LEFT_OUT = frozenset({"version"})
PLANNER = frozenset({"planned", "cancelled", "suppressed"})
"""What a plan comes to for a message, until the next one."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing that happened, as people read it."""

    at: datetime
    text: str
    reason: str
    who: str
    tone: str


def tell(here: Here, entries: tuple[Entry, ...], lines: tuple[Line, ...]) -> list[Sentence]:
    """Return what happened to a visit, the newest first."""
    by_id = {line.message.id: line for line in lines}
    last = {e.message_id: e for e in entries if e.event in PLANNER}
    return [
        _sentence(
            here,
            entry,
            by_id.get(entry.message_id or 0),
            before=entry.event in PLANNER and last[entry.message_id] is not entry,
        )
        for entry in reversed(entries)
        if entry.event not in LEFT_OUT
    ]


def _sentence(here: Here, entry: Entry, line: Line | None, *, before: bool) -> Sentence:
    """Return the sentence of a fact.

    `before`: the message has been planned anew since, at another time or to another address. Of
    that plan no more is known than the role and the channel.
    """
    known = SENTENCES.get(entry.event) or SENTENCES.get(f"{entry.event} {entry.detail.get('as')}")
    known = SENTENCES.get(f"{entry.event} {entry.detail.get('reason')}", known)
    if before and line:
        known = SENTENCES.get(f"{entry.event} before", known)
        line = replace(line, contact=line.contact.partition(" ")[0])
    values = {
        "rule": here.rule(str(entry.detail.get("rule") or _rule(line))),
        "whom": here.whom(line) if line else "",
        "due": here.moment(line.message.due_at) if line else "",
        "keyword": here.keyword(str(entry.detail.get("keyword", ""))),
        "by": str(entry.detail.get("by", "")),
    }
    text = str(here.speaking.text(known, **values)) if known else entry.event.replace("_", " ")
    code = entry.detail.get("reason")
    reason = sentence(Reason(str(code)), here.language) if code in set(Reason) else ""
    wanted, used = (str(entry.detail.get(name, "")) for name in ("instead_of", "language"))
    if wanted and used:
        names = {"wanted": here.language_name(wanted), "used": here.language_name(used)}
        reason = str(here.speaking.text(INSTEAD, **names))
    who = "" if entry.actor in UNNAMED else here.actor(entry.actor)
    return Sentence(entry.at, text, reason, who, TONES.get(entry.event, ""))


def _rule(line: Line | None) -> str:
    return line.message.key.rule if line else ""
