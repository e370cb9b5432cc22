"""What the pages share: the installation, the threads that ask the database, the templates."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reminders.engine.runtime import Runtime
from reminders.web.jobs import Jobs
from reminders.web.language import LANGUAGES, Speaking

T = TypeVar("T")

READERS = 4
REMEMBERED = 500
STATIC = Path(str(resources.files("reminders.web") / "static"))


def _nobody() -> None:
    """Wake nobody: no sender lives in this process."""


class Site:
    """One web side. Pages read on threads of their own, so that sending never waits for them."""

    def __init__(self, runtime: Runtime, wake: Callable[[], None] = _nobody) -> None:
        self.runtime = runtime
        self.wake = wake
        self._kept: OrderedDict[str, object] = OrderedDict()
        self._readers = ThreadPoolExecutor(READERS, "web-read")
        self._writer = ThreadPoolExecutor(1, "web-write")
        self.jobs = Jobs(runtime, None if wake is _nobody else wake)
        self.assets = _assets()
        self.environments = {language: _environment(language) for language in LANGUAGES}

    async def read(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(connection, *arguments)` on one state of the database, taking no lock."""
        return await self._on(self._readers, partial(self._reading, work, *arguments))

    async def write(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work(connection, *arguments)` in a short transaction, then wake the sender."""
        done = await self._on(self._writer, partial(self.runtime.in_transaction, work, *arguments))
        self.wake()
        return done

    async def change(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run something that has write transactions of its own, then wake the sender."""
        done = await self._on(self._writer, partial(work, *arguments))
        self.wake()
        return done

    async def aside(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run something that takes long, or has transactions of its own, on a reader's thread."""
        return await self._on(self._readers, partial(work, *arguments))

    @property
    def upload_megabytes(self) -> int:
        """Return how large a file may be."""
        return self.runtime.config.web.upload_megabytes

    def remember(self, address: str) -> str:
        """Keep an address that is looked for, and return a name for it: URLs hold none."""
        return self._keep(self.runtime.digest(f"searched {address}"), address)

    def remembered(self, name: str) -> str | None:
        """Return the address of this name, unless it is forgotten."""
        found = self._kept.get(name)
        return found if isinstance(found, str) else None

    def keep(self, what: object) -> str:
        """Keep what somebody did, too long for a URL, and return a name for it."""
        return self._keep(self.runtime.token(), what)

    def kept(self, name: str) -> object:
        """Return what has this name; None if it is forgotten."""
        return self._kept.get(name)

    def _keep(self, name: str, what: object) -> str:
        self._kept[name] = what
        self._kept.move_to_end(name)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return name

    def close(self) -> None:
        """Let the threads end."""
        self._readers.shutdown(cancel_futures=True)
        self._writer.shutdown(cancel_futures=True)
        self.jobs.close()

    def _reading(self, work: Callable[..., T], *arguments: Any) -> T:
        with self.runtime.database.reading() as conn:
            return work(conn, *arguments)

    @staticmethod
    async def _on(executor: Executor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(executor, work)


def _assets() -> str:
    """Return a mark of the static files: a new version of them has a new address."""
    mark = hashlib.sha256()
    for file in sorted(STATIC.iterdir(), key=lambda file: file.name):
        mark.update(file.read_bytes())
    return mark.hexdigest()[:12]


def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(str(resources.files("reminders.web") / "pages")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    speaking = Speaking(language)
    environment.globals.update(_=speaking.text, n_=speaking.plural, language=language)
    return environment
