"""The event bus: Redis Pub/Sub, or callbacks in this process."""
