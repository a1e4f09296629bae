from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Cli


def test_texts_are_scored(cli: Cli) -> None:
    table = cli("sentiment", "score", "Net loss narrows", "Profit plunges")
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines()] == ["label", "positive", "negative"]
    items = cli("sentiment", "score", "--json", "Profit plunges").json["items"]
    assert items[0]["label"] == "negative"
    assert "plunges" in [item["word"] for item in items[0]["words"]]


def test_a_text_that_is_empty_is_one_line(cli: Cli) -> None:
    assert cli("sentiment", "score", " ").code == 2


def test_no_text_at_all_is_said_so(cli: Cli) -> None:
    done = cli("sentiment", "score", stdin="\n \n")
    assert done.code == 2
    assert "nothing to score" in done.err


def test_training_says_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    assert cli("sentiment", "train", "none.csv", "--output", str(tmp_path / "w")).code == 3
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n", encoding="utf-8")
    refused = cli("sentiment", "train", str(wrong), "--output", str(tmp_path / "w"))
    assert refused.code == 2
    assert "text and label" in refused.err
