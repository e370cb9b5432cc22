"""The errors that reach people. Each says what is wrong and what to do next, in plain words."""


class RemindersError(Exception):
    """The root of our errors: its text is shown as it is, its `status` is the exit status.

    `sentence` is the text with `%(name)s` where its `values` go: whoever shows it may say it in
    another language.
    """

    status = 1

    def __init__(self, sentence: str = "", **values: object) -> None:
        super().__init__(sentence % values if values else sentence)
        self.sentence = sentence
        self.values = values


class ConfigError(RemindersError):
    """The configuration cannot be used; the text names the file and the key."""

    status = 2


class DatabaseError(RemindersError):
    """The database cannot be opened, is missing, or is of another version than the program."""


class RefusedFileError(RemindersError):
    """A source file is refused whole; nothing was changed. `problems` names the lines."""

    status = 2

    def __init__(self, sentence: str, problems: tuple[object, ...] = (), **values: object) -> None:
        super().__init__(sentence, **values)
        self.problems = problems


class NotFoundError(RemindersError):
    """What was asked for by name is not there."""

    status = 4


class ConflictError(RemindersError):
    """What somebody was shown, and decided on, is no longer so: nothing was done."""


class NotAllowedError(RemindersError):
    """Whoever asks may not do this; the text says who may."""


class UsageError(RemindersError):
    """The command was understood, but cannot be done as it was asked."""

    status = 2


class TemplateError(RemindersError):
    """A template cannot be read or rendered; the text names file and line, never a value."""
