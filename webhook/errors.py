"""What can go wrong with the cluster, in the words of the API server."""


class ClusterError(Exception):
    """A request to the API server failed; the message names the verb and the object."""


class ConflictError(ClusterError):
    """Somebody wrote the object, or created it, since it was read (409)."""


class NotFoundError(ClusterError):
    """The object does not exist, or the API server does not serve its kind (404)."""


class ForbiddenError(ClusterError):
    """The API server refuses Lockstep's account (401 and 403)."""


class GoneError(ClusterError):
    """The resourceVersion to go on from is too old: list again (410)."""


class RejectedError(ClusterError):
    """The API server does not accept the object, for example an immutable one (other 4xx)."""


class UnavailableError(ClusterError):
    """No answer, or a fault of the API server's; the same request may work later."""


class DeadlineError(UnavailableError):
    """The time for the whole task is over; no request was made."""


_STATUS: dict[int, type[ClusterError]] = {
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: UnavailableError,
}


def of_status(status: int) -> type[ClusterError]:
    """The error that a status of the API server's stands for; 0 is none at all."""
    other = RejectedError if 400 <= status < 500 else UnavailableError  # noqa: PLR2004
    return _STATUS.get(status, other)
