"""Where a finding about the configuration is to be put right: in which file, on which line."""

from collections.abc import Iterable
from dataclasses import replace

from reminders.config import Config
from reminders.config_lines import line_of
from reminders.message.lint import Finding
from reminders.resources import example_config

BUILT_IN = "the built-in configuration"


def placed(findings: Iterable[Finding], config: Config) -> list[Finding]:
    """Return the findings, those about settings with the file and line that these stand on."""
    found = list(findings)
    if not any(finding.setting for finding in found):
        return found
    name = str(config.file) if config.file else BUILT_IN
    try:
        text = config.file.read_text("utf-8") if config.file else example_config()
    except (OSError, UnicodeDecodeError):
        text = ""
    return [
        replace(one, file=name, line=line_of(text, one.setting)) if one.setting else one
        for one in found
    ]
