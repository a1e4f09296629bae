"""Password hashing, and the guard of URLs that come from settings or users."""
