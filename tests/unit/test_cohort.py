"""The cohort function: the same as the loader's, and fair."""

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from webhook.cohort import BUCKETS, bucket, fnv1a, on_canary

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "frontend/loader/vectors.json").read_text())

COUNT = 20_000
BINS = 100
LIMIT = 148.2
"""The 99.9 % quantile of chi-square with 99 degrees of freedom."""

RELEASES = ["", "5d4b8c9f", "7f9c6d5b4"]


def sequential() -> Iterable[str]:
    return (f"user-{number:08}" for number in range(COUNT))


def digits() -> Iterable[str]:
    """As the loader draws them."""
    source = random.Random(1)  # noqa: S311 - an id is no secret
    return (str(source.random())[2:] for _ in range(COUNT))


def uuids() -> Iterable[str]:
    source = random.Random(2)  # noqa: S311 - an id is no secret
    return (str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(COUNT))


IDS = [sequential, digits, uuids]


def chi_square(values: Iterable[int], bins: int) -> float:
    """How far counts are from even; a sum of squares over what is expected."""
    counts = Counter(values)
    expected = counts.total() / bins
    return sum((counts[it] - expected) ** 2 / expected for it in range(bins))


def test_the_hash_is_that_of_the_vectors() -> None:
    assert {text: fnv1a(text) for text, _ in VECTORS["fnv1a"]} == dict(VECTORS["fnv1a"])


def test_a_bucket_is_that_of_the_vectors() -> None:
    for visitor, release, expected in VECTORS["buckets"]:
        assert bucket(visitor, release) == expected, (visitor, release)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("ids", IDS)
def test_buckets_are_even(ids: Callable[[], Iterable[str]], release: str) -> None:
    hundredths = (bucket(it, release) * BINS // BUCKETS for it in ids())
    assert chi_square(hundredths, BINS) < LIMIT


def tenths_in_two_releases(ids: Iterable[str], hashed: Callable[[str, str], int]) -> Iterable[int]:
    one, other = RELEASES[1:]
    return (
        10 * (hashed(it, one) * 10 // BUCKETS) + hashed(it, other) * 10 // BUCKETS for it in ids
    )


@pytest.mark.parametrize("ids", IDS)
def test_who_is_first_in_one_release_is_anywhere_in_the_next(
    ids: Callable[[], Iterable[str]],
) -> None:
    assert chi_square(tenths_in_two_releases(ids(), bucket), BINS) < LIMIT


def test_hashed_once_the_same_visitors_would_be_first_again() -> None:
    """Why it is hashed twice."""
    cells = tenths_in_two_releases(sequential(), lambda it, release: fnv1a(release + it) % BUCKETS)
    assert chi_square(cells, BINS) > 2 * LIMIT


def test_a_higher_share_only_adds_browsers() -> None:
    for share in range(100):
        before = {it for it in range(BUCKETS) if on_canary(it, share)}
        after = {it for it in range(BUCKETS) if on_canary(it, share + 1)}
        assert len(before) == share * BUCKETS / 100
        assert before < after


def test_other_characters_than_ascii_are_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        fnv1a("ü")
