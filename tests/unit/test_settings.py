import pytest

from webhook import settings
from webhook.settings import Bind, Settings, SettingsError


def test_without_any_variable_the_defaults_of_the_design_hold() -> None:
    assert settings.load({}) == Settings()
    assert settings.load({}).hooks_bind == Bind("0.0.0.0", 8080)
    assert (settings.load({}).hook_deadline, settings.load({}).flux_patience) == (3.0, 2.0)


VALID = [
    ("LOCKSTEP_HOOKS_BIND", "127.0.0.1:9", "hooks_bind", Bind("127.0.0.1", 9)),
    ("LOCKSTEP_HOOKS_BIND", ":8080", "hooks_bind", Bind("0.0.0.0", 8080)),
    ("LOCKSTEP_READ_BIND", "[::1]:8081", "read_bind", Bind("::1", 8081)),
    ("LOCKSTEP_HOOK_DEADLINE", "2500ms", "hook_deadline", 2.5),
    ("LOCKSTEP_HOOK_DEADLINE", "4", "hook_deadline", 4.0),
    ("LOCKSTEP_FLUX_PATIENCE", "1.5", "flux_patience", 1.5),
    ("LOCKSTEP_RESYNC", "1m30s", "resync", 90.0),
    ("LOCKSTEP_OBSERVE", "True", "observe", True),
    ("LOCKSTEP_LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("LOCKSTEP_NAMESPACE", "shop", "namespace", "shop"),
]


@pytest.mark.parametrize(("variable", "text", "field", "value"), VALID)
def test_a_setting_is_read(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(settings.load({variable: text}), field) == value


INVALID = [
    ("LOCKSTEP_HOOKS_BIND", "8080"),
    ("LOCKSTEP_HOOKS_BIND", "0.0.0.0:http"),
    ("LOCKSTEP_READ_BIND", "0.0.0.0:65536"),
    ("LOCKSTEP_HOOK_DEADLINE", "soon"),
    ("LOCKSTEP_HOOK_DEADLINE", "0"),
    ("LOCKSTEP_HOOK_DEADLINE", "nan"),
    ("LOCKSTEP_RESYNC", "2h"),
    ("LOCKSTEP_RESYNC", "-1s"),
    ("LOCKSTEP_OBSERVE", "yes"),
    ("LOCKSTEP_LOG_LEVEL", "loud"),
]


@pytest.mark.parametrize(("variable", "text"), INVALID)
def test_a_wrong_value_is_named_with_its_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable}: '{text}'"):
        settings.load({variable: text})


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load({"LOCKSTEP_OBSERVE": "maybe", "LOCKSTEP_RESYNC": "x", "LOCKSTEP_OBSERV": "1"})
    for variable in ("LOCKSTEP_OBSERVE:", "LOCKSTEP_RESYNC:", "LOCKSTEP_OBSERV is no setting"):
        assert variable in str(caught.value)


def test_a_patience_that_outlasts_every_hook_is_a_mistake() -> None:
    with pytest.raises(SettingsError, match="LOCKSTEP_FLUX_PATIENCE must be less than"):
        settings.load({"LOCKSTEP_FLUX_PATIENCE": "3s"})


def test_what_kubernetes_sets_for_a_service_named_lockstep_is_no_mistake() -> None:
    links = ("LOCKSTEP_SERVICE_HOST", "LOCKSTEP_SERVICE_PORT_HOOKS", "LOCKSTEP_PORT_80_TCP_ADDR")
    assert settings.load(dict.fromkeys(links, "10.0.0.1")) == Settings()


def test_the_token_is_never_shown() -> None:
    shown = settings.load({"LOCKSTEP_HOOK_TOKEN": "s3cret"}).masked()
    assert shown["LOCKSTEP_HOOK_TOKEN"] == "***"  # noqa: S105
    assert "s3cret" not in str(shown)
    assert "s3cret" not in repr(settings.load({"LOCKSTEP_HOOK_TOKEN": "s3cret"}))
