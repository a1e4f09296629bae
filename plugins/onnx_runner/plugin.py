"""Registers the model server."""

from __future__ import annotations

from typing import Any

from aitrader.api import AsgiApp, EngineServer, EngineTools, Registry, hookimpl
from plugins.onnx_runner.options import RunnerOptions


class OnnxRunner(EngineServer):
    """The models of this installation over the Open Inference Protocol v2, for AITrader and for other programs."""

    name = "onnx"
    title = "Model server: Open Inference Protocol v2"
    default_port = 8001
    path = ""
    options_type = RunnerOptions

    def app(self, options: Any, tools: EngineTools) -> AsgiApp:
        """Return the server."""
        from plugins.onnx_runner.app import make_app

        return make_app(options, tools.inference)


@hookimpl
def aitrader_register_engines(registry: Registry[EngineServer]) -> None:
    """Offer the model server."""
    registry.add(OnnxRunner.name, OnnxRunner())
