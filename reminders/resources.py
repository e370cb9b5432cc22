"""The files that ship with the program, found from a checkout and from an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _root() -> Path:
    """Return the folder with templates/ and migrations/: in the wheel, or beside the package."""
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent


def templates() -> Path:
    """Return the folder of the shipped patient templates, a folder a language."""
    return _root() / "templates"


def migrations() -> Path:
    """Return the folder of the database migrations."""
    return _root() / "migrations"


def examples() -> Path:
    """Return the folder of example files."""
    return _root() / "examples"


def example_config() -> str:
    """Return the text of the example configuration, which is the embedded default."""
    return (_root() / "config.example.toml").read_text("utf-8")
