"""An HTTP endpoint that Segment's SDKs can send to: their calls become files in the landing folder.

It answers 200 only when the calls are on disk. What is JSON is kept, for the warehouse to judge; a request that is not, or is
too large, is refused with 400, an unknown write key with 401, and 503 says that nothing could be written: send it again.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from orchestration import paths
from orchestration.lib import collect, lock
from orchestration.lib.collect import CALLS, MAX_BATCH, MAX_CALL, Journal, RefusedError, WriteKeys
from orchestration.lib.errors import UsageError

DRAINED = 64 << 20  # bytes of a body too large that are still read, so that its sender hears why it was refused
RETRY_AFTER = "5"  # seconds
STATUS = {"unauthorized": 401, "not_found": 404}

log = logging.getLogger("tessera.collector")


def serve(keys: WriteKeys, *, host: str, port: int, proxy: str | None, max_bytes: int, max_seconds: float) -> None:
    """Collect until stopped (SIGTERM, Ctrl-C). `proxy` is the address whose X-Forwarded-For is believed; port 0 takes a free one."""
    with lock.writer(paths.home() / "collector", "collect"):
        try:
            listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
        except OSError as error:
            fix = "choose another with --host and --port"
            raise UsageError(
                "The address cannot be used.", where=f"{host}, port {port}", found=error.strerror or "", fix=fix
            ) from None
        app = create_app(keys, Journal(paths.landing(), max_bytes=max_bytes, max_seconds=max_seconds))
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,  # it would name the people's addresses
            server_header=False,
            proxy_headers=proxy is not None,
            forwarded_allow_ips=proxy or "",
            limit_concurrency=1000,
            timeout_graceful_shutdown=10,
        )
        address = f"http://{host if ':' not in host else f'[{host}]'}:{listener.getsockname()[1]}"
        print(f"Collecting on {address} from {', '.join(keys.sources)} into {paths.landing()}", file=sys.stderr, flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # uvicorn stops at them, then raises them once more
        uvicorn.Server(config).run(sockets=[listener])


def create_app(keys: WriteKeys, journal: Journal) -> FastAPI:
    """Return the application; it closes the journal when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(journal.close)

    app = FastAPI(title="Tessera collector", lifespan=lifespan, openapi_url=None)
    # Any page may send, and beacons always send credentials; none of theirs count here.
    app.add_middleware(
        CORSMiddleware,
        allow_origin_regex=".*",
        allow_credentials=True,
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=86_400,
    )

    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> JSONResponse:
        return _answer(STATUS.get(error.code, 400), error.code, error.message)

    @app.exception_handler(OSError)
    async def ask_again(_: Request, error: OSError) -> JSONResponse:
        log.error("nothing was stored and 503 answered: %s", error.strerror or "the collector is stopping")
        return _answer(503, "unavailable", "It could not be stored. Send it again.", {"Retry-After": RETRY_AFTER})

    @app.get("/health")
    async def health() -> dict[str, bool]:
        return {"success": True}

    @app.post("/v1/{path}")
    async def receive(path: str, request: Request) -> dict[str, bool]:
        if path not in CALLS:
            raise RefusedError("not_found", f"There is no such call. There are: {', '.join(CALLS)}.")
        call = CALLS[path]
        user = _basic_user(request.headers.get("authorization", ""))
        source = None if user is None else keys.source_of(user)
        limit = MAX_CALL if call else MAX_BATCH
        body = await _body(request, limit)
        payload = collect.read(collect.unpack(body, request.headers.get("content-encoding", "").strip().lower(), limit))
        source = source or keys.source_of(payload.get("writeKey"))
        lines = collect.complete(
            payload,
            call,
            source=source,
            received_at=datetime.now(UTC),
            ip=request.client.host if request.client else None,
            is_browser="origin" in request.headers,
        )
        if lines:
            await asyncio.wrap_future(journal.append(source, lines))
        return {"success": True}

    return app


def _answer(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"success": False, "code": code, "message": message}, status, headers)


def _basic_user(authorization: str) -> str | None:
    """Return the user name of Basic authentication, None where there is none; raise RefusedError where it cannot be read."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        raise RefusedError("unauthorized", "The Authorization header cannot be read.") from None


async def _body(request: Request, limit: int) -> bytes:
    """Return the body, of one too large only so much that this shows; the rest is read and dropped."""
    kept, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            kept += chunk[: limit + 1 - len(kept)]
            if size > DRAINED:
                break
    except ClientDisconnect:
        raise RefusedError("incomplete", "The body ended too early.") from None
    return bytes(kept)
