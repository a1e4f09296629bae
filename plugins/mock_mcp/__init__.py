"""A broker to practise with: an MCP server with the tools and the manners of Zerodha's Kite MCP server."""
