"""Why a message was not sent, did not arrive, or waits: a code, and a sentence an admin reads."""

from enum import StrEnum


class Reason(StrEnum):
    """Each code is kept in the database and shown by `show`; its sentence is in SENTENCES."""

    # The plan says no.
    NOT_IN_AUDIENCE = "not_in_audience"
    NOTHING_TO_TELL = "nothing_to_tell"
    ON_REQUEST = "on_request"
    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    OPTED_OUT = "opted_out"
    PROTECTED_IDENTITY = "protected_identity"
    GUARDIAN_NOT_CHOSEN = "guardian_not_chosen"
    GUARDIAN_DECLINED = "guardian_declined"
    NOT_VIDEO = "not_video"
    NO_LONGER_VIDEO = "no_longer_video"
    OTHER_PATIENT = "other_patient"
    BOOKED_TOO_LATE = "booked_too_late"
    TOO_LATE = "too_late"
    QUIET_HOURS = "quiet_hours"
    OWN_HOURS = "own_hours"
    COVERED_BY = "covered_by"
    SHARED_ADDRESS = "shared_address"
    OTHER_BOOKING = "other_booking"
    STILL_BOOKED = "still_booked"
    ALREADY_SENT = "already_sent"
    ALREADY_TOLD = "already_told"
    NO_CONFIRMATIONS = "no_confirmations"
    CONFIRMATION_TOO_OLD = "confirmation_too_old"
    ENVIRONMENT = "environment"
    # A planned message is taken back.
    VISIT_CANCELLED = "visit_cancelled"
    VISIT_CHANGED = "visit_changed"
    RULE_OFF = "rule_off"
    CONTACT_REMOVED = "contact_removed"
    ASKED_AGAIN = "asked_again"
    OTHER_CHANNEL = "other_channel"
    # The provider, or its network, says no.
    INVALID_ADDRESS = "invalid_address"
    BLOCKED = "blocked"
    OPTED_OUT_AT_PROVIDER = "opted_out_at_provider"
    CONTENT_REFUSED = "content_refused"
    RENDER_FAILED = "render_failed"
    UNREACHABLE = "unreachable"
    NOT_DELIVERED = "not_delivered"
    EXPIRED_AT_PROVIDER = "expired_at_provider"
    # Time ran out, or an answer is missing.
    DEADLINE_PASSED = "deadline_passed"
    NEWS_TOO_LATE = "news_too_late"
    PROVIDER_BUSY = "provider_busy"
    CHANNEL_DOWN = "channel_down"
    OUT_OF_REACH = "out_of_reach"
    NO_ANSWER = "no_answer"
    RESTORED = "restored"
    # Staff have something to do, though no message is wrong.
    NO_OWN_LOGIN = "no_own_login"
    CONSENT_OUTDATED = "consent_outdated"
    WROTE_STOP = "wrote_stop"
    WROTE_START = "wrote_start"
    WROTE_HELP = "wrote_help"
    WROTE_YES = "wrote_yes"
    WROTE_YES_UNASKED = "wrote_yes_unasked"
    WROTE_NO = "wrote_no"
    WROTE_NO_AND_STOP = "wrote_no_and_stop"
    WROTE_NO_UNCLEAR = "wrote_no_unclear"
    WROTE_OTHER = "wrote_other"
    WROTE_UNKNOWN = "wrote_unknown"


UNRECORDED = frozenset(
    {Reason.NOT_IN_AUDIENCE, Reason.NOTHING_TO_TELL, Reason.ON_REQUEST, Reason.VISIT_CANCELLED}
)
"""Reasons that anybody can see from the visit and the rules: explained on request, never rows."""

AS_EXPECTED = frozenset({Reason.NOTHING_TO_TELL, Reason.ON_REQUEST})
"""Of these, the ones that go without saying where people read."""

RETRYABLE = frozenset({Reason.UNREACHABLE, Reason.NOT_DELIVERED})
"""Failed deliveries that are worth one more try to the same address, in time."""

SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.NOT_IN_AUDIENCE: (
        "Regeln gäller inte den här mottagaren (roll eller ålder).",
        "The rule is not meant for this recipient (role or age).",
    ),
    Reason.NOTHING_TO_TELL: (
        "Inget att meddela: mottagaren vet redan det som gäller.",
        "Nothing to tell: the recipient already knows what is true.",
    ),
    Reason.ON_REQUEST: (
        "Skickas bara när någon ber om det.",
        "Goes only when somebody asks for it.",
    ),
    Reason.NO_ADDRESS: (
        "Det finns inget mobilnummer eller ingen e-postadress för mottagaren. Ring i stället.",
        "There is no mobile number or email address for the recipient. Phone them instead.",
    ),
    Reason.NO_CONSENT: (
        "Mottagaren har inte samtyckt till meddelanden på det här sättet.",
        "The recipient has not consented to messages of this kind.",
    ),
    Reason.OPTED_OUT: (
        "Mottagaren har sagt nej till fler meddelanden till den här adressen.",
        "The recipient has opted out of messages to this address.",
    ),
    Reason.PROTECTED_IDENTITY: (
        "Patienten har skyddade personuppgifter och kontaktas aldrig av systemet. Ring i stället.",
        "The patient's identity is protected and is never contacted by the system. Phone instead.",
    ),
    Reason.GUARDIAN_NOT_CHOSEN: (
        "Patienten har åldern för egen inloggning, och det är inte antecknat om vårdnadshavaren ska kontaktas. Fråga, och anteckna valet. Ring tills dess.",  # noqa: E501 - what to do, in one place
        "The patient is of the age for a login of their own, and it is not recorded whether the guardian is to be contacted. Ask, and record the choice. Phone until then.",  # noqa: E501 - what to do, in one place
    ),
    Reason.GUARDIAN_DECLINED: (
        "Patienten har åldern för egen inloggning, och vårdnadshavaren ska enligt det antecknade valet inte kontaktas.",  # noqa: E501 - one sentence
        "The patient is of the age for a login of their own, and by the recorded choice the guardian is not contacted.",  # noqa: E501 - one sentence
    ),
    Reason.NOT_VIDEO: (
        "Besökstypen är inte inställd som videobesök.",
        "The kind of visit is not configured as a video visit.",
    ),
    Reason.NO_LONGER_VIDEO: (
        "De har fått veta att det är ett videobesök, men nu är besökstypen en annan. Ring och säg vad som gäller.",  # noqa: E501 - what to do, in one place
        "They were told that it is a video visit, but now it is of another kind. Phone and say what is true.",  # noqa: E501 - what to do, in one place
    ),
    Reason.OTHER_PATIENT: (
        "De har fått veta om bokningen, som nu är en annan patients. Ring och säg att den inte gäller dem.",  # noqa: E501 - what to do, in one place
        "They were told of the booking, which is another patient's now. Phone and say that it is not theirs.",  # noqa: E501 - what to do, in one place
    ),
    Reason.BOOKED_TOO_LATE: (
        "Besöket blev känt efter tiden för meddelandet, och regeln hoppar då över det.",
        "The visit became known after the message's time, and the rule then skips it.",
    ),
    Reason.TOO_LATE: (
        "Tiden då meddelandet hade hjälpt var redan förbi.",
        "The time at which the message would have helped had already passed.",
    ),
    Reason.QUIET_HOURS: (
        "Meddelandet hade behövt skickas på natten, då inget skickas.",
        "The message would have had to go out at night, when nothing is sent.",
    ),
    Reason.OWN_HOURS: (
        "Meddelandet hade behövt skickas under timmar då mottagaren inte vill ha SMS.",
        "The message would have had to go out in hours in which the recipient wants no SMS.",
    ),
    Reason.COVERED_BY: (
        "Ett annat meddelande vid samma tid säger redan detta.",
        "Another message at the same time already says this.",
    ),
    Reason.SHARED_ADDRESS: (
        "En annan mottagare för besöket har samma adress och får meddelandet.",
        "Another recipient for the visit has the same address and gets the message.",
    ),
    Reason.OTHER_BOOKING: (
        "Patienten har en annan bokning vid samma tid, och dess meddelande säger detsamma.",
        "The patient has another booking at this time, and its message says the same.",
    ),
    Reason.STILL_BOOKED: (
        "Patienten har en annan bokning vid samma tid: för familjen ändras ingenting.",
        "The patient has another booking at this time: for the family nothing changes.",
    ),
    Reason.ALREADY_SENT: (
        "Meddelandet har redan skickats för den här tiden.",
        "The message has already been sent for this time.",
    ),
    Reason.ALREADY_TOLD: (
        "Mottagaren har redan fått veta om bokningen.",
        "The recipient has already been told of the booking.",
    ),
    Reason.NO_CONFIRMATIONS: (
        "Bokningen lästes in utan att bekräftelser skulle skickas.",
        "The booking was imported with no confirmations to be sent.",
    ),
    Reason.CONFIRMATION_TOO_OLD: (
        "Bokningen gjordes för länge sedan för att bekräftas nu.",
        "The booking was made too long ago to be confirmed now.",
    ),
    Reason.ENVIRONMENT: (
        "Installationen är inte i skarp drift och adressen finns inte bland de tillåtna.",
        "This installation is not in production and the address is not on the allowed list.",
    ),
    Reason.VISIT_CANCELLED: ("Besöket är avbokat.", "The visit is cancelled."),
    Reason.VISIT_CHANGED: (
        "Besöket har ändrats. Meddelandet har ersatts av ett nytt för det som nu gäller.",
        "The visit has changed. The message is replaced by one for what is now true.",
    ),
    Reason.RULE_OFF: (
        "Regeln finns inte längre i inställningarna.",
        "The rule is no longer in the configuration.",
    ),
    Reason.CONTACT_REMOVED: (
        "Mottagaren är inte längre kontakt för patienten.",
        "The recipient is no longer a contact of the patient.",
    ),
    Reason.ASKED_AGAIN: (
        "Någon har bett om meddelandet en gång till. Det skickas en gång.",
        "The message was asked for again. It goes once.",
    ),
    Reason.OTHER_CHANNEL: (
        "Meddelandet går en annan väg till samma mottagare.",
        "The message goes another way to the same recipient.",
    ),
    Reason.INVALID_ADDRESS: (
        "Numret eller adressen kan inte ta emot meddelanden. Rätta uppgiften, eller ring.",
        "The number or address cannot receive messages. Correct it, or phone.",
    ),
    Reason.BLOCKED: (
        "Operatören blockerar meddelanden till numret. Ring i stället.",
        "The operator blocks messages to the number. Phone instead.",
    ),
    Reason.OPTED_OUT_AT_PROVIDER: (
        "Mottagaren har sagt nej hos leverantören. Numret får inga fler meddelanden.",
        "The recipient opted out at the provider. The number gets no more messages.",
    ),
    Reason.CONTENT_REFUSED: (
        "Leverantören godtog inte meddelandets innehåll. Kontrollera mallen.",
        "The provider refused the message's content. Check the template.",
    ),
    Reason.RENDER_FAILED: (
        "Mallen kunde inte fyllas i. Kontrollera den.",
        "The template could not be filled in. Check it.",
    ),
    Reason.UNREACHABLE: (
        "Telefonen gick inte att nå. Ring mottagaren.",
        "The phone could not be reached. Phone the recipient.",
    ),
    Reason.NOT_DELIVERED: (
        "Meddelandet kom inte fram. Ring mottagaren.",
        "The message did not arrive. Phone the recipient.",
    ),
    Reason.EXPIRED_AT_PROVIDER: (
        "Leverantören hann inte lämna meddelandet medan det ännu hjälpte.",
        "The provider could not hand the message over while it still helped.",
    ),
    Reason.DEADLINE_PASSED: (
        "Meddelandet hann inte skickas medan det ännu hjälpte.",
        "The message could not be sent while it still helped.",
    ),
    Reason.NEWS_TOO_LATE: (
        "Meddelandet om ändringen går inte förrän efter den tid som de räknar med. Ring före den tiden.",  # noqa: E501 - what to do, in one place
        "The message about the change goes only after the time that they count on. Phone before that time.",  # noqa: E501 - what to do, in one place
    ),
    Reason.PROVIDER_BUSY: (
        "Leverantören tog inte emot meddelandet just då. Vi försöker igen om en stund: ring om det är bråttom.",  # noqa: E501 - what to do, in one place
        "The provider did not take the message just then. It is tried again in a while: phone if urgent.",  # noqa: E501 - what to do, in one place
    ),
    Reason.CHANNEL_DOWN: (
        "Leverantören svarar inte, eller godtar inte inställningarna eller kontot. Meddelanden väntar.",  # noqa: E501 - one sentence
        "The provider does not answer, or refuses the settings or the account. Messages wait.",
    ),
    Reason.OUT_OF_REACH: (
        "Meddelandet kom inte iväg i tid, eftersom leverantören inte fungerar. Det går en annan väg om det finns någon. Annars försöker vi igen: ring om det är bråttom.",  # noqa: E501 - what to do, in one place
        "The message could not leave in time, as the provider does not work. It goes another way if there is one. Else it is tried again: phone if urgent.",  # noqa: E501 - what to do, in one place
    ),
    Reason.NO_ANSWER: (
        "Leverantörens svar uteblev, så det är okänt om meddelandet gick fram. Ring om det är bråttom.",  # noqa: E501 - one sentence
        "The provider's answer was lost, so it is not known whether the message went. Phone if urgent.",  # noqa: E501 - one sentence
    ),
    Reason.RESTORED: (
        "Databasen återställdes från en säkerhetskopia, och det är okänt om meddelandet hade gått innan dess. Ring om det är bråttom.",  # noqa: E501 - one sentence
        "The database was restored from a backup, and it is not known whether the message had gone before. Phone if urgent.",  # noqa: E501 - one sentence
    ),
    Reason.NO_OWN_LOGIN: (
        "Patienten behöver ett eget e-id vid besöket, och det är inte bekräftat att det finns. Fråga, och anteckna svaret.",  # noqa: E501 - what to do, in one place
        "The patient needs an e-ID of their own at the visit, and it is not confirmed that there is one. Ask, and record the answer.",  # noqa: E501 - what to do, in one place
    ),
    Reason.CONSENT_OUTDATED: (
        "Meddelandena säger något annat nu än när samtycket gavs. Berätta det, och anteckna att det är gjort. Meddelanden skickas som förut.",  # noqa: E501 - what to do, in one place
        "The messages say something else now than when consent was given. Tell them, and record that it is done. Messages go on as before.",  # noqa: E501 - what to do, in one place
    ),
    Reason.WROTE_STOP: (
        "Har svarat STOPP: numret får inga fler SMS, för något barn. Ring i stället.",
        "Answered STOP: the number gets no more texts, for any child. Phone instead.",
    ),
    Reason.WROTE_START: (
        "Har svarat START, men mottagningen har själv antecknat att numret inte ska ha SMS. Fråga vad som gäller.",  # noqa: E501 - one sentence
        "Answered START, but the clinic itself recorded that the number is to get no texts. Ask what is right.",  # noqa: E501 - one sentence
    ),
    Reason.WROTE_HELP: (
        "Har svarat HJÄLP, men ingen hjälp kunde skickas. Ring.",
        "Answered HELP, but no help could be sent. Phone.",
    ),
    Reason.WROTE_YES: (
        "Har svarat JA, men det är oklart till vilket besök.",
        "Answered YES, but it is not clear to which visit.",
    ),
    Reason.WROTE_YES_UNASKED: (
        "Har svarat JA om ett besök som numret inte får SMS om. Inget är bekräftat: fråga vad som gäller.",  # noqa: E501 - one sentence
        "Answered YES about a visit that the number gets no texts of. Nothing is confirmed: ask what is right.",  # noqa: E501 - one sentence
    ),
    Reason.WROTE_NO_UNCLEAR: (
        "Har svarat NEJ men har flera besök framför sig: det är oklart vilket som menas. Inget är avbokat. Ring och fråga.",  # noqa: E501 - one sentence
        "Answered NO but has several visits to come: it is not clear which is meant. Nothing is cancelled. Phone and ask.",  # noqa: E501 - one sentence
    ),
    Reason.WROTE_NO: (
        "Har svarat NEJ. Inget är avbokat: hör av er, och avboka eller boka om.",
        "Answered NO. Nothing is cancelled: get in touch, and cancel or move the visit.",
    ),
    Reason.WROTE_NO_AND_STOP: (
        "Har svarat NEJ, och numret får inga fler SMS, för något barn. Inget är avbokat: ring, och avboka eller boka om.",  # noqa: E501 - what to do, in one place
        "Answered NO, and the number gets no more texts, for any child. Nothing is cancelled: phone, and cancel or move the visit.",  # noqa: E501 - what to do, in one place
    ),
    Reason.WROTE_OTHER: (
        "Har skrivit något som en person behöver läsa.",
        "Has written something that a person needs to read.",
    ),
    Reason.WROTE_UNKNOWN: (
        "Ett nummer som inte finns hos någon patient har skrivit, och har inte fått något svar.",
        "A number that no patient has wrote to us, and got no answer.",
    ),
}
"""Each reason in Swedish and in English."""


def sentence(reason: Reason, language: str = "en") -> str:
    """Return the reason as a sentence; languages other than Swedish get the English one."""
    swedish, english = SENTENCES[reason]
    return swedish if language == "sv" else english
