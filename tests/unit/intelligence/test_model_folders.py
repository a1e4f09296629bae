"""Model folders: whole or not at all, unchanged, and never a path to elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.onnx import folders as folders_module
from adapters.onnx.folders import FolderModels
from aitrader.testing.intelligence_work import manifest
from aitrader.testing.model_samples import linear_onnx, published, words_onnx
from domain.common.errors import Invalid, NotFound
from domain.common.ids import new_id


@pytest.fixture
def folders(tmp_path: Path) -> FolderModels:
    return FolderModels(tmp_path / "models")


def test_what_was_published_is_read_back(folders: FolderModels) -> None:
    made = published(folders, linear_onnx(), name="mine")
    assert folders.manifest(made.id) == made
    assert folders.onnx(made.id) == linear_onnx()


def test_the_newest_comes_first(folders: FolderModels) -> None:
    assert list(folders.ids()) == []
    made = [published(folders, linear_onnx()).id for _ in range(3)]
    assert list(folders.ids()) == sorted(made, reverse=True)


def test_only_models_are_listed(folders: FolderModels, tmp_path: Path) -> None:
    made = published(folders, linear_onnx())
    for stray in (".draft", "notes.txt", "latest", made.id.upper(), made.id.replace("-", "")):
        (tmp_path / "models" / stray).mkdir()
    assert list(folders.ids()) == [made.id]


def test_a_file_that_is_not_of_its_manifest_is_not_published(folders: FolderModels, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not the one of its manifest"):
        folders.publish(manifest(sha256="0" * 64), linear_onnx())
    with pytest.raises(Invalid, match="no ONNX file"):
        published(folders, b"\x80\x04K\x01.")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("step", ["model.onnx", "manifest.json", "replace"])
def test_a_publish_that_fails_leaves_nothing(
    folders: FolderModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = published(folders, linear_onnx()).id
    write = folders_module._write

    def full(path: Path, data: Any) -> None:
        if path.name == step:
            raise OSError(28, "No space left on device")
        write(path, data)

    def refuse(*_: Any) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(folders_module, "_write", full)
    if step == "replace":
        monkeypatch.setattr(folders_module.os, "replace", refuse)
    with pytest.raises(OSError, match=r"No space|I/O"):
        published(folders, linear_onnx())
    assert os.listdir(tmp_path / "models") == [before]


def test_a_model_is_published_once(folders: FolderModels) -> None:
    made = published(folders, linear_onnx())
    with pytest.raises(OSError, match=r"not empty|exists"):
        published(folders, words_onnx(), id=made.id)
    assert folders.onnx(made.id) == linear_onnx()


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: words_onnx()])
def test_a_changed_file_is_not_given_out(folders: FolderModels, tmp_path: Path, change: Any) -> None:
    made = published(folders, linear_onnx())
    file = tmp_path / "models" / made.id / "model.onnx"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(Invalid, match="not the one of its manifest") as caught:
        folders.onnx(made.id)
    assert caught.value.code == "model_changed"


def test_a_forbidden_file_with_a_fitting_manifest_is_not_given_out(folders: FolderModels, tmp_path: Path) -> None:
    import hashlib

    made = published(folders, linear_onnx())
    folder = tmp_path / "models" / made.id
    pickled = b"\x80\x04K\x01."
    (folder / "model.onnx").write_bytes(pickled)
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "sha256": hashlib.sha256(pickled).hexdigest()}))
    with pytest.raises(Invalid, match="no ONNX file"):
        folders.onnx(made.id)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_file_that_is_too_large_is_not_read(
    folders: FolderModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made = published(folders, linear_onnx())
    limit = "MOST_BYTES" if name == "model.onnx" else "_MOST_MANIFEST"
    monkeypatch.setattr(folders_module, limit, 10)
    with pytest.raises(Invalid, match=f"{name} of model .* larger than 10"):
        folders.onnx(made.id)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "/", "../models", "/etc/passwd", "a\0b", "x", "019a2f6e", "{id}/", "{id}/..", "../{id}", "{id} "],
)
def test_only_ids_are_names(folders: FolderModels, name: str) -> None:
    made = published(folders, linear_onnx())
    for read in (folders.manifest, folders.onnx):
        with pytest.raises(NotFound):
            read(name.replace("{id}", made.id))
    with pytest.raises(NotFound):
        published(folders, linear_onnx(), id=name.replace("{id}", made.id))


@pytest.mark.parametrize("form", [str.upper, lambda text: text.replace("-", ""), lambda text: f"{{{text}}}"])
def test_an_id_has_one_form(folders: FolderModels, form: Any) -> None:
    made = published(folders, linear_onnx())
    with pytest.raises(NotFound):
        folders.manifest(form(made.id))


def test_a_model_that_is_not_there(folders: FolderModels, tmp_path: Path) -> None:
    for read in (folders.manifest, folders.onnx):
        with pytest.raises(NotFound, match="no folder of model"):
            read(new_id())
    made = published(folders, linear_onnx())
    (tmp_path / "models" / made.id / "model.onnx").unlink()
    with pytest.raises(NotFound):
        folders.onnx(made.id)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b'{"format":2}', b'{"format":1}', b'{"format":1,"id":null}'],
)
def test_a_manifest_that_cannot_be_read(folders: FolderModels, tmp_path: Path, content: bytes) -> None:
    made = published(folders, linear_onnx())
    (tmp_path / "models" / made.id / "manifest.json").write_bytes(content)
    for read in (folders.manifest, folders.onnx):
        with pytest.raises(Invalid, match="manifest"):
            read(made.id)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("created_ms", "soon"),
        ("timeframe", "1y"),
        ("label", {"horizon": 10}),
        ("label", 7),
        ("features", None),
        ("typical", ["high"]),
        ("universe", 7),
    ],
)
def test_a_manifest_with_a_wrong_field(folders: FolderModels, tmp_path: Path, field: str, value: Any) -> None:
    made = published(folders, linear_onnx())
    file = tmp_path / "models" / made.id / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(Invalid, match="cannot be read"):
        folders.manifest(made.id)
