"""What can be set about an account behind an MCP server."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from aitrader.api import StrictModel


class McpOptions(StrictModel):
    """How an MCP server is talked to. Secrets have no place here: logins happen at the broker."""

    url: str | None = Field(
        None,
        pattern=r"^https?://[^@\s]+$",
        max_length=500,
        description="the server's address, such as http://127.0.0.1:9000/mcp; MCP_URL when left out",
    )
    profile: Literal["auto", "kite", "alpaca"] = Field(
        "auto", description="whose tools the server has; auto: seen from its list of tools"
    )
    calls_per_second: float = Field(8, gt=0, le=1000, description="at most this many calls a second, all together")
    read_seconds: float = Field(8, ge=0.1, le=10, description="how long an answer to a read may take")
    write_seconds: float = Field(
        12, ge=0.1, le=20, description="and one to an order; longer than the server waits for its broker"
    )
    settle_seconds: float = Field(
        120, ge=0, le=3600, description="how long an order that was accepted may stay out of the broker's book"
    )
    variety: Literal["regular", "amo"] = Field("regular", description="Kite: amo places after market hours")
    market_orders: bool = Field(
        False, description="Kite: whether the broker takes market orders without market protection"
    )

    @field_validator("url")
    @classmethod
    def _not_of_the_cloud(cls, url: str | None) -> str | None:
        """Metadata services of clouds give secrets to whoever asks from inside."""
        host = urlsplit(url or "").hostname or ""
        if host.startswith(("169.254.", "fe80:", "metadata.")):
            raise ValueError("must not lead to a link-local or metadata address")
        return url
