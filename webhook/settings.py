"""Every setting, declared once; `docs/settings.md` shows the same table."""

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from webhook import duration
from webhook.canary import MeshDefaults


class SettingsError(ValueError):
    """A setting has no valid value; the message names each one and says what to write."""


@dataclass(frozen=True, slots=True)
class Bind:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _bind(text: str) -> Bind:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004 - ports end there
        raise ValueError(f"{text!r} is no address; write for example 0.0.0.0:8080")
    return Bind(host.strip("[]") or "0.0.0.0", int(port))


def _seconds(text: str) -> float:
    value = float(text) if text.replace(".", "", 1).isdecimal() else duration.seconds(text)
    if not 0.1 <= value <= 3600:  # noqa: PLR2004 - a bound against typing errors
        raise ValueError(f"{text!r} is not between 100ms and 1h")
    return value


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _level(text: str) -> str:
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    if text.upper() not in levels:
        raise ValueError(f"{text!r} is none of {', '.join(levels)}")
    return text.upper()


def _setting(default: str, parse: Callable[[str], object], text: str, *, shown: bool = True) -> Any:
    metadata = {"default": default, "parse": parse, "text": text}
    return field(default=parse(default), metadata=metadata, repr=shown)


@dataclass(frozen=True)
class Settings:
    """What the environment says, checked; durations are seconds."""

    hooks_bind: Bind = _setting("0.0.0.0:8080", _bind, "Where Flagger's hooks are served.")
    read_bind: Bind = _setting(
        "0.0.0.0:8081", _bind, "Where `/healthz`, `/readyz` and `/metrics` are served."
    )
    config_bind: Bind = _setting(
        "0.0.0.0:8082", _bind, "Where `serve-config` answers browsers (through nginx)."
    )
    namespace: str = _setting(
        "", str, "The one namespace to watch, like Flagger's `-namespace`; empty: all."
    )
    mesh_provider: str = _setting(
        "istio", str, "Provider of a Canary that names none, like Flagger's `-mesh-provider`."
    )
    ingress_annotations_prefix: str = _setting(
        "nginx.ingress.kubernetes.io", str, "Like Flagger's `-ingress-annotations-prefix`."
    )
    hook_deadline: float = _setting(
        "3s", _seconds, "Time for a whole hook; less than the hook's `timeout` in the Canary."
    )
    flux_patience: float = _setting(
        "2s", _seconds, "How long Flux may take to render a lowering before Lockstep writes it."
    )
    resync: float = _setting(
        "60s", _seconds, "How often every canary is looked at anyway; no more than two a second."
    )
    hook_token: str = _setting(
        "", str, "What `metadata.token` of every hook must be; empty: not checked.", shown=False
    )
    observe: bool = _setting("false", _flag, "Write nothing and refuse nothing; measure and log.")
    log_level: str = _setting("INFO", _level, "DEBUG, INFO, WARNING or ERROR.")

    @property
    def mesh(self) -> MeshDefaults:
        """What Flagger's own flags say."""
        return MeshDefaults(self.mesh_provider, self.ingress_annotations_prefix)

    def masked(self) -> dict[str, str]:
        """Each variable with its value as it may be shown: the token is not."""
        shown = {_variable(it): str(getattr(self, it.name)) for it in fields(self)}
        return shown | {"LOCKSTEP_HOOK_TOKEN": "***" if self.hook_token else ""}


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in the environment.

    Raises:
        SettingsError: values are wrong, or a variable LOCKSTEP_… is none of ours.
    """
    values: dict[str, Any] = {}
    known = {_variable(it): it for it in fields(Settings)}
    problems = [
        f"{name} is no setting; known: {', '.join(known)}"
        for name in environment
        if name.startswith("LOCKSTEP_") and name not in known and not _service_link(name)
    ]
    for name in known.keys() & environment.keys():
        try:
            values[known[name].name] = known[name].metadata["parse"](environment[name])
        except ValueError as error:
            problems.append(f"{name}: {error}")
    settings = Settings(**values)
    if settings.flux_patience >= settings.hook_deadline:
        problems.append(
            "LOCKSTEP_FLUX_PATIENCE must be less than LOCKSTEP_HOOK_DEADLINE, "
            "or no hook could write in Flux's place"
        )
    if problems:
        raise SettingsError("; ".join(sorted(problems)))
    return settings


def table() -> str:
    """The settings as the Markdown table of `docs/settings.md`."""
    rows = [
        f"| `{_variable(it)}` | {_default(it)} | {it.metadata['text']} |" for it in fields(Settings)
    ]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows]) + "\n"


def listing() -> str:
    """The settings for a terminal: each with its default, and what it is for below."""
    texts = (it.metadata["text"].replace("`", "") for it in fields(Settings))
    heads = (f"  {_variable(it)} ({it.metadata['default'] or 'empty'})" for it in fields(Settings))
    return "\n".join(f"{head}\n      {text}" for head, text in zip(heads, texts, strict=True))


def _variable(setting: Field[Any]) -> str:
    return f"LOCKSTEP_{setting.name.upper()}"


def _default(setting: Field[Any]) -> str:
    default = setting.metadata["default"]
    return f"`{default}`" if default else "empty"


def _service_link(name: str) -> bool:
    """Whether Kubernetes itself set it: each Service called lockstep… gives a pod such ones."""
    return any(part in name for part in ("_SERVICE_", "_PORT"))
