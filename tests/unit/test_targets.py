import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook import targets
from webhook.fields import FieldError
from webhook.kinds import Name
from webhook.targets import BrokenTarget, Ceiling, Mode, Target

KEY = "CANARY_PERCENTAGE"
shares = st.integers(0, 100)


def config_map(
    data: object = None, annotations: object = None, **fields: object
) -> dict[str, object]:
    metadata = {"namespace": "shop", "name": "settings", "resourceVersion": "7"}
    return {"metadata": metadata | {"annotations": annotations}, "data": data} | fields


def config_json(text: str) -> dict[str, object]:
    return config_map({"config.json": text})


def target(obj: dict[str, object]) -> Target:
    parsed = targets.parse(obj)
    assert isinstance(parsed, Target), parsed
    return parsed


def patched_data(obj: dict[str, object], share: int, release: str) -> dict[str, str]:
    data = targets.merge_patch(target(obj), share, release, None).get("data", {})
    assert isinstance(data, dict)
    return data


def problem(obj: dict[str, object]) -> str:
    parsed = targets.parse(obj)
    assert isinstance(parsed, BrokenTarget), parsed
    assert parsed.name == Name("shop", "settings")
    return parsed.problem


@pytest.mark.parametrize("share", [0, 1, 9, 10, 25, 99, 100])
@pytest.mark.parametrize(
    "layout", ['{"CANARY_PERCENTAGE":%d}', '{\n\t"CANARY_PERCENTAGE" : %d\r\n}\n']
)
def test_the_share_is_the_member_of_a_json_key(share: int, layout: str) -> None:
    assert target(config_json(layout % share)).share == share


@pytest.mark.parametrize("share", [0, 1, 9, 10, 25, 99, 100])
@pytest.mark.parametrize("layout", ["%d", "%d\n", " %d", "\t%d \r\n"])
def test_the_share_is_the_whole_of_any_other_key(share: int, layout: str) -> None:
    assert target(config_map({KEY: layout % share})).share == share


@pytest.mark.parametrize(
    "value",
    ['"25"', "25.0", "150", "101", "-1", "-0", "true", "false", "null", "1e1", "[25]", "{}",
     '"\\ud800"'],
)  # fmt: skip
def test_a_member_that_is_no_percentage_is_named(value: str) -> None:
    said = problem(config_json(f'{{"CANARY_PERCENTAGE": {value}}}'))
    assert said == f"config.json: {KEY} is {value}, not a whole number from 0 to 100"
    assert said.encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"CANARY_PERCENTAGE":NaN}', "config.json: it is not valid JSON: it holds NaN"),
        ('{"CANARY_PERCENTAGE":Infinity}', "config.json: it is not valid JSON: it holds Infinity"),
        ('{"CANARY_PERCENTAGE":025}', "config.json: it is not valid JSON: "),
        ('{"CANARY_PERCENTAGE":}', "config.json: it is not valid JSON: "),
        ('{"CANARY_PERCENTAGE":${CANARY_PERCENTAGE}}', "config.json: it is not valid JSON: "),
        ('{"CANARY_PERCENTAGE":25', "config.json: it is not valid JSON: "),
        ("[" * 100_000, "config.json: it is not valid JSON: "),
        ("[25]", "config.json: it holds a list, not an object"),
        ("25", "config.json: it holds a int, not an object"),
        ("{}", "config.json has no member CANARY_PERCENTAGE"),
        ('{"x":{"CANARY_PERCENTAGE":25}}', "config.json has no member CANARY_PERCENTAGE"),
        ('{"canary_percentage":25}', "config.json has no member CANARY_PERCENTAGE"),
        (
            '{"CANARY_PERCENTAGE":25,"CANARY_PERCENTAGE":25}',
            "config.json: member 'CANARY_PERCENTAGE' stands in it twice",
        ),
        (
            '{"CANARY_PERCENTAGE":25,"CANARY_PERCENTAG\\u0045":30}',
            "config.json: member 'CANARY_PERCENTAGE' stands in it twice",
        ),
        ('{"CANARY_PERCENTAGE":25,"a":1,"a":1}', "config.json: member 'a' stands in it twice"),
        (
            '{"CANARY_PERCENTAGE":25,"CANARY_RELEASE":7}',
            "config.json: CANARY_RELEASE is 7, not a string",
        ),
        (
            '{"CANARY_PERCENTAGE":25,"CANARY_RELEASE":null}',
            "config.json: CANARY_RELEASE is None, not a string",
        ),
    ],
    ids=lambda text: text[:45],
)
def test_a_json_text_without_one_share_is_reported(text: str, said: str) -> None:
    assert problem(config_json(text)).startswith(said)


