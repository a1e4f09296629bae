"""The MCP broker against servers that we did not write, each in an environment of its own."""
