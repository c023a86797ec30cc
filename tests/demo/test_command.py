"""`lockstep demo` as it is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from webhook.demo import scenarios

FAST = ["success", "pre-rollout-refused", "deleted-revert", "step-promotion"]


def demo(
    *arguments: str, code: int = 0, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "webhook", "demo", *arguments],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "120", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_the_list_says_what_each_scenario_shows() -> None:
    lines = demo("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(scenarios.paths())
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scenario", "sucess"], "no scenario sucess; `lockstep demo --list` shows them all"),
        (["--speed", "0"], "--speed 0: not a number above 0"),
        (["--speed", "fast"], "--speed fast: not a number above 0"),
        (["--speed", "nan"], "--speed nan: not a number above 0"),
        (["--recording", "/nowhere.jsonl"], "/nowhere.jsonl: No such file or directory"),
        (["--hooks", "none"], "invalid choice: 'none'"),
    ],
)
def test_bad_usage_starts_nothing(arguments: list[str], complaint: str) -> None:
    done = demo(*arguments, code=2)
    assert complaint in done.stderr
    assert done.stdout == ""


def test_a_bad_row_of_a_recording_starts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"type": "object"}\n')
    done = demo("--recording", str(path), code=2)
    assert f"{path}:1: verb is None" in done.stderr
    assert done.stdout == ""


def test_one_canary_is_not_played_twice(tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_text(scenarios.paths()["success"].read_text())
    done = demo("--scenario", "success", "--recording", str(copy), code=2)
    assert "success and copy both write" in done.stderr


def test_without_rich_the_demo_says_what_to_install() -> None:
    script = "import sys; sys.modules['rich'] = None; from webhook.cli import main; main(['demo'])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install 'lockstep-webhook[demo]'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("hooks", ["all", "minimal"])
def test_the_law_is_kept_in_recorded_rollouts(hooks: str) -> None:
    chosen = [word for name in FAST for word in ("--scenario", name)]
    # What the caller's environment says of a Lockstep or a cluster must not matter.
    foreign = {
        "LOCKSTEP_OBSERVE": "true",
        "KUBERNETES_SERVICE_HOST": "192.0.2.1",
        "HTTP_PROXY": "http://192.0.2.1:3128",
    }
    done = demo("--hooks", hooks, "--speed", "100", *chosen, environment=foreign)
    assert "✓ The law was kept in 4 scenarios" in done.stdout
    assert "Lockstep logged" not in done.stdout
