"""How long a watch pauses before it asks again."""

import pytest

from webhook.reflector import Pace

PACE = Pace()
DOUBLED = [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
"""Seconds, by how often it was in vain before."""


def pauses() -> list[float]:
    return [PACE.pause(before, PACE.last_pause) for before in range(len(DOUBLED))]


@pytest.mark.parametrize(("before", "full"), list(enumerate(DOUBLED)))
def test_a_pause_doubles_and_is_shortened_by_up_to_a_half(before: int, full: float) -> None:
    drawn = [PACE.pause(before, PACE.last_pause) for _ in range(1000)]
    assert full / 2 <= min(drawn) < full * 0.55
    assert full * 0.95 < max(drawn) <= full


def test_two_watches_do_not_come_back_at_the_same_moments() -> None:
    one, other = pauses(), pauses()
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_however_often_it_was_in_vain_a_pause_stays_bounded() -> None:
    assert PACE.pause(10**6, PACE.rare_pause) <= PACE.rare_pause
