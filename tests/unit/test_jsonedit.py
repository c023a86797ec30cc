import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import jsonedit

NUMBER = "CANARY_PERCENTAGE"

names = st.text(max_size=8).filter(lambda name: name != NUMBER)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
finite = values.filter(lambda value: "Infinity" not in json.dumps(value))
space = st.text(" \t\n\r", max_size=3)


@st.composite
def configs(draw: st.DrawFn) -> tuple[str, str, str]:
    """A JSON object with the number in it: what stands before, the number, what stands after."""
    before, after = draw(st.dictionaries(names, finite)), draw(st.dictionaries(names, finite))
    after = {name: value for name, value in after.items() if name not in before}
    marker = 987654321012345678
    document = before | {NUMBER: marker} | after
    text = json.dumps(
        document,
        indent=draw(st.none() | st.integers(0, 4) | st.just("\t")),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,", "\t:\n")])),
    )
    head, _, tail = text.rpartition(str(marker))
    assert json.loads(head + "0" + tail).keys() == document.keys()
    return draw(space) + head, str(draw(st.integers(0, 100))), tail + draw(space)


@given(configs(), st.integers(0, 100))
def test_replacing_the_number_changes_the_numbers_characters_only(
    config: tuple[str, str, str], share: int
) -> None:
    before, number, after = config
    text = before + number + after

    span = jsonedit.members(text)[NUMBER]
    edited = jsonedit.replace(text, {span: str(share)})

    assert text[span.start : span.end] == number
    assert edited == f"{before}{share}{after}"
    assert json.loads(edited) == json.loads(text) | {NUMBER: share}
    assert list(json.loads(edited)) == list(json.loads(text))


@given(st.dictionaries(st.text(), finite), st.none() | st.integers(0, 4), st.booleans())
def test_every_member_is_found_where_its_value_stands(
    document: dict[str, object], indent: int | None, ensure_ascii: bool
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ensure_ascii)

    spans = jsonedit.members(text)

    found = {name: json.loads(text[span.start : span.end]) for name, span in spans.items()}
    assert found == document


@given(st.text() | finite.map(json.dumps))
def test_a_text_is_an_object_or_a_json_error(text: str) -> None:
    with contextlib.suppress(jsonedit.JsonError):
        assert set(jsonedit.members(text)) == set(json.loads(text))


@pytest.mark.parametrize(
    ("text", "changes", "edited"),
    [
        ('{"a":1,"b":2}', {"a": "10", "b": "20"}, '{"a":10,"b":20}'),
        ('{"a":1,"b":2}', {"b": "200", "a": "100"}, '{"a":100,"b":200}'),
        ('{"a":100,"b":"x"}', {"a": "0", "b": '"longer"'}, '{"a":0,"b":"longer"}'),
        ('{"a":1}', {}, '{"a":1}'),
    ],
)
def test_several_members_change_at_once(text: str, changes: dict[str, str], edited: str) -> None:
    spans = jsonedit.members(text)
    assert jsonedit.replace(text, {spans[name]: value for name, value in changes.items()}) == edited


@pytest.mark.parametrize(
    "text",
    [
        '{"FEATURE_FLAGS":{"CANARY_PERCENTAGE":7},"CANARY_PERCENTAGE":1}',
        '{"FEATURE_FLAGS":"{\\"CANARY_PERCENTAGE\\":7}","CANARY_PERCENTAGE":1}',
        '{"x":["CANARY_PERCENTAGE",{"CANARY_PERCENTAGE":7},"}"],"CANARY_PERCENTAGE":1}',
        '{"x":"\\\\\\"","CANARY_PERCENTAGE":1}',
        '{"CANARY_PERCENTAGE":1,"Infinity":"NaN","big":1e999}',
        '{"CANARY_PERCENTAG\\u0045":1}',
        '{"canary_percentage":7,"CANARY_PERCENTAGE ":7,"CANARY_PERCENTAGE":1}',
        '{"x":{"a":1,"a":2},"CANARY_PERCENTAGE":1}',
    ],
)
def test_only_the_top_level_member_counts(text: str) -> None:
    span = jsonedit.members(text)[NUMBER]
    assert text[span.start : span.end] == "1"


@pytest.mark.parametrize(
    "text",
    [
        '{"CANARY_PERCENTAGE":1,"CANARY_PERCENTAGE":1}',
        '{"CANARY_PERCENTAGE":1,"x":{},"CANARY_PERCENTAG\\u0045":2}',
        '{"\\u0043ANARY_PERCENTAGE":1,\n"CANARY_PERCENTAGE":2}',
    ],
)
def test_a_member_that_stands_twice_is_named(text: str) -> None:
    with pytest.raises(jsonedit.JsonError, match="member 'CANARY_PERCENTAGE' stands in it twice"):
        jsonedit.members(text)


def test_a_message_can_be_printed_whatever_the_member_is_called() -> None:
    with pytest.raises(jsonedit.JsonError) as refused:
        jsonedit.members('{"\\ud800":1,"\\ud800":2}')
    assert str(refused.value).encode() == rb"member '\ud800' stands in it twice"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ('{"a":1', "not valid JSON"),
        ('{"a":1,}', "not valid JSON"),
        ('{"a":1} x', "not valid JSON"),
        ("{'a':1}", "not valid JSON"),
        ('{"a":01}', "not valid JSON"),
        ('{"a":٣}', "not valid JSON"),
        ('{"a":1} // why', "not valid JSON"),
        ("\ufeff{}", "not valid JSON"),
        ('{"a":NaN}', "not valid JSON: it holds NaN"),
        ('{"a":[-Infinity]}', "not valid JSON: it holds -Infinity"),
        ('{"a":${CANARY_PERCENTAGE}}', "not valid JSON"),
        ("[]", "holds a list, not an object"),
        ('"x"', "holds a str, not an object"),
        ("1", "holds a int, not an object"),
        ("null", "holds a NoneType, not an object"),
        ("[" * 100_000, "not valid JSON: maximum recursion depth"),
        ('{"a":' * 100_000, "not valid JSON: maximum recursion depth"),
        ('{"a":' + "9" * (sys.get_int_max_str_digits() + 1) + "}", "not valid JSON: Exceeds"),
    ],
    ids=lambda text: text[:20],
)
def test_a_text_that_is_no_json_object_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(jsonedit.JsonError, match=problem):
        jsonedit.members(text)
