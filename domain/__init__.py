"""The core: entities, ports and use cases. Imports no framework and no other package of ours."""
