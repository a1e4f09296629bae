"""``/jobs`` and ``/job-types``."""

from __future__ import annotations

from pathlib import Path

from quart import Blueprint, Response, request, send_file

from adapters.http import requests, schemas
from adapters.http.context import request_id
from adapters.http.identity import principal
from adapters.http.json_body import read_object
from adapters.http.openapi import Operation, documented
from adapters.http.representations import job_type_json, json_response
from adapters.http.state import HttpState
from domain.common.errors import NotFound
from domain.common.ids import parse_id
from domain.identity.model import Scope
from domain.jobs.model import Artifact
from domain.jobs.views import job_path, job_view

_BINARY = {"*/*": {"type": "string", "format": "binary"}}
_DOWNLOAD_TIMEOUT_S = 3600.0


def job_routes(state: HttpState) -> Blueprint:
    """Return the routes of jobs."""
    routes = Blueprint("jobs", __name__)
    _add_collection(routes, state)
    _add_one(routes, state)
    _add_artifacts(routes, state)
    _add_types(routes, state)
    return routes


def _add_collection(routes: Blueprint, state: HttpState) -> None:
    services = state.services

    @routes.post("/jobs")
    @documented(
        Operation(
            tag="jobs",
            access=Scope.JOBS_WRITE,
            request=schemas.NewJobRequest,
            headers=schemas.IdempotencyHeaders,
            responses={202: schemas.Job, 200: schemas.Job},
            response_headers={202: schemas.LocationHeaders, 200: schemas.LocationHeaders},
            notes={202: "The job is stored and will run.", 200: "This Idempotency-Key made this job before."},
            problems=(400, 413, 415, 422, 503),
        )
    )
    async def submit_job() -> Response:
        """Submit a job.

        Answers as soon as the job is stored; watch it on the WebSocket topic `job_updates` or ask
        `GET /jobs/{job_id}`. With an `Idempotency-Key`, repeating the request is harmless.
        """
        requests.require_json(request.headers)
        requests.no_query(request.args)
        key = requests.idempotency_key(request.headers)
        body = read_object(await request.get_data(cache=False))
        new = requests.new_job(body, user_id=principal().user_id, key=key, trace=request_id.get())
        submitted = await state.submit(new)
        job = submitted.job
        return json_response(job_view(job), 202 if submitted.created else 200, {"Location": job_path(job.id)})

    @routes.get("/jobs")
    @documented(
        Operation(
            tag="jobs",
            access=Scope.JOBS_READ,
            query=schemas.JobQuery,
            responses={200: schemas.JobPage},
            problems=(400, 422, 503),
        )
    )
    async def list_jobs() -> Response:
        """List jobs, newest first."""
        wanted, before_id, limit = requests.list_query(request.args, principal().user_id)
        jobs, following = await state.offload(services.list_jobs, wanted, before_id=before_id, limit=limit)
        cursor = None if following is None else requests.write_cursor(following)
        return json_response({"items": [job_view(job) for job in jobs], "next_cursor": cursor})


def _one(scope: Scope, *problems: int) -> Operation:
    return Operation(tag="jobs", access=scope, responses={200: schemas.Job}, problems=(400, 404, *problems, 422, 503))


def _add_one(routes: Blueprint, state: HttpState) -> None:
    services = state.services

    @routes.get("/jobs/<job_id>")
    @documented(_one(Scope.JOBS_READ))
    async def get_job(job_id: str) -> Response:
        """Read a job."""
        requests.no_query(request.args)
        job = await state.offload(services.get_job, parse_id(job_id), principal().user_id)
        return json_response(job_view(job))

    @routes.post("/jobs/<job_id>/cancel")
    @documented(_one(Scope.JOBS_WRITE))
    async def cancel_job(job_id: str) -> Response:
        """Cancel a job.

        A queued job is canceled at once, a running one soon (`cancel_requested`); one that has ended stays as it is.
        """
        requests.no_query(request.args)
        job = await state.offload(services.cancel_job, parse_id(job_id), principal().user_id)
        return json_response(job_view(job))

    @routes.post("/jobs/<job_id>/retry")
    @documented(_one(Scope.JOBS_WRITE, 409))
    async def retry_job(job_id: str) -> Response:
        """Run a failed, dead or canceled job again.

        Its attempts count anew. A job that is queued, running or succeeded is a conflict.
        """
        requests.no_query(request.args)
        job = await state.offload(services.retry_job, parse_id(job_id), principal().user_id)
        return json_response(job_view(job))


def _add_artifacts(routes: Blueprint, state: HttpState) -> None:
    services = state.services

    def find(job_id: str, name: str, user_id: str) -> tuple[Artifact, Path]:
        job = services.get_job(job_id, user_id)
        for artifact in job.artifacts:
            if artifact.name == name:
                path = services.artifact_path(artifact)
                if not path.is_file():
                    raise NotFound("the file of this artifact is gone", code="artifact_missing")
                return artifact, path
        raise NotFound("the job has no such artifact", code="artifact_not_found")

    @routes.get("/jobs/<job_id>/artifacts/<name>")
    @documented(
        Operation(
            tag="jobs",
            access=Scope.JOBS_READ,
            media={200: _BINARY, 206: _BINARY, 304: {}},
            response_headers={200: schemas.ArtifactHeaders},
            notes={
                200: "The file, with its own media type.",
                206: "The part asked for with Range.",
                304: "Unchanged: If-None-Match named its ETag.",
            },
            problems=(400, 404, 416, 422, 503),
        )
    )
    async def get_artifact(job_id: str, name: str) -> Response:
        """Download a file that a job made."""
        requests.no_query(request.args)
        artifact, path = await state.offload(find, parse_id(job_id), name, principal().user_id)
        response = await send_file(
            path,
            mimetype=artifact.media_type,
            as_attachment=True,
            attachment_filename=artifact.name,
            add_etags=False,
        )
        response.set_etag(artifact.sha256)
        response.timeout = _DOWNLOAD_TIMEOUT_S
        response.cache_control.public = False
        response.cache_control.private = True
        # Plugins write these files: a browser must neither guess their type nor run them as our page.
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        await response.make_conditional(request, accept_ranges=True, complete_length=artifact.size_bytes)
        return response


def _add_types(routes: Blueprint, state: HttpState) -> None:
    job_types = state.services.job_types

    @routes.get("/job-types")
    @documented(
        Operation(tag="jobs", access=Scope.JOBS_READ, responses={200: schemas.JobTypeList}, problems=(422, 503))
    )
    async def list_job_types() -> Response:
        """List the job types of this installation, with the JSON Schemas of their payloads and results."""
        requests.no_query(request.args)
        infos = await state.offload(lambda: [job_types.info(name) for name in job_types.names()])
        return json_response({"items": [job_type_json(info) for info in infos]})
