"""The 22 tools of Kite's MCP server as it lists them: names, arguments, which of them are required.

Defaults and enumerations are told and, as at Kite, not enforced.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_LIST: Schema = {"type": "array", "items": {"type": "string"}}

_VARIETY: Schema = {"type": "string", "enum": ["regular", "co", "amo", "iceberg", "auction"], "default": "regular"}
_EXCHANGE: Schema = {"type": "string", "enum": ["NSE", "BSE", "MCX", "NFO", "BFO"], "default": "NSE"}
_SIDE: Schema = {"type": "string", "enum": ["BUY", "SELL"]}
_PRODUCT: Schema = {"type": "string", "enum": ["CNC", "NRML", "MIS", "MTF"]}
_TYPE: Schema = {"type": "string", "enum": ["MARKET", "LIMIT", "SL", "SL-M"]}
_VALIDITY: Schema = {"type": "string", "enum": ["DAY", "IOC", "TTL"]}
_QUANTITY: Schema = {"type": "number", "default": "1", "minimum": 1}

_PAGED = {"from": _NUMBER, "limit": _NUMBER}
_INSTRUMENTS = {"instruments": _LIST}
_CHANGE = {
    "quantity": _QUANTITY,
    "price": _NUMBER,
    "trigger_price": _NUMBER,
    "validity": _VALIDITY,
    "disclosed_quantity": _NUMBER,
}
_TRIGGER = {
    "exchange": _EXCHANGE,
    "tradingsymbol": _TEXT,
    "last_price": _NUMBER,
    "transaction_type": _SIDE,
    "trigger_type": {"type": "string", "enum": ["single", "two-leg"]},
    "trigger_value": _NUMBER,
    "quantity": _NUMBER,
    "limit_price": _NUMBER,
    **{
        f"{leg}_{name}": _NUMBER
        for leg in ("upper", "lower")
        for name in ("trigger_value", "quantity", "limit_price")
    },
}

# name: (what it does, arguments, those that are required)
TOOLS: dict[str, tuple[str, dict[str, Schema], tuple[str, ...]]] = {
    "login": ("Log in to Kite and get a link for the user", {}, ()),
    "get_profile": ("Who is logged in", {}, ()),
    "get_margins": ("Money by segment", {}, ()),
    "get_holdings": ("Shares in the depository", _PAGED, ()),
    "get_positions": ("Positions of the day, then net positions", _PAGED, ()),
    "get_orders": ("Orders of today", _PAGED, ()),
    "get_trades": ("Trades of today", _PAGED, ()),
    "get_order_history": ("States of one order", {"order_id": _TEXT}, ("order_id",)),
    "get_order_trades": ("Trades of one order", {"order_id": _TEXT}, ("order_id",)),
    "get_gtts": ("Triggers that wait", _PAGED, ()),
    "get_mf_holdings": ("Mutual funds", _PAGED, ()),
    "get_quotes": ("Quotes with depth", _INSTRUMENTS, ("instruments",)),
    "get_ltp": ("Last prices", _INSTRUMENTS, ("instruments",)),
    "get_ohlc": ("Prices of the day", _INSTRUMENTS, ("instruments",)),
    "get_historical_data": (
        "Candles",
        {
            "instrument_token": _NUMBER,
            "from_date": _TEXT,
            "to_date": _TEXT,
            "interval": _TEXT,
            "continuous": {"type": "boolean"},
            "oi": {"type": "boolean"},
        },
        ("instrument_token", "from_date", "to_date", "interval"),
    ),
    "search_instruments": (
        "Find instruments",
        {"query": _TEXT, "filter_on": {"type": "string", "default": "id"}, **_PAGED},
        ("query",),
    ),
    "place_order": (
        "Place an order",
        {
            "variety": _VARIETY,
            "exchange": _EXCHANGE,
            "tradingsymbol": _TEXT,
            "transaction_type": _SIDE,
            "product": _PRODUCT,
            "order_type": _TYPE,
            **_CHANGE,
            "validity_ttl": _NUMBER,
            "iceberg_legs": _NUMBER,
            "iceberg_quantity": _NUMBER,
            "tag": {"type": "string", "maxLength": 20},
        },
        ("variety", "exchange", "tradingsymbol", "transaction_type", "quantity", "product", "order_type"),
    ),
    "modify_order": (
        "Change an order",
        {"variety": _VARIETY, "order_id": _TEXT, "order_type": _TYPE, **_CHANGE},
        ("variety", "order_id", "order_type"),
    ),
    "cancel_order": ("Cancel an order", {"variety": _VARIETY, "order_id": _TEXT}, ("variety", "order_id")),
    "place_gtt_order": (
        "Make a trigger",
        {**_TRIGGER, "product": _PRODUCT},
        ("exchange", "tradingsymbol", "last_price", "transaction_type", "product", "trigger_type"),
    ),
    "modify_gtt_order": (
        "Change a trigger",
        {**_TRIGGER, "trigger_id": _NUMBER},
        ("trigger_id", "exchange", "tradingsymbol", "last_price", "transaction_type", "trigger_type"),
    ),
    "delete_gtt_order": ("Delete a trigger", {"trigger_id": _NUMBER}, ("trigger_id",)),
}


def listing(name: str) -> dict[str, Any]:
    """Return a tool as `tools/list` shows it; the hints are the ones that Kite's library gives every tool."""
    text, properties, required = TOOLS[name]
    return {
        "name": name,
        "description": text,
        "inputSchema": {"type": "object", "properties": properties, "required": list(required)},
        "annotations": {
            "readOnlyHint": False,
            "destructiveHint": True,
            "idempotentHint": False,
            "openWorldHint": True,
        },
    }
