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
