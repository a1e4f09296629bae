"""A broker behind an MCP (Model Context Protocol) server, such as Zerodha's Kite MCP server."""
