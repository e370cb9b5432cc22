"""The guards of the program, and how each is taken out."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Patch:
    """One place in a module: what stands there, and what is put there."""

    module: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """Return the module's file."""
        return ROOT / f"{self.module.replace('.', '/')}.py"

    def applied(self, source: str) -> str:
        """Return the source with the patch. Raise LookupError if its place has moved."""
        if source.count(self.old) != 1:
            raise LookupError(f"{self.module}: {self.old!r} stands there {source.count(self.old)}x")
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A guard taken out.

    `needs` says what a seed must have to notice: one of each of these sets. Other seeds are counted
    and not run.
    """

    name: str
    patches: tuple[Patch, ...]
    needs: tuple[frozenset[str], ...] = ()


def _one(name: str, module: str, old: str, new: str, *needs: frozenset[str]) -> Mutant:
    return Mutant(name, (Patch(f"reminders.{module}", old, new),), needs)


NIGHT, GUARDED = frozenset({"night"}), frozenset({"guarded"})
LOST = frozenset({"timeout_after_accepting", "5xx_accepted"})
UNSURE = LOST | {"timeout_before_accepting", "5xx_not_accepted"}
AWAY = frozenset({"provider_away", "database_away", "throttled"})
CRASH, LATE = frozenset({"crash"}), frozenset({"lists_late"})
PAUSE, PAUSE_LONG = frozenset({"pause"}), frozenset({"pause_beyond_the_lease"})
FIND_FAILS, STOPPED = frozenset({"listing_fails"}), frozenset({"refused_configuration"})
DEAF = frozenset({"callback_lost"})
AHEAD = frozenset({"clock_jumps_forward"})
ASTRAY = AHEAD | {"clock_jumps_back"}
UNDELIVERED, BUSY = frozenset({"undelivered"}), frozenset({"throttled"})


MUTANTS = (
    _one(
        "an unfenced result",
        "store.results",
        "WHERE message.id = r.id AND message.lease_token = r.token\n      AND CASE WHEN message.state IN ('sending', 'unknown') THEN true\n        ELSE message.state = 'accepted' AND r.state = 'accepted' END",
        "WHERE message.id = r.id",
        PAUSE_LONG,
        UNSURE,
    ),
    _one(
        "an ambiguous answer is sent again",
        "domain.lifecycle",
        "return Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=now + FIRST_SEARCH)",
        "return Step(State.PLANNED, Reason.PROVIDER_BUSY, next_at=now + FIRST_SEARCH)",
        LOST,
    ),
    _one(
        "an ambiguous answer is a failure",
        "domain.lifecycle",
        "return Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=now + FIRST_SEARCH)",
        "return Step(State.FAILED, Reason.BLOCKED)",
        LOST,
    ),
    Mutant(
        "the deadline is ignored",
        (
            Patch("reminders.domain.gate", "if now > message.not_after:", "if False:"),
            Patch(
                "reminders.domain.timing",
                "if self.now > deadline or due_at > deadline:\n            return Reason.TOO_LATE",
                "",
            ),
            Patch(
                "reminders.domain.timing",
                "goes_at <= wanted.not_after:",
                "True:",
            ),
            Patch(
                "reminders.engine.looking",
                "if agenda.overdue is not None and agenda.overdue < now:",
                "if False:",
            ),
            Patch(
                "reminders.engine.delivery",
                "<= runtime.clock.now() <= claimed.valid_until:",
                "<= runtime.clock.now():",
            ),
        ),
        (AWAY,),
    ),
    _one(
        "the night ends an hour early",
        "domain.when",
        "at = instant.astimezone(zone).time()\n    if quiet.start < quiet.end:",
        "at = (instant + timedelta(hours=1)).astimezone(zone).time()\n    if quiet.start < quiet.end:",
        NIGHT,
    ),
    _one(
        "the night begins an hour late",
        "domain.when",
        "return at >= quiet.start or at < quiet.end",
        # Its end stays where it is: a night that cannot end is looked for without end.
        "return at >= quiet.start.replace(hour=quiet.start.hour + 1) or at < quiet.end",
        NIGHT,
    ),
    Mutant(
        "a changed visit is not planned before its messages go",
        (
            Patch(
                "reminders.store.queue",
                'urgency=":urgency")} AND NOT ({PENDING})',
                'urgency=":urgency")}',
            ),
            Patch(
                "reminders.domain.gate",
                "if not plainly_goes(message, contact, case, practice, now):",
                "if False:",
            ),
        ),
    ),
    _one(
        "an opt-out is ignored",
        "domain.plan",
        "if opted_out or reach.consent is Consent.REFUSED:",
        "if reach.consent is Consent.REFUSED:",
    ),
    _one(
        "consent is ignored",
        "domain.plan",
        "if opted_out or reach.consent is Consent.REFUSED:",
        "if opted_out:",
    ),
    _one(
        "the lease is not looked at before the write",
        "engine.delivery",
        "if runtime.clock.elapsed() >= min(claimed.lease_ends, claimed.stale_at):",
        "if False:",
        PAUSE_LONG,
    ),
    Mutant(
        "a test installation writes to anybody",
        (
            Patch(
                "reminders.engine.runtime",
                'if not provider.real or self.config.environment == "production":',
                "if True:",
            ),
            Patch(
                "reminders.domain.rules",
                "return channel not in self.guarded or address_key in self.allowed",
                "return True",
            ),
        ),
        (GUARDED,),
    ),
    _one("two texts say the same at once", "domain.coverage", "if saying is None:", "if True:"),
    _one(
        "two people with one phone get a text each",
        "domain.coverage",
        "if told or place in taken:",
        "if False:",
    ),
    _one(
        "what is not known counts as not told",
        "domain.lifecycle",
        "TOLD = frozenset({_S.SENDING, _S.ACCEPTED, _S.UNKNOWN, _S.DELIVERED})",
        "TOLD = frozenset({_S.SENDING, _S.ACCEPTED, _S.DELIVERED})",
        UNSURE,
    ),
    _one(
        "what is under way counts as not told",
        "domain.lifecycle",
        "TOLD = frozenset({_S.SENDING, _S.ACCEPTED, _S.UNKNOWN, _S.DELIVERED})",
        "TOLD = frozenset({_S.ACCEPTED, _S.UNKNOWN, _S.DELIVERED})",
    ),
    _one(
        "what the provider lists is not believed",
        "engine.reconcile",
        "if isinstance(outcome, Accepted) and not attempts",
        "if False and not attempts",
        LOST,
        DEAF,
    ),
    _one(
        "the horizon is not waited for",
        "engine.reconcile",
        "elif isinstance(outcome, Rejected) and now >= horizon:",
        "elif isinstance(outcome, Rejected):",
        LATE,
        LOST,
    ),
    _one(
        "the horizon counts from the claim",
        "engine.reconcile",
        "last = found.ended_at or found.sent_at\n",
        "last = found.sent_at\n",
        LATE,
        PAUSE,
        CRASH | LOST,
    ),
    _one(
        "a provider that cannot tell means no",
        "engine.reconcile",
        "elif isinstance(outcome, Rejected) and now >= horizon:",
        "elif now >= horizon:",
        FIND_FAILS,
        LOST,
    ),
    _one(
        "mail that may have gone is sent again",
        "engine.reconcile",
        "provider.stamps and not found.stamped",
        "provider.stamps",
        CRASH,
    ),
    _one(
        "mail is not stamped",
        "engine.delivery",
        "if runtime.clock.elapsed() < min(claimed.lease_ends, claimed.stale_at):",
        "if False:",
        CRASH,
    ),
    _one(
        "lost messages are not taken back",
        "engine.looking",
        "if agenda.lost is not None and agenda.lost <= now:",
        "if False:",
        CRASH,
    ),
    _one(
        "what is lost is taken back at once",
        "engine.reconcile",
        "step = Step(State.UNKNOWN, Reason.NO_ANSWER, next_at=now)",
        "step = _back_in_time(found, now)",
        CRASH,
    ),
    _one(
        "lost answers are not looked for",
        "engine.reconcile",
        "if provider is None or provider.stamps:",
        "if True:",
        LOST,
    ),
    Mutant(
        "a late report overwrites a final one",
        (
            Patch(
                "reminders.domain.lifecycle",
                "if state not in {State.ACCEPTED, State.UNKNOWN, State.SENDING, State.PLANNED}:",
                "if False:",
            ),
            Patch(
                "reminders.store.attempts",
                "_IF_HELD.where(message.c.state.in_([state.value for state in leaving]))",
                "_IF_HELD",
            ),
        ),
        (frozenset({"callback_out_of_order"}),),
    ),
    _one(
        "what did not arrive is delivered",
        "domain.lifecycle",
        "return Step(receipt.state, receipt.reason, opt_out=receipt.opt_out)",
        "return Step(State.DELIVERED)",
        UNDELIVERED,
    ),
    _one(
        "a stopped channel goes on",
        "engine.choosing",
        "open_fronts = [front for front in due if front.sender not in seen.closed]",
        "open_fronts = due",
        STOPPED,
    ),
    _one(
        "a stopped channel is never tried",
        "engine.choosing",
        "if clinics.take_probe(conn, closed, now):",
        "if False:",
        STOPPED,
    ),
    Mutant(
        "what another channel took over goes on the first as well",
        (
            Patch(
                "reminders.domain.plan",
                "passed_over += [given_up(send, self.history) for send in stuck]",
                "chosen += stuck",
            ),
            Patch(
                "reminders.domain.plan",
                "channels = tuple(told_on)[:1] or channels",
                "tuple(told_on)",
            ),
        ),
        (AWAY | STOPPED,),
    ),
    _one(
        "what is busy has failed",
        "domain.lifecycle",
        "return Step(State.PLANNED, Reason.PROVIDER_BUSY, next_at=now + wait)",
        "return Step(State.FAILED, Reason.BLOCKED)",
        BUSY,
    ),
    _one(
        "a reminder goes an hour early",
        "domain.when",
        "            return starts_at - lead\n",
        "            return starts_at - lead - timedelta(hours=1)\n",
    ),
    _one(
        "a reminder goes ten minutes late",
        "domain.when",
        "            return starts_at - lead\n",
        "            return starts_at - lead + timedelta(minutes=10)\n",
    ),
    _one(
        "a visit known late is skipped",
        "domain.timing",
        "reason = Reason.BOOKED_TOO_LATE if late and rule.late is Late.SKIP else None",
        "reason = Reason.BOOKED_TOO_LATE if late else None",
    ),
    _one(
        "a move is not told",
        "domain.timing",
        "return None if tells else Reason.NOTHING_TO_TELL",
        "return Reason.NOTHING_TO_TELL",
    ),
    _one(
        "a lost text is looked for by other words",
        "engine.reconcile",
        "body_digest=found.body_digest,",
        'body_digest="other words",',
        LOST,
        DEAF,
    ),
    _one(
        "a lost text is looked for at another number",
        "engine.reconcile",
        "to=found.to,",
        'to="+46700000000",',
        LOST,
        DEAF,
    ),
    _one(
        "a text that is another message is taken for the lost one",
        "engine.reconcile",
        "others=others,",
        "others=frozenset(),",
        UNSURE,
    ),
    _one(
        "a lost text is looked for as if all clocks were right",
        "domain.outcome",
        "return self.started_at - CLOCKS_DIFFER_BY - max(ahead, timedelta(0))",
        "return self.started_at - CLOCKS_DIFFER_BY",
        LOST,
        AHEAD,
    ),
    _one(
        "a clock that jumps holds nothing",
        "engine.holding",
        "astray = abs(jump) >= MOST_JUMP",
        "astray = False",
        ASTRAY,
    ),
    _one(
        "the worklist is empty",
        "engine.desk",
        "    items += folders.items(conn, runtime, clinic, now)\n    return items",
        "    return []",
    ),
    _one(
        "nobody stands on the call list",
        "engine.calls",
        "return CallList(tuple(waiting[:limit]), ",
        "return CallList((), ",
    ),
    _one(
        "staff are not told what is not known",
        "domain.unheard",
        "        if unclear:\n",
        "        if False:\n",
        UNSURE,
    ),
    _one(
        "who waits for what is no longer so is not phoned",
        "domain.unheard",
        "return self._truth.status is VisitStatus.BOOKED or self._believes is not None",
        "return self._truth.status is VisitStatus.BOOKED",
    ),
    _one(
        "who was told nothing is not phoned",
        "domain.unheard",
        "return message.reason or Reason.NO_ANSWER\n    suppressed",
        "return None\n    suppressed",
    ),
)
