"""`veza import`: brings the music of folders to an account, and goes on where it was cut off."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Final

import aiohttp
from cyclopts import Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from veza.gateway.cli.client import Json
from veza.gateway.cli.import_client import SILENCE_SECONDS, Account
from veza.gateway.cli.import_examine import Examiner
from veza.gateway.cli.import_memory import Memory, default_place
from veza.gateway.cli.import_run import Import, settled
from veza.gateway.cli.import_walk import walk
from veza.gateway.cli.outcome import Exit, UsageError
from veza.gateway.cli.rendering import clean, remark, show, show_json_line
from veza.gateway.cli.tracing import stop_signal

CONNECT_SECONDS: Final = 10.0
MIN_LOOK_SECONDS: Final = 0.1
COLUMNS: Final = {"title": "", "artist": "by ", "album": "on ", "number": "no. "}


async def import_(
    *paths: Annotated[Path, Parameter(name="PATH")],
    login: str | None = None,
    url: str = "http://localhost:8080",
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    watch: Annotated[bool, Parameter(negative="")] = False,
    every: Annotated[float, Parameter(validator=validators.Number(gte=MIN_LOOK_SECONDS))] = 2.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Upload the music below folders; what the account has already is not sent again.

    The password is asked for on a terminal, and else read from the first line of the standard input.
    The same command again goes on where it was cut off. It ends with 0 if all is there, 1 if a file
    could not be brought or the account does not let you in, and 3 if the server is away for too long.

    Parameters
    ----------
    paths
        Folders, or files.
    login
        Whose account: a user name or an e-mail address. With --dry-run it may be left out.
    url
        The server.
    dry_run
        Say what would be uploaded, and send nothing.
    watch
        Go on for ever with what is new or changed, each file once it is at rest.
    every
        Seconds between two looks of --watch.
    as_json
        Print JSON Lines, for scripts.

    """
    if not paths:
        raise UsageError("name a folder")
    if login is None and not dry_run:
        raise UsageError("say whose account with --login")
    counted: Counter[str] = Counter()
    async with AsyncExitStack() as stack:
        account, max_bytes = None, None
        if login is not None:
            account = await entered(stack, url, login)
            limits = (await account.call("GET", "/instance")).body["limits"]
            max_bytes = limits["max_upload_bytes"]
        # After the password was asked for, or it would be drawn over the question.
        progress = stack.enter_context(bars(is_shown=not as_json and sys.stderr.isatty()))
        importing = Import(
            account=account,
            examiner=await stack.enter_async_context(Examiner()),
            memory=Memory(default_place()),
            owner=f"{url} {login}",
            max_bytes=max_bytes,
            tell=teller(counted, printer(progress, as_json=as_json)),
            sending=sending(progress),
            is_dry=dry_run,
        )
        if watch:
            await until_stopped(keep_up(importing, paths, every))
        else:
            for path in paths:
                await importing.run(walk(path))
    remark(", ".join(f"{number} {outcome}" for outcome, number in counted.items()) or "nothing")
    return Exit.PROBLEM if counted["failed"] else Exit.OK


async def keep_up(importing: Import, paths: Iterable[Path], every_seconds: float) -> None:
    """Import what comes, for ever."""
    async for entries in settled(paths, every_seconds):
        await importing.run(entries)


async def until_stopped(work: Coroutine[None, None, None]) -> None:
    """Work until Ctrl+C or SIGTERM; what arrived of the file on its way is kept."""
    with stop_signal() as stopped:
        tasks = {asyncio.create_task(work), asyncio.create_task(stopped.wait())}
        done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in done:
            task.result()


async def entered(stack: AsyncExitStack, url: str, login: str) -> Account:
    """Sign in; sign out at the end."""
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
    )
    session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
    await stack.enter_async_context(session)
    account = Account(session, url, remark)
    await account.sign_in(login, password_of(login))
    stack.push_async_callback(account.sign_out)
    return account


def password_of(login: str) -> str:
    """Ask for a password, or read it."""
    if sys.stdin.isatty():
        console = Console(stderr=True, highlight=False, markup=False)
        return console.input(f"Password of {clean(login)}: ", password=True)
    return sys.stdin.readline().rstrip("\n")


def teller(counted: Counter[str], tell: Callable[[Json], None]) -> Callable[[Json], None]:
    """Return what counts each file and tells it."""

    def count(told: Json) -> None:
        counted[told["outcome"]] += 1
        tell(told)

    return count


def printer(progress: Progress, *, as_json: bool) -> Callable[[Json], None]:
    """Return what prints a file: on the terminal above the bar, and in a file as it comes."""
    if as_json:
        return show_json_line
    if progress.disable or not sys.stdout.isatty():
        return lambda told: show(Text(line(told)))
    return lambda told: progress.console.print(Text(line(told)), soft_wrap=True)


def line(told: Json) -> str:
    """Return what a person reads of a file."""
    words = [f"{name}{told[key]}" for key, name in COLUMNS.items() if told.get(key) is not None]
    about = told.get("reason") or ", ".join(words)
    return clean(f"{told['outcome']:12}  {told['path']}: {about}")


@contextmanager
def bars(*, is_shown: bool) -> Iterator[Progress]:
    """Lend a bar for the file on its way; on a terminal only."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        disable=not is_shown,
    ) as progress:
        yield progress


def sending(progress: Progress) -> Callable[[str, int], Callable[[int], None]]:
    """Return what shows a file on its way, in the place of the one before."""
    task = progress.add_task("Looking", total=None)

    def begin(name: str, size_bytes: int) -> Callable[[int], None]:
        progress.reset(task, total=size_bytes, description=clean(name))
        return lambda sent: progress.update(task, completed=sent)

    return begin
