"""One folder per technology. Adapters import ``domain`` and never each other."""

import os

# The ONNX runtime sends events to its makers from the moment it is imported, unless this is set before. A person who
# wants that can still set it to 0. (https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md)
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
