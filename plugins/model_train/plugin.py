"""What the model plugin registers. Nothing heavy is imported here."""

from __future__ import annotations

from aitrader.api import JobType, Registry, hookimpl
from plugins.model_train.evaluate import ModelEvaluateJob
from plugins.model_train.job import ModelTrainJob


@hookimpl
def aitrader_register_job_types(registry: Registry[JobType]) -> None:
    """Offer ``model_train`` and ``model_evaluate``."""
    for job_type in (ModelTrainJob(), ModelEvaluateJob()):
        registry.add(job_type.name, job_type)
