"""The job type ``replay``: the whole pipeline over the past."""
