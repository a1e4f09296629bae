"""MLServer (https://mlserver.readthedocs.io) with our ONNX files, on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.foreign.environments import environment
from tests.foreign.servers import free_port
from tests.processes import Process, eventually

# MLServer has no runtime for ONNX files of its own; this is how its documentation says to add one.
_RUNTIME = """\
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from mlserver.utils import get_model_uri


class Onnx(MLModel):
    async def load(self):
        with open(await get_model_uri(self._settings), "rb") as file:
            self._session = onnxruntime.InferenceSession(file.read())
        return True

    async def predict(self, payload):
        inputs = {item.name: NumpyCodec.decode_input(item) for item in payload.inputs}
        names = [item.name for item in payload.outputs or self._session.get_outputs()]
        found = zip(names, self._session.run(names, inputs))
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name, value) for name, value in found]
        )
"""


def mlserver(start: Callable[..., Process], folder: Path, models: dict[str, tuple[bytes, dict[str, Any]]]) -> str:
    """Start MLServer with ONNX files by name, each with what it takes and gives; return its address."""
    ports = {name: free_port() for name in ("http_port", "grpc_port", "metrics_port")}
    settings = {"host": "127.0.0.1", **ports, "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "onnx_files.py").write_text(_RUNTIME)
    for name, (onnx, told) in models.items():
        (folder / name).mkdir()
        (folder / name / "model.onnx").write_bytes(onnx)
        model = {"name": name, "implementation": "onnx_files.Onnx", "parameters": {"uri": "./model.onnx"}, **told}
        (folder / name / "model-settings.json").write_text(json.dumps(model))
    program = environment("mlserver==1.7.1", "onnxruntime") / "mlserver"
    process = start([str(program), "start", str(folder)], env={"PYTHONPATH": None, "HOME": str(folder)}, cwd=folder)
    url = f"http://127.0.0.1:{ports['http_port']}"

    def ready() -> bool:
        paths = (f"{url}/v2/models/{name}/ready" for name in models)
        return not process.running or all(httpx2.get(path, timeout=1).status_code == 200 for path in paths)

    eventually(ready, 180, 0.5, "MLServer answers")
    assert process.running, process.describe()
    return url