@pytest.mark.parametrize(
    "text",
    ["", " ", "25%", "25.0", "150", "-1", "+5", "007", "1e1", "NaN", "true", "null", '"25"', "2 5",
     "10 20", "1٣", "٢٥", "0x10", "${CANARY_PERCENTAGE}", "9" * 5000],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_bare_text_that_is_no_percentage_is_named(text: str) -> None:
    assert problem(config_map({KEY: text})) == (
        f"{KEY} is {text!r}, not a whole number from 0 to 100"
    )


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (config_map(), "it has no data key CANARY_PERCENTAGE (there: none)"),
        (config_map({}), "it has no data key CANARY_PERCENTAGE (there: none)"),
        (
            config_map(binaryData={"config.json": "eyJDQU5BUllfUEVSQ0VOVEFHRSI6MjV9"}),
            "it has no data key CANARY_PERCENTAGE (there: none)",
        ),
        (
            config_map({"a": "1", "b": "2"}),
            "it has no data key CANARY_PERCENTAGE (there: a, b)",
        ),
        (
            config_map({KEY: "1"}, {"lockstep/key": "settings.json"}),
            "it has no data key settings.json (there: CANARY_PERCENTAGE)",
        ),
        (
            config_map({KEY: "1"}, immutable=True),
            "it is immutable; re-create it without `immutable: true`",
        ),
        (
            config_map({KEY: "1"}, {"lockstep/mode": "read"}),
            "annotation lockstep/mode is 'read', neither write nor verify",
        ),
        (
            config_map({KEY: "1"}, {"lockstep/mode": "Write"}),
            "annotation lockstep/mode is 'Write', neither write nor verify",
        ),
        (
            config_map({KEY: "1"}, {"lockstep/mode": ""}),
            "annotation lockstep/mode is '', neither write nor verify",
        ),
        (config_map({KEY: 25}), "CANARY_PERCENTAGE is 25, not a string"),
        (config_map([KEY]), "data is ['CANARY_PERCENTAGE'], not a map"),
        (config_map({KEY: "1"}, "x"), "metadata.annotations is 'x', not a map"),
        (config_map({KEY: "1"}, {"lockstep/mode": 1}), "lockstep/mode is 1, not a string"),
    ],
)
def test_a_config_map_that_lockstep_must_not_touch_is_reported(
    obj: dict[str, object], said: str
) -> None:
    assert problem(obj) == said


@pytest.mark.parametrize("immutable", [None, False])
def test_a_mutable_config_map_may_say_so(immutable: bool | None) -> None:
    assert target(config_map({KEY: "1"}, immutable=immutable)).share == 1


def test_a_config_map_without_a_version_cannot_be_written_to() -> None:
    versionless: dict[str, object] = {
        "metadata": {"namespace": "shop", "name": "settings"},
        "data": {KEY: "1"},
    }
    assert problem(versionless) == "metadata.resourceVersion is missing"


@pytest.mark.parametrize("metadata", [None, {}, {"name": "settings"}, {"namespace": "shop"}])
def test_what_has_no_name_is_no_object_of_kubernetes(metadata: object) -> None:
    with pytest.raises(FieldError, match=r"metadata\.name(space)? is missing"):
        targets.parse({"metadata": metadata, "data": {KEY: "1"}})


@pytest.mark.parametrize(
    ("data", "annotations", "key", "share"),
    [
        ({KEY: "1"}, None, KEY, 1),
        ({KEY: "1"}, {"lockstep/key": ""}, KEY, 1),
        ({KEY: "1", "config.json": '{"CANARY_PERCENTAGE":2}'}, None, "config.json", 2),
        ({KEY: "1", "config.json": "no JSON"}, {"lockstep/key": KEY}, KEY, 1),
        ({"app.json": '{"CANARY_PERCENTAGE":3}'}, {"lockstep/key": "app.json"}, "app.json", 3),
        ({"SHARE": "4"}, {"lockstep/key": "SHARE"}, "SHARE", 4),
        ({"app.json5": "5"}, {"lockstep/key": "app.json5"}, "app.json5", 5),
    ],
)
def test_the_key_is_the_annotated_one_else_config_json_else_the_variable(
    data: dict[str, str], annotations: object, key: str, share: int
) -> None:
    parsed = target(config_map(data, annotations))
    assert (parsed.key, parsed.share, parsed.text) == (key, share, data[key])


@pytest.mark.parametrize(
    ("annotations", "mode"),
    [
        (None, Mode.WRITE),
        ({}, Mode.WRITE),
        ({"lockstep/mode": "write"}, Mode.WRITE),
        ({"lockstep/mode": "verify"}, Mode.VERIFY),
    ],
)
def test_a_target_is_written_unless_it_is_there_to_be_verified(
    annotations: object, mode: Mode
) -> None:
    assert target(config_map({KEY: "1"}, annotations)).mode is mode
    broken = targets.parse(config_map({KEY: "x"}, annotations))
    assert isinstance(broken, BrokenTarget)
    assert broken.mode is mode


