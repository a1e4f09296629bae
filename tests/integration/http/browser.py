"""A browser that logged in: it keeps its cookie, and sends what our own pages send."""

from __future__ import annotations

from typing import Any

from quart.testing.client import QuartClient

from tests.integration.http.world import ME, PASSWORD

ORIGIN = "http://localhost"
NOBODY = {"Authorization": ""}


async def log_in(client: QuartClient, username: str, password: str = PASSWORD, **options: Any) -> Any:
    return await client.post(
        "/auth/login", json={"username": username, "password": password}, headers=NOBODY, **options
    )


async def code_of(answer: Any) -> tuple[int, str]:
    """Return status and problem code."""
    return answer.status_code, (await answer.get_json(force=True)).get("code", "")


class Browser:
    def __init__(self, client: QuartClient, csrf: str) -> None:
        self.client = client
        self.csrf = csrf

    @classmethod
    async def logged_in(cls, client: QuartClient, username: str = "local", password: str = PASSWORD) -> Browser:
        answer = await log_in(client, username, password)
        assert answer.status_code == 200, await answer.get_data(as_text=True)
        return cls(client, (await answer.get_json())["csrf_token"])

    async def get(self, path: str) -> Any:
        return await self.client.get(path, headers=NOBODY)

    async def send(self, method: str, path: str, json: Any = None, **headers: str | None) -> Any:
        """Send a change; ``Origin=None`` leaves a header out, and so on, with ``_`` for ``-``."""
        sent: dict[str, str | None] = {"Origin": ORIGIN, "X-CSRF-Token": self.csrf, **NOBODY}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        kept = {name: value for name, value in sent.items() if value is not None}
        body = {} if json is None else {"json": json}
        return await self.client.open(path, method=method, headers=kept, **body)

    async def post(self, path: str, json: Any = None, **headers: str | None) -> Any:
        return await self.send("POST", path, json, **headers)


__all__ = ["ME", "NOBODY", "ORIGIN", "Browser", "code_of", "log_in"]
