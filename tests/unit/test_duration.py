import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("0s", 0),
        ("500ms", 0.5),
        ("1m", 60),
        ("1m30s", 90),
        ("1.5m", 90),
        ("2h", 7200),
        ("1h1m1s1ms", 3661.001),
        ("2562047h", 2562047 * 3600),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert duration.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "10 s",
        " 10s",
        "10s ",
        "10s\n",
        "-10s",
        "1d",
        "10S",
        ".s",
        "1,5s",
        "1e1s",
        "٣s",
    ],
)
def test_anything_else_is_refused_and_told_what_a_duration_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match=r"no duration; write for example 500ms, 10s or 1m30s"):
        duration.seconds(text)


@pytest.mark.parametrize("text", ["2562048h", "9223372037s", "9" * 400 + "s"])
def test_a_duration_longer_than_go_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        duration.seconds(text)


@given(st.integers(0, 99), st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int, ms: int) -> None:
    total = hours * 3600 + minutes * 60 + seconds + ms / 1000
    assert duration.seconds(f"{hours}h{minutes}m{seconds}s{ms}ms") == pytest.approx(total)


@given(st.text("0123456789.msh", max_size=8))
def test_a_text_is_a_duration_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert duration.seconds(text) >= 0