def test_a_target_whose_mode_is_unknown_has_none() -> None:
    parsed = targets.parse(config_map({KEY: "1"}, {"lockstep/mode": "read"}))
    assert isinstance(parsed, BrokenTarget)
    assert parsed.mode is None


def test_a_target_says_where_it_came_from() -> None:
    parsed = target(config_map({KEY: "1"}))
    assert (parsed.name, parsed.version) == (Name("shop", "settings"), "7")


@pytest.mark.parametrize(
    ("data", "share", "release", "written"),
    [
        ({KEY: "0"}, 25, "", {KEY: "25"}),
        ({KEY: "100"}, 25, "", {KEY: "25"}),
        ({KEY: "100"}, 0, "", {KEY: "0"}),
        ({KEY: " 10\n"}, 100, "", {KEY: " 100\n"}),
        ({KEY: "0"}, 25, "abc", {KEY: "25"}),
        ({KEY: "0", "CANARY_RELEASE": "old"}, 25, "", {KEY: "25"}),
        (
            {KEY: "0", "CANARY_RELEASE": "old", "X": "1"},
            25,
            "new",
            {KEY: "25", "CANARY_RELEASE": "new"},
        ),
        (
            {"config.json": '{ "CANARY_PERCENTAGE": 100 }\n', "X": "1"},
            5,
            "new",
            {"config.json": '{ "CANARY_PERCENTAGE": 5 }\n'},
        ),
        (
            {"config.json": '{"CANARY_RELEASE":"old","CANARY_PERCENTAGE":5}'},
            10,
            "",
            {"config.json": '{"CANARY_RELEASE":"old","CANARY_PERCENTAGE":10}'},
        ),
        (
            {"config.json": '{"CANARY_RELEASE":"old","CANARY_PERCENTAGE":5}'},
            10,
            "a longer one",
            {"config.json": '{"CANARY_RELEASE":"a longer one","CANARY_PERCENTAGE":10}'},
        ),
        (
            {"config.json": '{"CANARY_PERCENTAGE":5,"CANARY_RELEASE":""}', "CANARY_RELEASE": "x"},
            10,
            'q"',
            {"config.json": '{"CANARY_PERCENTAGE":10,"CANARY_RELEASE":"q\\""}'},
        ),
    ],
)
def test_a_write_holds_the_new_number_and_a_release_that_is_there(
    data: dict[str, str], share: int, release: str, written: dict[str, str]
) -> None:
    assert patched_data(config_map(data), share, release) == written


@pytest.mark.parametrize("data", [{KEY: " 25"}, {"config.json": '{"CANARY_PERCENTAGE":25}'}])
def test_a_number_that_stays_is_not_written_nor_is_a_release(data: dict[str, str]) -> None:
    obj = config_map(data | {"CANARY_RELEASE": "old"})
    assert targets.merge_patch(target(obj), 25, "new", None) == {
        "metadata": {"resourceVersion": "7"}
    }


def test_a_release_is_never_written_over_the_number() -> None:
    odd = config_map({"CANARY_RELEASE": "5"}, {"lockstep/key": "CANARY_RELEASE"})
    assert patched_data(odd, 10, "new") == {"CANARY_RELEASE": "10"}


BARE = st.builds("{}%d{}".format, st.text(" \t\r\n", max_size=3), st.text(" \t\r\n", max_size=3))
LAYOUTS = BARE | st.sampled_from(
    [
        '{"CANARY_PERCENTAGE":%d,"x":"é"}',
        '{"x":100,"CANARY_RELEASE":"r", "CANARY_PERCENTAGE" : %d }\n',
        '{"y":{"CANARY_PERCENTAGE":100},"CANARY_PERCENTAG\\u0045":%d,"CANARY_RELEASE":""}',
    ]
)


@given(shares, shares, LAYOUTS)
def test_only_the_number_changes_and_it_is_read_back(before: int, after: int, layout: str) -> None:
    key = "config.json" if layout.startswith("{") else KEY
    data = {key: layout % before, "CANARY_RELEASE": "r", "X": "100"}

    written = data | patched_data(config_map(data), after, "")

    assert written == data | {key: layout % after}
    assert target(config_map(written)).share == after


@given(shares, st.integers(0, 99), st.text(min_size=1))
def test_a_release_is_read_back_as_it_was_given(before: int, after: int, release: str) -> None:
    after = 100 if after == before else after
    for data in (
        {KEY: str(before), "CANARY_RELEASE": "r"},
        {"config.json": f'{{"CANARY_RELEASE":"r","CANARY_PERCENTAGE":{before}}}'},
    ):
        read = target(config_map(data | patched_data(config_map(data), after, release)))
        assert (read.share, read.release_text) == (after, release)


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9)), st.text())
def test_any_config_map_is_a_target_or_a_broken_one(data: dict[str, str], text: str) -> None:
    for key in (KEY, "config.json"):
        targets.parse(config_map(data | {key: text}, data | {"lockstep/ceiling": text}))


