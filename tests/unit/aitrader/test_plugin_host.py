from __future__ import annotations

import sys
from typing import Any

import pytest

from aitrader.hookspecs import hookimpl
from aitrader.plugin_host import Candidate, PluginHost, installed_candidates
from aitrader.registry import PluginError
from tests.unit.aitrader.kinds import candidate, job_types_hook, strategies_hook

GOOD = candidate("good", job_types_hook("one", "two"), strategies_hook("half"))


def provided(host: PluginHost) -> dict[str, dict[str, list[str]]]:
    return {plugin.name: plugin.provides for plugin in host.plugins}


def the_fault(host: PluginHost, name: str) -> str:
    (fault,) = [fault for fault in host.faults if fault.plugin == name]
    return fault.reason


def assert_only_good(host: PluginHost) -> None:
    assert provided(host) == {
        "good": {"aitrader_register_job_types": ["one", "two"], "aitrader_register_strategies": ["half"]}
    }
    assert list(host.job_types) == ["one", "two"]
    assert list(host.strategies) == ["half"]


def test_admits_a_plugin_and_says_what_it_provides() -> None:
    host = PluginHost([GOOD])
    assert_only_good(host)
    assert host.faults == []
    assert (host.plugins[0].distribution, host.plugins[0].version) == ("dist", "1.0")
    assert host.job_types.owner("one") == host.strategies.owner("half") == "good"


def test_a_plugin_with_one_hook_and_one_with_none() -> None:
    host = PluginHost([candidate("a", job_types_hook("x")), candidate("empty")])
    assert provided(host) == {"a": {"aitrader_register_job_types": ["x"]}, "empty": {}}


def load_fails(error: BaseException) -> Any:
    def load() -> Any:
        raise error

    return Candidate("bad", "dist", "1.0", load)


@hookimpl
def aitrader_register_job_typs(registry: Any) -> None:
    """Misspelt."""


@hookimpl
def aitrader_register_job_types(registri: Any) -> None:
    """Asks for an argument that there is not."""


BAD = {
    "import error": (load_fails(ImportError("no module named acme")), "ImportError: no module named acme"),
    "exit at import": (load_fails(SystemExit(3)), "SystemExit: 3"),
    "hook raises": (candidate("bad", job_types_hook(then=ValueError("boom"))), "ValueError: boom"),
    "raises after one was registered": (
        candidate("bad", strategies_hook("mine"), job_types_hook("mine", then=ValueError("boom"))),
        "ValueError: boom",
    ),
    "misspelt hook": (candidate("bad", aitrader_register_job_typs), "aitrader_register_job_typs"),
    "misspelt argument": (candidate("bad", aitrader_register_job_types), "registri"),
    "misspelt hook and argument": (
        candidate("bad", aitrader_register_job_typs, aitrader_register_job_types),
        "registri",
    ),
    "name taken": (candidate("bad", job_types_hook("mine", "one")), "already registered by plugin 'good'"),
    "bad name": (candidate("bad", job_types_hook("mine", "Not-A-Name")), "'Not-A-Name' is not a job type name"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_plugin_is_left_out_whole_and_harms_no_other(case: str) -> None:
    bad, reason = BAD[case]
    later = candidate("later", job_types_hook("mine"))
    host = PluginHost([GOOD, bad, later])
    assert reason in the_fault(host, "bad")
    assert list(host.job_types) == ["mine", "one", "two"]
    assert host.job_types.owner("mine") == "later"
    assert list(host.strategies) == ["half"]
    assert [plugin.name for plugin in host.plugins] == ["good", "later"]


@pytest.mark.parametrize("case", BAD)
def test_strict_refuses_to_start(case: str) -> None:
    bad, reason = BAD[case]
    with pytest.raises(PluginError, match="plugin 'bad': ") as caught:
        PluginHost([GOOD, bad], strict=True)
    assert reason in str(caught.value)


def test_of_two_plugins_of_one_name_the_first_stays_whole() -> None:
    host = PluginHost([GOOD, candidate("good", job_types_hook("three"), distribution="impostor")])
    assert_only_good(host)
    assert "two plugins are called 'good'" in the_fault(host, "good")
    assert "impostor" in the_fault(host, "good")
    with pytest.raises(PluginError, match="two plugins"):
        PluginHost([GOOD, GOOD], strict=True)


def never() -> Any:
    raise AssertionError("a blocked plugin was imported")


def test_what_is_blocked_is_not_even_imported() -> None:
    blocked = Candidate("bad", "dist", "1.0", never)
    for host in (
        PluginHost([GOOD, blocked], blocked=["bad"]),
        PluginHost([GOOD, blocked], only=["good"]),
        PluginHost([GOOD, blocked], blocked=["bad"], only=["good", "bad"], strict=True),
    ):
        assert_only_good(host)
        assert the_fault(host, "bad") == "blocked by the settings"
        assert host.faults[0].blocked


def test_only_of_nothing_blocks_all() -> None:
    host = PluginHost([GOOD], only=[])
    assert (host.plugins, [fault.blocked for fault in host.faults]) == ([], [True])


def test_asking_for_what_is_not_installed_is_a_fault() -> None:
    host = PluginHost([GOOD], only=["good", "godd"])
    assert_only_good(host)
    assert "not installed" in the_fault(host, "godd")
    with pytest.raises(PluginError, match="'godd'"):
        PluginHost([GOOD], only=["godd"], strict=True)


def test_our_own_plugins_are_found_by_entry_point() -> None:
    found = installed_candidates()
    assert {"backtest", "pattern_scan"} <= {plugin.name for plugin in found}
    assert [plugin.name for plugin in found] == sorted(plugin.name for plugin in found)
    ours = [plugin for plugin in found if plugin.distribution == "aitrader"]
    host = PluginHost(ours, strict=True)
    ai = ["model_evaluate", "model_train", "pattern_scan", "replay", "sentiment_analysis", "suggestion"]
    assert list(host.job_types) == ["backtest", *ai]
    assert "sma_cross" in host.strategies


def test_loading_ours_imports_nothing_heavy() -> None:
    import subprocess

    script = (
        "import sys\n"
        "from plugins.backtest import plugin\nfrom plugins.pattern_scan import plugin as other\n"
        "print(sorted({'talib', 'matplotlib', 'pyarrow', 'sqlalchemy', 'quart'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
