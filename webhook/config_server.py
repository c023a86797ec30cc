"""What frontends' nginx asks for: `/config/<namespace>/<configmap>.json`, and nothing else."""

from http import HTTPStatus

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from webhook.config_metrics import ConfigMetrics
from webhook.configs import Configs
from webhook.documents import Document
from webhook.kinds import Name
from webhook.reasons import Reason

_REASONS = {
    HTTPStatus.NOT_FOUND: (Reason.UNKNOWN_PATH, "no config is served here"),
    HTTPStatus.METHOD_NOT_ALLOWED: (Reason.METHOD_NOT_ALLOWED, "use GET or HEAD"),
}


def config_app(configs: Configs, metrics: ConfigMetrics) -> Flask:
    """What browsers reach, through nginx: GET and HEAD, one path a ConfigMap."""
    app = Flask("lockstep-config", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect is no answer that nginx or a loader expects

    def config(namespace: str, name: str) -> Response:
        return _answer(configs, Name(namespace, name))

    def count(response: Response) -> Response:
        metrics.answered(response.status_code)
        return response

    path = "/config/<namespace>/<name>.json"
    app.add_url_rule(path, view_func=config, methods=["GET"], provide_automatic_options=False)
    app.register_error_handler(HTTPException, _http_error)
    app.after_request(count)
    return app


def _answer(configs: Configs, name: Name) -> Response:
    if silent := configs.silent():
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, Reason.CLUSTER_UNAVAILABLE, silent)
    found = configs.find(name)
    if found is None:
        return _error(HTTPStatus.NOT_FOUND, *_REASONS[HTTPStatus.NOT_FOUND])
    if isinstance(found, Document):
        return _document(found)
    # Its number may be one that nobody can lower, so a browser must not get it; nor the last
    # good one, for the same reason. 503 and not 404: the path is right and the fault passes,
    # alerts see it, and no cache keeps it of its own accord. nginx falls back to share 0.
    message = f"ConfigMap {name} is no valid target; the log of lockstep serve-config says why"
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, Reason.TARGET_INVALID, message)


def _document(document: Document) -> Response:
    # Weak comparison, as RFC 9110 asks: a proxy that compresses makes W/"…" of our tag.
    if request.if_none_match.contains_weak(document.etag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = Response(document.body, content_type="application/json")
    response.set_etag(document.etag)
    response.headers["Cache-Control"] = "no-cache"
    return response


def _error(code: int, reason: Reason, message: str) -> Response:
    response = jsonify(reason=reason, message=message)
    response.status_code = code
    response.headers["Cache-Control"] = "no-store"
    return response


def _http_error(error: HTTPException) -> Response:
    code = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    fault = (Reason.INTERNAL_ERROR, "a fault of Lockstep's own; its log has the stack")
    response = _error(code, *_REASONS.get(code, fault))
    if allow := error.get_response().headers.get("Allow"):
        response.headers["Allow"] = allow
    return response
