"""The application: every call, how errors are told, and what stands before all of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from controller.console import reading, stream, writing
from controller.console.access import Failures
from controller.console.console import Console, refusal_of
from controller.console.errors import MEDIA_TYPE, Refusal
from controller.console.guard import App, Guard, Place
from controller.errors import ControllerError

PREFIX = "/api/v1"
CODES = {404: "not_found", 405: "method_not_allowed"}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}


def application(console: Console, place: Place) -> App:
    """Return the ASGI application of *console*, reached at *place*."""
    api = bare(console)
    return Guard(api, place)


def bare(console: Console | None) -> FastAPI:
    """Return the calls alone; without a *console* to be described, never to be served."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        if console is None:
            raise RuntimeError("an application without a console can't be served")
        console.begin()
        try:
            yield
        finally:
            console.end()

    api = FastAPI(
        title="heliostat console",
        version="1",
        description="What a campaign does and why, and what people tell it to do. Every call but "
        "`about` and `healthz` needs `Authorization: Apikey …`; errors are RFC 9457 problems.",
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        lifespan=life,
        responses={
            "default": {"description": "A problem", "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
        },
    )
    api.state.console = console
    api.state.failures = Failures()
    for part in (reading, writing, stream):
        api.include_router(part.router, prefix=PREFIX)
    api.add_exception_handler(ControllerError, _controller_error)
    api.add_exception_handler(RequestValidationError, _unaccepted)
    api.add_exception_handler(HTTPException, _of_http)
    api.add_exception_handler(Exception, _failed)
    return api


def description() -> dict[str, Any]:
    """Return the OpenAPI document."""
    return bare(None).openapi()


def _answer(refusal: Refusal) -> JSONResponse:
    headers = {"www-authenticate": "Apikey"} if refusal.status == 401 else None
    return JSONResponse(refusal.problem(), refusal.status, headers, media_type=MEDIA_TYPE)


async def _controller_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ControllerError):
        raise error
    return _answer(refusal_of(error))


async def _unaccepted(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _answer(Refusal(422, "not_accepted", f"{place}: {first['msg']}"))


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "refused")
    return _answer(Refusal(error.status_code, code, str(error.detail)))


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(Refusal(500, "failed", "something is wrong in the console; its log says what"))
