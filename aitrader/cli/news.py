"""``aitrader news``: news of others in, and looking at it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aitrader.cli.common import (
    client,
    json_option,
    local_user,
    parse_time,
    print_json,
    print_table,
    progress_bar,
    say,
)

if TYPE_CHECKING:
    from adapters.news.files import NewsFile
    from domain.intelligence.importing import NewsRules, Tally
    from domain.intelligence.storing_news import Imported, ImportNews

_KINDS = click.Choice(["csv", "jsonl", "feed"])
_COLUMNS = ["File", "Rows", "New", "Known", "Bad", "Repeated"]


@click.group(epilog="Example: aitrader news import headlines.csv --timezone America/New_York")
def news() -> None:
    """Import, list and show news, and what it adds up to."""


@news.command(
    "import",
    epilog="""\b
    Examples:
      aitrader news import headlines.csv --timezone Asia/Kolkata --aliases names.csv
      aitrader news import feed.xml --received-at now --symbol NSE:INFY
    """,
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--format", "kind", type=_KINDS, help="What the files are. [default: by their suffixes]")
@click.option("--symbol", "symbols", multiple=True, help="What every item is about; may be given several times.")
@click.option("--source", help="Source of items that name none. [default: title of the feed, name of the file]")
@click.option("--timezone", help="Zone of times that state none (IANA name). [default: such times are refused]")
@click.option("--date-order", type=click.Choice(["mdy", "dmy"]), help="Order of dates such as 3/4/2024.")
@click.option("--encoding", help="Of CSV and JSON lines. [default: by the byte order mark, else UTF-8]")
@click.option("--aliases", type=click.Path(path_type=Path), help="CSV symbol,alias: names to look for in the texts.")
@click.option(
    "--received-at", metavar="TIME", help="When you received the files, or now. [default: each when it was published]"
)
@click.option(
    "--on-error",
    type=click.Choice(["refuse", "skip"]),
    default="refuse",
    show_default=True,
    help="What to do when rows are bad: import nothing at all, or the other rows.",
)
@click.option("--dry-run", is_flag=True, help="Only look at the files.")
@json_option
def import_files(files: tuple[Path, ...], dry_run: bool, as_json: bool, **options: Any) -> None:
    """Import news from CSV, JSON lines, RSS or Atom files.

    All files are looked at before anything is imported. An item that is there already stays as it is: importing again
    is harmless.
    """
    container = None if dry_run else client()
    rules = _rules(options, "" if container is None else local_user(container))
    plans = [_Plan(_file(path, options), rules) for path in files]
    for plan in plans:
        plan.look()
        if options["on_error"] == "refuse":
            plan.tally.refuse(plan.name)
    if container is not None:
        for plan in plans:
            plan.store(container.intelligence.import_news())
    _report(plans, dry_run, as_json=as_json)


@dataclass(slots=True)
class _Plan:
    """One file on its way in: looked at, then stored as it was then."""

    file: NewsFile
    base: NewsRules
    digest: str = ""
    tally: Tally = field(init=False)
    imported: Imported | None = None

    @property
    def name(self) -> str:
        return self.file.path.name

    @property
    def rules(self) -> NewsRules:
        from dataclasses import replace

        return replace(self.base, source=self.file.default_source)

    def look(self) -> None:
        """Read the file and count what is in it."""
        from domain.intelligence.importing import Tally, news_items

        self.tally = Tally()
        self.digest = self.file.digest()
        with progress_bar() as progress:
            task = progress.add_task(f"Checking {self.name}", total=None)
            for _ in news_items(self.file.rows(self.digest), self.rules, self.tally):
                progress.advance(task)

    def store(self, import_news: ImportNews) -> None:
        """Read the file again and store its good rows."""
        from domain.intelligence.importing import Tally, news_items

        good = self.tally.read - self.tally.bad
        with progress_bar() as progress:
            task = progress.add_task(f"Importing {self.name}", total=good)
            self.imported = import_news(
                news_items(self.file.rows(self.digest), self.rules, Tally()),
                lambda done: progress.update(task, completed=done.new + done.known),
            )

    def view(self) -> dict[str, Any]:
        """Return what came of it as JSON types."""
        return {
            "file": self.name,
            "rows": self.tally.read,
            "bad": self.tally.bad,
            "repeated": self.tally.repeated,
            "new": None if self.imported is None else self.imported.new,
            "known": None if self.imported is None else self.imported.known,
            "problems": [
                {"row": problem.row, "field": problem.field, "message": problem.message}
                for problem in self.tally.problems
            ],
        }


def _file(path: Path, options: dict[str, Any]) -> NewsFile:
    from adapters.news.files import NewsFile

    timed = options["received_at"] is not None
    return NewsFile(path, options["kind"], options["encoding"], options["source"], timed)


def _rules(options: dict[str, Any], user_id: str) -> NewsRules:
    from adapters.news.files import read_aliases
    from domain.common.time import SystemClock
    from domain.common.zones import zone_named
    from domain.intelligence.aliases import Aliases
    from domain.intelligence.importing import NewsRules
    from domain.market.model import parse_symbol

    now = SystemClock().now_ms()
    received = options["received_at"]
    return NewsRules(
        user_id=user_id,
        now_ms=now,
        zone=None if options["timezone"] is None else zone_named(options["timezone"]),
        date_order=options["date_order"],
        symbols=tuple(parse_symbol(symbol) for symbol in options["symbols"]),
        aliases=Aliases([] if options["aliases"] is None else read_aliases(options["aliases"])),
        received_ms=None if received is None else now if received == "now" else parse_time(received),
    )


def _report(plans: Sequence[_Plan], dry_run: bool, *, as_json: bool) -> None:
    views = [plan.view() for plan in plans]
    if as_json:
        print_json({"dry_run": dry_run, "files": views})
        return
    for view in views:
        for problem in view["problems"]:
            say(f"{view['file']}: row {problem['row']}: {problem['field']} {problem['message']}")
    rows = [[view["file"], *(_count(view[name.lower()]) for name in _COLUMNS[1:])] for view in views]
    print_table(_COLUMNS, rows)
    if any(view["repeated"] for view in views):
        say("repeated: items with the URL, or the source, title and time, of another one in the file; stored once")
    if dry_run:
        say("nothing was imported")


def _count(number: int | None) -> str:
    return "-" if number is None else str(number)


@news.command("list", epilog="Example: aitrader news list --symbol NSE:INFY --since 2024-01-01 --json")
@click.option("--symbol", help="Only about this symbol.")
@click.option("--source", help="Only of this source.")
@click.option("--since", metavar="TIME", help="Available from this time on.")
@click.option("--until", metavar="TIME", help="Available before this time.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_news(
    symbol: str | None, source: str | None, since: str | None, until: str | None, limit: int, as_json: bool
) -> None:
    """List your news, imported last first."""
    from domain.intelligence.news import NewsFilter, news_row
    from domain.market.model import parse_symbol

    container = client()
    wanted = NewsFilter(
        local_user(container),
        symbol=None if symbol is None else parse_symbol(symbol),
        source=source,
        since_ms=None if since is None else parse_time(since),
        until_ms=None if until is None else parse_time(until),
    )
    found, _ = container.intelligence.read_news().page(wanted, before_id=None, limit=limit)
    views = [news_row(item) for item in found]
    if as_json:
        print_json({"items": views})
        return
    rows = [
        [view["available_at"], ",".join(view["symbols"]), view["source"], _short(view), view["id"]] for view in views
    ]
    print_table(["available", "symbols", "source", "title", "id"], rows)
    if not rows:
        say("none; import some with: aitrader news import --help")


def _short(view: dict[str, Any]) -> str:
    text = " ".join((view["title"] or view["text"]).split())
    return text if len(text) <= 60 or not sys.stdout.isatty() else f"{text[:59]}…"


@news.command("show", epilog="Example: aitrader news show 019a2f6e-4c1b-7d2a-9a3e-5b7c8d9e0f13")
@click.argument("news_id", metavar="ID")
@json_option
def show_item(news_id: str, as_json: bool) -> None:
    """Show one item with all of its text."""
    from domain.common.ids import parse_id
    from domain.intelligence.news import news_view

    container = client()
    view = news_view(container.intelligence.read_news().get(parse_id(news_id), local_user(container)))
    if as_json:
        print_json(view)
        return
    text = view.pop("text")
    for name, value in {**view, "symbols": ", ".join(view["symbols"])}.items():
        click.echo(f"{name}: {value}")
    if text:
        click.echo(f"\n{text}")
