"""Posts jobs at a steady rate over one keep-alive connection; prints [[id, sent_at], …] as JSON.

``sent_at`` is the wall clock just before the request is written, in seconds.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time


def main(port: int, count: int, interval_s: float, body: str, token: str) -> None:
    """Post ``count`` jobs."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    sent = []
    start = time.monotonic()
    for number in range(count):
        # Off the beat, so that no loop that turns every so often is always met at the same place.
        due = start + (number + 0.37 * ((number * 0.618) % 1)) * interval_s
        time.sleep(max(0.0, due - time.monotonic()))
        sent_at = time.time()
        connection.request("POST", "/jobs", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 202:
            raise SystemExit(f"answered {response.status}: {answer}")
        sent.append((answer["id"], sent_at))
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:6])
