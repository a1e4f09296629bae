"""Who reads ``/metrics``."""

from __future__ import annotations

import pytest
from quart.testing.client import QuartClient

from domain.identity.model import Scope
from tests.integration.http.browser import NOBODY, code_of
from tests.integration.http.test_http_jobs import with_client
from tests.integration.http.world import ME, STRANGER, World


@pytest.mark.parametrize("headers", [NOBODY, {"Authorization": "Bearer nonsense"}], ids=["nobody", "bad token"])
def test_programs_of_this_machine_need_no_token(world: World, headers: dict[str, str]) -> None:
    async def scenario(client: QuartClient) -> None:
        answer = await client.get("/metrics", headers=headers, scope_base=ME)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert await answer.get_data() == b"# TYPE some counter\n"

    with_client(world, scenario)


def test_others_need_a_token_with_the_scope(world: World) -> None:
    def bearer(scope: Scope) -> dict[str, str]:
        return {"Authorization": f"Bearer {world.issue(world.owner, scope)}"}

    async def scenario(client: QuartClient) -> None:
        answer = await client.get("/metrics", headers=NOBODY, scope_base=STRANGER)
        assert answer.status_code == 401
        refused = await client.get("/metrics", headers=bearer(Scope.JOBS_READ), scope_base=STRANGER)
        assert await code_of(refused) == (403, "insufficient_scope")
        assert "metrics:read" in (await refused.get_json(force=True))["detail"]
        answer = await client.get("/metrics", headers=bearer(Scope.METRICS_READ), scope_base=STRANGER)
        assert answer.status_code == 200

    with_client(world, scenario)
