"""A folder of weights: the model, its vocabulary, and a manifest that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.sentiment.scheme import VERSION
from adapters.sentiment.vocabulary import Vocabulary
from domain.common.errors import Invalid, NotFound

SHIPPED = Path(__file__).parent / "weights"
MODEL, VOCABULARY, MANIFEST = "model.onnx", "vocabulary.tsv", "manifest.json"
NAME = "built_in"
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder of weights holds, after its sums were checked."""

    manifest: Mapping[str, object]
    model: bytes
    vocabulary: Vocabulary

    @property
    def version(self) -> str:
        """The first digits of the model's hash."""
        return hashlib.sha256(self.model).hexdigest()[:8]


def read_folder(path: Path) -> Folder:
    """Return what a folder holds.

    Raises:
        NotFound: a file is missing.
        Invalid: a file is not the one that the manifest speaks of, or is made for another version of the program.
    """
    manifest = _manifest(_read(path / MANIFEST))
    if manifest.get("feature_scheme") != VERSION:
        raise Invalid(
            f"the sentiment weights in {path} are of feature scheme {manifest.get('feature_scheme')!r}, "
            f"this version reads {VERSION}: train them again with aitrader sentiment train",
            code="sentiment_weights_version",
        )
    sums = manifest.get("files")
    if not isinstance(sums, dict):
        raise Invalid(f"{path / MANIFEST} names no files", code="sentiment_manifest_unreadable")
    files = {name: _read(path / name) for name in (MODEL, VOCABULARY)}
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != sums.get(name):
            raise Invalid(
                f"{path / name} is not the file that its manifest speaks of (sha256 differs): "
                "restore it, or train again",
                code="sentiment_weights_changed",
            )
    lines = [line.split("\t") for line in files[VOCABULARY].decode("utf-8").split("\n")[:-1]]
    vocabulary = Vocabulary(tuple(line[0] for line in lines), tuple(line[1] for line in lines))
    return Folder(manifest, files[MODEL], vocabulary)


def write_folder(path: Path, model: bytes, vocabulary: Vocabulary, about: Mapping[str, object]) -> None:
    """Write a folder; the manifest last, so that a folder that was not finished is refused."""
    path.mkdir(parents=True, exist_ok=True)
    (path / MANIFEST).unlink(missing_ok=True)
    pairs = zip(vocabulary.words, vocabulary.kinds, strict=True)
    contents = {MODEL: model, VOCABULARY: "".join(f"{word}\t{kind}\n" for word, kind in pairs).encode()}
    for name, content in contents.items():
        (path / name).write_bytes(content)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    manifest = {"name": NAME, "version": sums[MODEL][:8], "feature_scheme": VERSION, **about, "files": sums}
    (path / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise Invalid(f"{path} is larger than weights can be", code="sentiment_weights_changed")
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(
            f"{path} is missing: install aitrader again, or make a folder of weights with aitrader sentiment train",
            code="sentiment_weights_missing",
        ) from None


def _manifest(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid("the manifest of the sentiment weights cannot be read", code="sentiment_manifest_unreadable")
    return found
