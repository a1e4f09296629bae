"""Model folders on disk: one for each model, named by its id, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from adapters.onnx.guard import MOST_BYTES, check_onnx
from domain.common.errors import Invalid, NotFound
from domain.intelligence.models import MANIFEST_FILE, MODEL_FILE, Manifest, parse_manifest

_MOST_MANIFEST = 8 << 20


class FolderModels:
    """``ModelFolders`` in one directory. Safe for threads and processes: a folder never changes once it is there."""

    def __init__(self, directory: Path, check: Callable[[bytes], None] = check_onnx) -> None:
        self._directory = directory
        self._check = check

    def publish(self, manifest: Manifest, onnx: bytes) -> None:
        """Write a folder, whole or not at all."""
        self._check(onnx)
        _require_hash(manifest, onnx)
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = self._directory / f".{uuid.uuid4()}"
        draft.mkdir()
        try:
            _write(draft / MODEL_FILE, onnx)
            _write(draft / MANIFEST_FILE, orjson.dumps(manifest.to_json(), option=orjson.OPT_INDENT_2))
            os.replace(draft, self._directory / _plain(manifest.id))
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def manifest(self, model_id: str) -> Manifest:
        """Return the manifest of a model."""
        text = self._read(model_id, MANIFEST_FILE, _MOST_MANIFEST)
        try:
            return parse_manifest(orjson.loads(text))
        except orjson.JSONDecodeError as error:
            raise Invalid(f"the manifest of model {model_id} is not JSON", code="invalid_model") from error

    def onnx(self, model_id: str) -> bytes:
        """Return the ONNX file of a model, checked against its manifest."""
        manifest, data = self.manifest(model_id), self._read(model_id, MODEL_FILE, MOST_BYTES)
        _require_hash(manifest, data)
        self._check(data)
        return data

    def ids(self) -> Sequence[str]:
        """Return the models that are there, the newest first."""
        if not self._directory.is_dir():
            return []
        return sorted((item.name for item in self._directory.iterdir() if _is_id(item.name)), reverse=True)

    def _read(self, model_id: str, name: str, most: int) -> bytes:
        path = self._directory / _plain(model_id) / name
        try:
            if path.stat().st_size > most:
                raise Invalid(f"{name} of model {model_id} is larger than {most} bytes", code="invalid_model")
            return path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no folder of model {model_id}", code="model_not_found") from None


def _plain(model_id: str) -> str:
    """Return the name of a folder: never a path."""
    if not _is_id(model_id):
        raise NotFound("there is no such model", code="model_not_found")
    return model_id


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _require_hash(manifest: Manifest, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise Invalid(f"the file of model {manifest.id} is not the one of its manifest", code="model_changed")


def _write(path: Path, data: Any) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
