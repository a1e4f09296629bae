"""Models as ONNX files: what may be loaded, running it, and the folders that it lies in."""
