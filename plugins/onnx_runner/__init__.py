"""Our models over the Open Inference Protocol, as a server of its own."""
