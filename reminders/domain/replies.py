"""The answers to what people write: rules that only a request sets off, for one person alone."""

from enum import StrEnum

from reminders.domain.contact import Channel
from reminders.domain.rules import Event, QuietPolicy, Rule


class Reply(StrEnum):
    """The answers there are: each is the name of its rule and of its template."""

    STOPPED = "reply_stop"
    STARTED = "reply_start"
    CANCEL = "reply_cancel"
    OTHER = "reply_other"


REPLIES: tuple[Rule, ...] = tuple(
    Rule(
        key=reply.value,
        when=Event.REPLY,
        template=reply.value,
        channels=(Channel.SMS,),
        quiet=QuietPolicy.IGNORE,  # somebody has just written: they are awake
        despite_opt_out=reply is Reply.STOPPED,
    )
    for reply in Reply
)
"""The rules of a clinic that can be answered. They tell nothing of a visit's time or status."""

REPLY_KEYS = frozenset(reply.value for reply in Reply)
