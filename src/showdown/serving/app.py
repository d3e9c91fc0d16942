"""The HTTP interface: `/predict`, `/health`, `/metrics` and the page that describes them."""

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from showdown.core.version import VERSION
from showdown.measure.environment import versions
from showdown.prediction.model import Model
from showdown.prediction.writer import WriterModel
from showdown.serving.asking import Desk
from showdown.serving.body import BodyLimit
from showdown.serving.guard import PAGE_FILES, TRUSTED, Guard
from showdown.serving.labels import ServedModel, label_route
from showdown.serving.limits import Limits
from showdown.serving.metrics import Metrics
from showdown.serving.observer import FAILED, Observer
from showdown.serving.prompts import ServedWriter, prompt_route
from showdown.serving.queue import RowQueue
from showdown.serving.served import Refused
from showdown.serving.worker import Worker

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp

_ABOUT = """Answers of one saved model. Rows of all requests are answered together, and each answer is that of
`showdown predict`. Errors are one line in `detail`."""
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The server has a token, and the request has not."},
    408: {"description": "The body did not come in time."},
    413: {"description": "The body is too large."},
    422: {"description": "The request cannot be answered; `detail` names the place and the fix."},
    429: {"description": "Too many rows wait; `Retry-After` says in how many seconds to ask again."},
    500: {"description": "The model failed."},
    503: {"description": "The server ends, or has too many connections."},
    504: {"description": "There was no answer in time."},
}
_MOST_FAULTS = 3


class Service:
    """A saved model with its queue, its thread and its HTTP interface."""

    def __init__(
        self,
        model: Model | WriterModel,
        limits: Limits,
        *,
        coverage: float | None = None,
        token: str | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        """Prepare; nothing is answered before `start`.

        Args:
            model: opened.
            limits: of what is accepted.
            coverage: as in `showdown predict`, for requests that name none.
            token: that clients must know; None for none.
            hosts: names of the server where there is no token.

        Raises:
            UserError: for a coverage for which the model has no threshold.

        """
        self.served: ServedModel | ServedWriter = (
            ServedWriter(model, coverage) if isinstance(model, WriterModel) else ServedModel(model, coverage)
        )
        self.queue = RowQueue(limits, most_rows=self.served.most_rows, pads=self.served.pads)
        about = {"name": model.name, "task": str(self.served.about()["task"]), "showdown": VERSION}
        self.metrics = Metrics(about, self.queue.__len__)
        self.worker = Worker(self.served, self.queue, self.metrics)
        self._limits, self._began = limits, time.monotonic()
        self.application: ASGIApp = self._guarded(token, hosts)

    def start(self, broken: Callable[[], None]) -> None:
        """Warm the model up, in the calling thread, and hand it to its own.

        Args:
            broken: called from the model's thread where the model cannot answer any more.

        Raises:
            UserError: when it cannot answer.

        """
        self.served.warm_up()
        self.worker.start(broken)

    def finish(self, seconds: float) -> None:
        """Take no more rows, and wait for the answers to those that are there, at most so many seconds."""
        self.worker.finish(seconds)

    def _guarded(self, token: str | None, hosts: Collection[str]) -> "ASGIApp":
        guarded = Guard(BodyLimit(self._routes(token), limits=self._limits), token=token, hosts=hosts)
        return Observer(guarded, metrics=self.metrics)

    def _routes(self, token: str | None) -> "FastAPI":
        from fastapi import Depends, Request
        from fastapi.exceptions import RequestValidationError
        from fastapi.responses import JSONResponse, Response
        from fastapi.security import HTTPBearer
        from fastapi_offline import FastAPIOffline
        from prometheus_client import CONTENT_TYPE_LATEST

        app = FastAPIOffline(
            docs_url="/docs",
            redoc_url=None,
            static_url=PAGE_FILES,
            title=f"Showdown: {self.served.about()['name']}",
            version=VERSION,
            description=_ABOUT,
        )
        # For the page, which then asks for the token; `Guard` is what refuses.
        needs = [] if token is None else [Depends(HTTPBearer(auto_error=False))]
        desk = Desk(self.served, self.queue, self._limits)
        if isinstance(self.served, ServedWriter):
            app.post("/predict", responses=_REFUSALS, dependencies=needs)(prompt_route(self.served, desk))
        else:
            app.post("/predict", responses=_REFUSALS, dependencies=needs)(label_route(self.served, desk))

        @app.get("/health", responses={503: {"description": "It cannot answer, or ends."}})
        async def health(request: Request) -> JSONResponse:
            """Say whether the server answers, and, to those who may ask it, what answers."""
            ready = self.worker.alive
            return JSONResponse(self._health(ready, trusted=request.scope[TRUSTED]), 200 if ready else 503)

        @app.get("/metrics", response_class=Response, dependencies=needs)
        async def metrics() -> Response:
            """Return counts, sizes and seconds in Prometheus's text format."""
            return Response(self.metrics.page(), media_type=CONTENT_TYPE_LATEST)

        @app.exception_handler(Refused)
        async def refused(request: Request, refusal: Refused) -> JSONResponse:
            del request
            return JSONResponse({"detail": refusal.reason}, refusal.status, headers=refusal.headers)

        @app.exception_handler(Exception)
        async def failed(request: Request, error: Exception) -> JSONResponse:
            del request, error  # the observer writes it down
            return JSONResponse({"detail": FAILED}, 500)

        @app.exception_handler(RequestValidationError)
        async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
            del request
            return JSONResponse({"detail": _faults(error.errors())}, 422)

        return app

    def _health(self, ready: bool, *, trusted: bool) -> dict[str, Any]:
        if not trusted:
            return {"ready": ready}
        return {
            "ready": ready,
            "model": self.served.about(),
            "versions": versions(),
            "waiting_rows": len(self.queue),
            "seconds_up": round(time.monotonic() - self._began, 1),
        }


def _faults(errors: "list[Any] | Any") -> str:
    """Return what is wrong with a request, without what was given."""
    lines = []
    for error in list(errors)[:_MOST_FAULTS]:
        place = ".".join(str(part) for part in error["loc"] if part != "body") or "the body"
        lines.append(f"{place}: {error['msg']}")
    return "; ".join(dict.fromkeys(lines))
