"""The web layer: paths, status codes and limits; it decides nothing."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    MethodNotAllowed,
    RequestEntityTooLarge,
)

from webhook.gates import Hook
from webhook.hooks import Hooks, Reply, RequestError
from webhook.payload import LARGEST_BODY
from webhook.reasons import Reason

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition(Protocol):
    """The metrics of whichever process this is."""

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""


def hooks_app(hooks: Hooks) -> Flask:
    """What Flagger calls: POST, one path a hook."""
    app = Flask("lockstep", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    for hook in Hook:
        app.add_url_rule(
            f"/{hook}",
            hook,
            _view(hooks, hook),
            methods=["POST"],
            provide_automatic_options=False,
        )
    paths = ", ".join(f"/{hook}" for hook in Hook)
    app.register_error_handler(HTTPException, _http_error(f"the hooks are POST {paths}"))
    return app


def read_app(metrics: Exposition, ready: Callable[[], str]) -> Flask:
    """What kubelets and Prometheus call: GET; `ready` says what is still missing."""
    app = Flask("lockstep-read", static_folder=None)

    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    def readyz() -> Response:
        missing = ready()
        code = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
        return Response(f"{missing or 'ok'}\n", code, mimetype="text/plain")

    def exposition() -> Response:
        return Response(metrics.text(), content_type=METRICS_TYPE)

    app.add_url_rule("/healthz", view_func=healthz)
    app.add_url_rule("/readyz", view_func=readyz)
    app.add_url_rule("/metrics", view_func=exposition)
    paths = "/healthz, /readyz, /metrics"
    app.register_error_handler(HTTPException, _http_error(f"there is GET {paths}"))
    return app


def _view(hooks: Hooks, hook: Hook) -> Callable[[], tuple[Response, HTTPStatus]]:
    def view() -> tuple[Response, HTTPStatus]:
        return _response(hooks.handle(hook, _body))

    return view


def _body() -> bytes:
    if not request.is_json:
        message = f"the body is {request.mimetype or 'of no type'}, not application/json"
        raise RequestError(Reason.NOT_JSON, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
    try:
        body = request.get_data()
    except RequestEntityTooLarge as error:
        raise _too_large() from error
    except (OSError, ClientDisconnected) as error:
        message = "the body did not arrive whole"
        raise RequestError(Reason.BODY_INVALID, HTTPStatus.BAD_REQUEST, message) from error
    if len(body) > LARGEST_BODY:  # a chunked one has no length to be refused by
        raise _too_large()
    return body


def _too_large() -> RequestError:
    code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    message = f"the body is larger than {LARGEST_BODY} bytes"
    return RequestError(Reason.BODY_TOO_LARGE, code, message)


def _response(reply: Reply) -> tuple[Response, HTTPStatus]:
    verdict = reply.verdict
    body = jsonify(approved=verdict.approved, reason=verdict.reason, message=verdict.message)
    return body, reply.code


def _http_error(paths: str) -> Callable[[HTTPException], Response]:
    """What is answered to another path or another method; no hook is concerned."""

    def answer(error: HTTPException) -> Response:
        wrong_method = isinstance(error, MethodNotAllowed)
        reason = Reason.METHOD_NOT_ALLOWED if wrong_method else Reason.UNKNOWN_PATH
        response = jsonify(approved=False, reason=reason, message=f"{request.path}: {paths}")
        response.status_code = error.code or HTTPStatus.NOT_FOUND
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    return answer
