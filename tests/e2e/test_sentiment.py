"""News from a file to sentiment over REST: imported, scored in a child process, kept, added up as of any time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.test_first_minutes import environment, run
from tests.processes import Process, eventually

pytestmark = pytest.mark.once

Start = Callable[..., Process]

NEWS = """published,title,symbols,url
2024-03-01T10:00:00Z,INFY raises guidance after record profit,NSE:INFY,https://x.org/1
2024-03-03T10:00:00Z,INFY shares plunge on fraud,NSE:INFY;NSE:NIFTY,https://x.org/2
2024-03-05T10:00:00Z,Weather stays as it is,,https://x.org/3
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    made.mkdir()
    (made / "news.csv").write_text(NEWS)
    return made


def test_news_becomes_sentiment(home: Path, start_process: Start) -> None:
    command = [sys.executable, "-m", "aitrader", "up", "--port", "0"]
    server = start_process(command, env=environment(home), cwd=home)
    url = server.wait_for_line(r"http://127\.0\.0\.1:\d+", 60).group()
    scopes = "jobs:read,jobs:write,signals:read,data:write"
    token = run(home, "token", "create", "--user", "owner", "--name", "me", "--scopes", scopes).stdout.strip()
    imported = run(home, "news", "import", "news.csv")
    assert imported.returncode == 0, imported.stderr

    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:

        def result(payload: dict[str, Any]) -> dict[str, Any]:
            made = client.post("/jobs", json={"job_type": "sentiment_analysis", "payload": payload})
            assert made.status_code == 202, made.text
            path = made.headers["Location"]

            def ended() -> dict[str, Any] | None:
                job: dict[str, Any] = client.get(path).json()
                return job if job["status"] in ("succeeded", "failed", "dead") else None

            job: dict[str, Any] = eventually(ended, 60, 0.1, "the job ended")
            assert job["status"] == "succeeded", job
            assert {artifact["name"] for artifact in job["artifacts"]} == set(job["result"]["artifacts"])
            found: dict[str, Any] = job["result"]
            return found

        report = result({"news": {"since": "2024-01-01"}, "as_of": "2024-03-04T10:00:00Z"})
        assert (report["engine"], report["texts"], report["stored"]) == ("built_in", 2, 3)
        rest = result({"news": {"since": "2024-03-04"}})
        assert (rest["texts"], rest["stored"], rest["items"][0]["symbols"]) == (1, 0, [])

        def score(symbol: str, as_of: str) -> float | None:
            (found,) = client.get("/sentiment", params={"symbol": symbol, "as_of": as_of}).json()["items"]
            return None if found["score"] is None else float(found["score"])

        infy = {found["symbol"]: found["score"] for found in report["symbols"]}
        assert score("NSE:INFY", "2024-03-04T10:00:00Z") == pytest.approx(infy["NSE:INFY"])
        assert score("NSE:INFY", "2024-03-01T09:59:59Z") is None
        good, both = score("NSE:INFY", "2024-03-01T10:00:00Z"), score("NSE:INFY", "2024-03-03T10:00:00Z")
        assert good is not None
        assert both is not None
        assert good > 0.5 > 0 > both
        assert score("NSE:NIFTY", "2024-03-02T10:00:00Z") is None

        texts = client.get("/sentiment/items", params={"symbol": "NSE:INFY"}).json()["items"]
        assert [text["text"] for text in texts] == [
            "INFY shares plunge on fraud",
            "INFY raises guidance after record profit",
        ]
        again = result({"symbols": ["NSE:INFY"], "as_of": "2024-03-04T10:00:00Z"})
        assert again["symbols"] == [found for found in report["symbols"] if found["symbol"] == "NSE:INFY"]
        assert len(client.get("/sentiment/items").json()["items"]) == 3
    server.terminate()
    assert server.wait(25) == 0
