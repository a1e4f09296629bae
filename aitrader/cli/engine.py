"""``aitrader engine``: servers that plugins bring along."""

from __future__ import annotations

from typing import Any

import click

from aitrader.cli.common import (
    json_option,
    local_container,
    plugin_host,
    print_json,
    print_options,
    say,
    settings_named,
)


@click.group(epilog="Example: aitrader engine serve mock-mcp --port 9000")
def engine() -> None:
    """Serve an engine, such as a broker to practise with."""


@engine.command("list", epilog="Example: aitrader engine list --json")
@json_option
def list_engines(as_json: bool) -> None:
    """List the engines that can be served, and what can be set about each."""
    from pydantic import TypeAdapter

    engines = plugin_host().engines
    found: list[dict[str, Any]] = [
        {
            "name": _shown(name),
            "title": engines.get(name).title,
            "default_port": engines.get(name).default_port,
            "plugin": engines.owner(name),
            "options_schema": TypeAdapter(engines.get(name).options_type).json_schema(),
        }
        for name in engines
    ]
    if as_json:
        print_json({"items": found})
        return
    for item in found:
        print_options(f"{item['name']}: {item['title']} (port {item['default_port']})", item["options_schema"])


@engine.command(
    epilog="""\b
    Examples:
      aitrader engine serve mock-mcp --port 9000
      aitrader engine serve mock-mcp --set folder=./practice --set logged_in=true
    """
)
@click.argument("name")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (default: the engine's own; 0 takes a free one).")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="An option of the engine.")
def serve(name: str, host: str, port: int | None, options: tuple[str, ...]) -> None:
    """Serve one engine until Ctrl-C. Its address is printed on stdout once it answers."""
    from aitrader.engine_host import run_engine
    from aitrader.settling import settle
    from aitrader.shutdown import Shutdown

    container = local_container()
    server = container.plugin_host().engines.get(name.replace("-", "_"))
    shutdown = Shutdown()
    shutdown.install()

    def ready(url: str) -> None:
        settle()
        click.echo(url)
        say(f"{server.title} at {url}; Ctrl-C stops")

    wanted = server.default_port if port is None else port
    run_engine(server, host, wanted, settings_named(options), shutdown, ready, container.intelligence.server_tools())
    raise click.exceptions.Exit(shutdown.exit_code)


def _shown(name: str) -> str:
    return name.replace("_", "-")
