"""Which browsers a share means: the function of the loader (frontend/loader/bucket.js), in Python.

For simulations and tests; the service decides shares, and never who is in one.
"""

BUCKETS = 10_000
"""A bucket is 0 to 9999, a hundredth of a percent each."""

_OFFSET = 0x811C9DC5
_PRIME = 0x01000193
_MASK = 0xFFFFFFFF


def fnv1a(text: str) -> int:
    """32-bit FNV-1a.

    Raises:
        UnicodeEncodeError: not ASCII; JavaScript would count other characters differently.
    """
    value = _OFFSET
    for byte in text.encode("ascii"):
        value = (value ^ byte) * _PRIME & _MASK
    return value


def bucket(visitor: str, release: str = "") -> int:
    """Where a visitor's id stands in a release, 0 to 9999.

    Hashed twice: after once, who is first in one release tends to be first in the next as well.
    """
    return fnv1a(str(fnv1a(release + visitor))) % BUCKETS


def on_canary(bucket: int, share: int) -> bool:
    """Whether a browser in this bucket loads canary assets at a share of 0 to 100 percent."""
    return bucket * 100 < share * BUCKETS
