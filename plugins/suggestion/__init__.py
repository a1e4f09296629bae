"""Suggestions of models, with the evidence for them: the job type ``suggestion``."""