# --- ceilings

NOON = "2026-11-23T12:00:00.250+00:00"
CEILING = {"value": 10, "written": NOON, "announced": "2026-11-23T11:59:59Z"}


def with_ceiling(text: str | None) -> Target:
    return target(config_map({KEY: "5"}, {"lockstep/ceiling": text} if text is not None else {}))


def test_a_ceiling_is_read_with_both_clocks() -> None:
    parsed = with_ceiling(json.dumps(CEILING))
    assert parsed.ceiling == Ceiling(value=10, written=1795435200.25, announced=1795435199)
    assert parsed.has_ceiling


def test_no_annotation_is_no_ceiling() -> None:
    parsed = with_ceiling(None)
    assert parsed.ceiling is None
    assert not parsed.has_ceiling


def test_a_ceiling_is_written_so_that_a_person_can_read_it() -> None:
    written = targets.dump_ceiling(Ceiling(0, 1795435200.25, 1795435199))
    assert json.loads(written) == {
        "value": 0,
        "written": "2026-11-23T12:00:00.250+00:00",
        "announced": "2026-11-23T11:59:59.000+00:00",
    }


@pytest.mark.parametrize("share", [5, 6])
@pytest.mark.parametrize(
    ("annotations", "ceiling", "written"),
    [
        ({}, None, {}),
        (
            {},
            Ceiling(0, 1, 1),
            {"annotations": {targets.CEILING: targets.dump_ceiling(Ceiling(0, 1, 1))}},
        ),
        ({targets.CEILING: "x"}, None, {"annotations": {targets.CEILING: None}}),
        ({targets.CEILING: json.dumps(CEILING)}, None, {"annotations": {targets.CEILING: None}}),
        ({targets.MODE: "verify"}, Ceiling(0, 1, 1), {}),
        ({targets.MODE: "verify", targets.CEILING: "x"}, None, {}),
    ],
)
def test_a_ceiling_goes_onto_what_lockstep_writes_and_comes_off_again(
    annotations: dict[str, str], ceiling: Ceiling | None, written: dict[str, object], share: int
) -> None:
    patch = targets.merge_patch(target(config_map({KEY: "5"}, annotations)), share, "", ceiling)
    assert patch["metadata"] == {"resourceVersion": "7"} | written
    assert ("data" in patch) == (share == 6)


@given(shares, st.floats(0, 4e9), st.floats(0, 4e9))
def test_a_ceiling_survives_the_annotation_to_the_millisecond(
    value: int, written: float, announced: float
) -> None:
    read = with_ceiling(targets.dump_ceiling(Ceiling(value, written, announced))).ceiling
    assert read is not None
    assert read.value == value
    assert read.written == pytest.approx(written, abs=0.0011)
    assert read.announced == pytest.approx(announced, abs=0.0011)


@given(st.integers(0, 10**14 - 1))
@example(29_631_255_822_335)
def test_a_time_of_flaggers_is_read_back_as_it_was(milliseconds: int) -> None:
    """Else the announcement that set a ceiling looks newer than its own ceiling, for ever."""
    announced = milliseconds / 1000
    read = with_ceiling(targets.dump_ceiling(Ceiling(0, 0, announced))).ceiling
    assert read == Ceiling(0, 0, announced)


def changed(**members: object) -> str:
    return json.dumps(CEILING | members)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "10",
        "[]",
        "{}",
        "{",
        "[" * 100_000,
        changed(value=None),
        changed(value="10"),
        changed(value=10.0),
        changed(value=True),
        changed(value=-1),
        changed(value=101),
        changed(value=10**4000),
        changed(value=float("nan")),
        changed(value=10).replace("10,", "1e400,"),
        changed(value=10).replace("10,", "9" * 5000 + ","),
        changed(written=None),
        changed(written=1795435200),
        changed(written=float("nan")),
        changed(written="NaN"),
        changed(written="noon"),
        changed(written="2026-11-23"),
        changed(written="2026-11-23T12:00:00"),
        changed(announced="0001-01-01T00:00:00"),
        changed(announced="2026-13-23T12:00:00Z"),
        changed(announced="2026-11-23T12:00:00+99:00"),
        changed(announced=""),
        changed(announced="\ud800"),
    ],
    ids=lambda text: text[:40],
)
def test_a_ceiling_that_somebody_broke_bounds_nothing_and_is_still_noticed(text: str) -> None:
    parsed = with_ceiling(text)
    assert parsed.share == 5
    assert parsed.ceiling is None
    assert parsed.has_ceiling


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_time_are_times(time: str) -> None:
    assert with_ceiling(changed(written=time)).ceiling
