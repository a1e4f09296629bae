"""``aitrader plugins``: what is installed, and whether it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aitrader.cli.common import json_option, plugin_host, print_json, print_table, say

if TYPE_CHECKING:
    from aitrader.plugin_host import PluginInfo


@click.group(epilog="Example: aitrader plugins list")
def plugins() -> None:
    """List and check plugins."""


@plugins.command("list", epilog="Example: aitrader plugins list --json")
@json_option
def list_plugins(as_json: bool) -> None:
    """List plugins, what they provide, and why any was left out."""
    from dataclasses import asdict

    host = plugin_host()
    if as_json:
        print_json(
            {"plugins": [asdict(plugin) for plugin in host.plugins], "faults": [asdict(f) for f in host.faults]}
        )
        return
    rows = [[plugin.name, f"{plugin.distribution} {plugin.version}", _provides(plugin)] for plugin in host.plugins]
    print_table(["plugin", "distribution", "provides"], rows)
    for fault in host.faults:
        say(f"left out: {fault.plugin}: {fault.reason}")


def _provides(plugin: PluginInfo) -> str:
    words = [
        f"{hook.removeprefix('aitrader_register_').replace('_', ' ')}: {', '.join(names)}"
        for hook, names in plugin.provides.items()
    ]
    return "; ".join(words) or "nothing"


@plugins.command(epilog="Example: aitrader plugins check backtest")
@click.argument("name")
def check(name: str) -> None:
    """Check that plugin NAME was admitted and that each of its job types publishes valid schemas."""
    from aitrader.job_types import RegisteredJobTypes
    from domain.common.errors import NotFound

    host = plugin_host()
    fault = next((fault for fault in host.faults if fault.plugin == name), None)
    if fault is not None:
        raise click.ClickException(f"{name} was left out: {fault.reason}")
    plugin = next((plugin for plugin in host.plugins if plugin.name == name), None)
    if plugin is None:
        known = ", ".join(plugin.name for plugin in host.plugins) or "none"
        raise NotFound(f"there is no plugin {name!r}; known: {known}", code="unknown_plugin")
    job_types = RegisteredJobTypes(host.job_types)
    for job_type in plugin.provides.get("aitrader_register_job_types", []):
        info = job_types.info(job_type)
        job_types.validate(job_type, info.example)
        say(f"job type {job_type}: schemas and example are valid")
    for strategy in plugin.provides.get("aitrader_register_strategies", []):
        say(f"strategy {strategy}: fits the port")
    say(f"{name} is fine")
