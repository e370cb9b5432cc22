"""What a page says once after something was done; the address carries the short name."""

from collections.abc import Mapping

from reminders.web.language import N_

NOTES: Mapping[str, str] = {
    "moved": N_("The visit has a new time. Those who knew of the old one are told."),
    "moved_phone": N_(
        "The visit has a new time. Not everybody can be told by a text in time: see the call list."
    ),
    "cancelled_phone": N_("Cancelled. Not everybody can be told by a text: see the call list."),
    "cancelled": N_("The visit is cancelled. Those who knew of it are told."),
    "help": N_("The connection help goes out now."),
    "resent": N_("The message goes out now."),
    "resent_instead": N_("The message goes out now, in the place of the one that was to go soon."),
    "nobody": N_("Nothing will be sent. Phone instead: the reasons stand below."),
    "contact": N_("The contact is corrected. What was planned for the old address is taken back."),
    "added": N_("The contact is added. What goes to them stands below."),
    "unchanged": N_("Nothing was changed."),
    "stopped": N_("Nothing more is sent to that address."),
    "started": N_("Messages may be sent to that address again."),
    "called": N_("Ticked off."),
    "answered": N_("Ticked off. What was written is deleted."),
    "recorded": N_("Recorded."),
    "uncalled": N_("Back on the list."),
    "approved": N_("The text is approved, and goes out from now on."),
    "imported": N_("The import is applied."),
    "thrown_away": N_("The file was not imported. Nothing was changed."),
    "solved": N_("The row is put right."),
    "paused": N_("Nothing more goes out until you let it."),
    "resumed": N_("Messages go out again."),
    "no_file": N_("Choose a file first."),
    "lost": N_(
        "That file does not wait any more. If it is not among the earlier imports, choose it again."
    ),
    "file_gone": N_(
        "The file is not in the folder any more. Put it there again, or say that you have seen to"
        " it."
    ),
    "file_refused": N_(
        "The file is not imported. It lies in the folder refused, with a report that says who said"
        " no."
    ),
    "file_not_moved": N_("The file is not imported. It could not be moved to the folder refused."),
    "seen_to": N_("Noted. The file stays where it lies."),
    "language": N_("From now on the pages are in English."),
}

_HELD_NEWS = N_(
    "It is done. Those who knew of it are told once sending is released, if it still helps then."
)
_HELD_TEXT = N_("The message waits: it goes out once sending is released, if it still helps then.")
WHILE_HELD: Mapping[str, str] = {
    "moved": _HELD_NEWS,
    "cancelled": _HELD_NEWS,
    "help": _HELD_TEXT,
    "resent": _HELD_TEXT,
    "resent_instead": _HELD_TEXT,
}
"""What is said instead while nothing goes out."""

WAITS = "_waits"
"""So a name ends where something of what was done waits for a channel that is down."""

_DOWN_NEWS = N_(
    "It is done. Those who knew of it are told, but not yet by %(channels)s: nothing goes out that"
    " way at present. Phone if it is urgent."
)
_DOWN_TEXT = N_(
    "What is to go by %(channels)s waits: nothing goes out that way at present. Phone if it is"
    " urgent."
)
WHILE_DOWN: Mapping[str, str] = {
    "moved": _DOWN_NEWS,
    "cancelled": _DOWN_NEWS,
    "help": _DOWN_TEXT,
    "resent": _DOWN_TEXT,
    "resent_instead": _DOWN_TEXT,
}
"""What is said instead of what waits, while the provider takes nothing."""


def said(name: str, *, held: bool, down: bool) -> str | None:
    """Return what a page says under this name. `down`: a channel of the clinic is."""
    plain = name.removesuffix(WAITS)
    meanwhile = WHILE_HELD if held else WHILE_DOWN if down and plain != name else {}
    return meanwhile.get(plain) or NOTES.get(plain)
