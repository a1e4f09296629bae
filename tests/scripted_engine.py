"""An engine over real HTTP whose answers a test chooses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LATE_S = 5.0

Answer = Callable[[BaseHTTPRequestHandler], None]


class Engine:
    """``answers`` are given by turns to POST, the last one for ever; ``pages`` to GET, by path, else 404."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[Answer] = []
        self.pages: dict[str, Answer] = {}
        self.release = threading.Event()
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                engine.paths.append(self.path)
                engine.headers.append(dict(self.headers.items()))
                engine.pages.get(self.path, says({"error": "nothing is here"}, 404))(self)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                engine.bodies.append(json.loads(self.rfile.read(length) or b"null"))
                engine.paths.append(self.path)
                engine.headers.append(dict(self.headers.items()))
                answer = engine.answers.pop(0) if len(engine.answers) > 1 else engine.answers[0]
                answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # connections are broken on purpose

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def hang(self, _handler: BaseHTTPRequestHandler) -> None:
        self.release.wait(LATE_S * 4)

    def drips(self, head: bytes) -> Answer:
        """Return an answer that begins so and then sends a byte every tenth of a second."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.close_connection = True
            try:
                handler.wfile.write(head)
                while not self.release.wait(0.1):
                    handler.wfile.write(b"x")
            except OSError:
                pass

        return answer

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def says(body: Any, status: int = 200) -> Answer:
    """Return an answer: bytes as they are, anything else as JSON."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()
    handler.close_connection = True


def stops_short(handler: BaseHTTPRequestHandler) -> None:
    """Promise more than is sent."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"outputs": [')
    handler.close_connection = True
