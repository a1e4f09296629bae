"""Train, serve, suggest, on the shipped prices: from the command line, and over REST."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.test_first_minutes import environment, run
from tests.processes import Process, eventually

Start = Callable[..., Process]

TRAIN = {
    "symbols": ["FX:EURUSD"],
    "timeframe": "1h",
    "name": "euro",
    "rounds": 15,
    "folds": 2,
    "end": "2017-12-01",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    return made


def told(home: Path, *arguments: str) -> Any:
    result = run(home, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.once
def test_from_the_command_line(home: Path) -> None:
    nothing = run(home, "suggestions", "make", "FX:EURUSD", "--timeframe", "1h")
    assert nothing.returncode == 1
    assert "aitrader model train --symbols FX:EURUSD --timeframe 1h --activate" in nothing.stderr

    told(home, "data", "samples")
    options = ("--timeframe", "1h", "--folds", "2", "--to", "2017-12-01", "--name", "euro")
    trained = told(home, "model", "train", "--symbols", "FX:EURUSD", *options, "--activate")
    assert trained["parity"] <= 1e-5
    assert trained["verdict"]["shuffled_is_chance"]
    assert trained["metrics"]["sample"] == "out_of_sample"
    folder = home / ".local/share/aitrader/models" / trained["model_id"]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model.onnx"]

    (listed,) = told(home, "model", "list")["items"]
    assert (listed["id"], listed["status"]) == (trained["model_id"], "active")
    shown = run(home, "model", "show", "euro")
    assert "out of sample" in shown.stdout
    assert trained["verdict"]["text"] in shown.stdout

    (made,) = told(home, "suggestions", "make", "FX:EURUSD", "--timeframe", "1h")["results"]
    assert made["model"]["id"] == trained["model_id"]
    assert not made["in_sample"]
    assert made["note"].startswith(trained["verdict"]["text"])
    past = told(home, "suggestions", "make", "FX:EURUSD", "--timeframe", "1h", "--as-of", "2017-12-10")["results"][0]
    assert past["backfilled"]
    assert [item["id"] for item in told(home, "suggestions", "list")["items"]] == [past["id"], made["id"]]
    text = run(home, "suggestions", "show", past["id"]).stdout
    assert "FX:EURUSD 1h as of 2017-12-08T" in text
    assert "base rates" in text

    judged = told(home, "model", "evaluate", "euro")
    assert judged["in_sample"]["until"] <= judged["trained_until"] < judged["out_of_sample"]["from"]
    assert re.search(r"backfilled +all +1 ", run(home, "model", "scorecard", "euro").stdout)

    wrong = run(home, "model", "show", "other")
    assert (wrong.returncode, "aitrader model list" in wrong.stderr) == (3, True)
    assert run(home, "model", "train", "--symbols", "NSE:NOTHING").returncode == 1
    assert run(home, "model", "train", "--symbols", "A B", "--name", "Nope").returncode == 2


@pytest.mark.once
def test_a_model_server_says_the_same(home: Path, start_process: Start) -> None:
    told(home, "data", "samples")
    options = ("--timeframe", "1h", "--folds", "2", "--to", "2017-12-01", "--activate")
    told(home, "model", "train", "--symbols", "FX:EURUSD", *options)
    ask = ("suggestions", "make", "FX:EURUSD", "--timeframe", "1h")
    (here,) = told(home, *ask)["results"]

    command = [sys.executable, "-m", "aitrader", "engine", "serve", "onnx", "--port", "0"]
    server = start_process(command, env=environment(home), cwd=home)
    (home / ".env").write_text(f"ONNX_RUNNER_URL={server.wait_for_line(r'http://127.0.0.1:[0-9]+', 30).group()}\n")
    (there,) = told(home, *ask)["results"]
    assert there["id"] != here["id"]
    for name in ("action", "probabilities", "entry", "stop", "target"):
        assert there[name] == here[name], name
    assert [item["feature"] for item in there["contributions"]] == [item["feature"] for item in here["contributions"]]

    server.kill()
    gone = run(home, *ask)
    assert gone.returncode == 1
    assert "onnx runner did not answer" in gone.stderr
    assert len(told(home, "suggestions", "list")["items"]) == 2  # nothing stands in for an answer


@pytest.mark.once
def test_over_rest(home: Path, start_process: Start) -> None:
    told(home, "data", "samples")
    server = start_process([sys.executable, "-m", "aitrader", "up", "--port", "0"], env=environment(home), cwd=home)
    url = server.wait_for_line(r"http://127\.0\.0\.1:\d+", 30).group()
    scopes = "jobs:read,jobs:write,signals:read,orders:read,admin"
    token = run(home, "token", "create", "--user", "owner", "--name", "me", "--scopes", scopes).stdout.strip()
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:

        def job(job_type: str, payload: dict[str, Any]) -> dict[str, Any]:
            made = client.post("/jobs", json={"job_type": job_type, "payload": payload})
            assert made.status_code == 202, made.text

            def ended() -> dict[str, Any] | None:
                found: dict[str, Any] = client.get(made.headers["Location"]).json()
                return found if found["status"] in ("succeeded", "failed", "dead") else None

            found = eventually(ended, timeout=120)
            assert found["status"] == "succeeded", found["error"]
            return found

        trained = job("model_train", TRAIN)
        model_id = trained["result"]["model_id"]
        assert client.post(f"/models/{model_id}/activate").json()["status"] == "active"
        made = job("suggestion", {"symbols": ["FX:EURUSD"], "timeframe": "1h", "as_of": "2017-12-15"})
        (suggested,) = made["result"]["results"]
        (item,) = client.get("/suggestions").json()["items"]
        assert (item["id"], item["probability"]) == (suggested["id"], suggested["probability"])
        assert item["backfilled"]

        def resolved() -> bool:
            return client.get(f"/suggestions/{item['id']}").json()["outcome"] is not None

        eventually(resolved, timeout=90)
        card = client.get(f"/models/{model_id}/scorecard").json()
        assert [row["n"] for row in card["backfilled"]] == [1, 1]
        assert card["forecast"][0]["n"] == 0
        manifest = client.get(f"/models/{model_id}").json()["manifest"]
        assert manifest["metrics"]["baselines"].keys() == {"always_hold", "momentum", "shuffled_labels"}
        chart = next(entry for entry in trained["artifacts"] if entry["media_type"] == "image/png")
        assert client.get(chart["url"]).content.startswith(b"\x89PNG")
    server.terminate()
    assert server.wait(25) == 0
