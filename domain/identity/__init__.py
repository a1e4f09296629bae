"""Who may do what: users, roles, scopes, API tokens, browser sessions, and the audit log."""
