"""KServe's own model server (https://kserve.github.io) with our ONNX files, on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from tests.foreign.environments import environment
from tests.foreign.servers import free_port
from tests.processes import Process, eventually

# KServe listens on all addresses and has no setting for it, so its REST server is started by its parts.
_PROGRAM = """\
import asyncio
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelRepository
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype


class Onnx(Model):
    def __init__(self, name, folder, told):
        super().__init__(name)
        self._told = told
        self._session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes())
        self.ready = True

    def get_input_types(self):
        return self._told.get("inputs", [])

    def get_output_types(self):
        return self._told.get("outputs", [])

    def predict(self, payload, headers=None, response_headers=None):
        inputs = {item.name: item.as_numpy() for item in payload.inputs}
        names = [item.name for item in payload.request_outputs or self._session.get_outputs()]
        outputs = []
        for name, value in zip(names, self._session.run(names, inputs)):
            output = InferOutput(name, list(value.shape), from_np_dtype(value.dtype))
            output.set_data_from_numpy(value, binary_data=False)
            outputs.append(output)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=outputs)


models = ModelRepository()
for folder in Path(sys.argv[2]).iterdir():
    models.update(Onnx(folder.name, folder, json.loads((folder / "told.json").read_text())))
server = RESTServer(
    "kserve.model_server:app", DataPlane(models), ModelRepositoryExtension(models), int(sys.argv[1])
)
server.config.host = "127.0.0.1"
asyncio.run(server.start())
"""


def kserve(start: Callable[..., Process], folder: Path, models: dict[str, tuple[bytes, dict[str, Any]]]) -> str:
    """Start KServe with ONNX files by name, each with what it takes and gives; return its address."""
    program = folder / "serve.py"
    program.write_text(_PROGRAM)
    for name, (onnx, told) in models.items():
        (folder / "models" / name).mkdir(parents=True)
        (folder / "models" / name / "model.onnx").write_bytes(onnx)
        (folder / "models" / name / "told.json").write_text(json.dumps(told))
    python = environment("kserve==0.21.0", "onnxruntime") / "python"
    port = free_port()
    command = [str(python), str(program), str(port), str(folder / "models")]
    process = start(command, env={"PYTHONPATH": None, "HOME": str(folder)}, cwd=folder)
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        return not process.running or httpx2.get(f"{url}/v2/health/ready", timeout=1).status_code == 200

    eventually(ready, 180, 0.5, "KServe answers")
    assert process.running, process.describe()
    return url
