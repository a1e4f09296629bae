"""The HTTP adapter: REST, OpenAPI and WebSocket. The only place with async code."""
