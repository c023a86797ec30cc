"""The client layer's files fit together, and the docs say what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from webhook.cohort import BUCKETS

ROOT = Path(__file__).parents[2]
FRONTEND = ROOT / "frontend"
DOCS = (ROOT / "docs/frontend.md").read_text()
TEMPLATE = (FRONTEND / "nginx/frontend.conf.template").read_text()
DOCKERFILE = (FRONTEND / "Dockerfile").read_text()
TYPES = (FRONTEND / "loader/loader.d.ts").read_text()


def source(name: str) -> str:
    return (FRONTEND / "loader" / f"{name}.js").read_text()


def needed() -> set[str]:
    return set(re.findall(r"\$\{(\w+)\}", TEMPLATE))


def baked() -> set[str]:
    return set(re.findall(r"^(?:ENV| {4}) ?(\w+)=", DOCKERFILE, re.MULTILINE))


def deployed() -> set[str]:
    text = (ROOT / "manifests/frontend/base/deployment.yaml").read_text()
    (container,) = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"]
    return {it["name"] for it in container["env"]}


def test_the_image_and_the_deployment_set_what_the_template_needs() -> None:
    assert needed() == {it for it in baked() | deployed() if "NGINX" not in it} | {
        "NGINX_LOCAL_RESOLVERS"
    }


def test_the_entry_point_fills_in_what_the_template_needs_and_nothing_of_nginx() -> None:
    (pattern,) = re.findall(r'NGINX_ENVSUBST_FILTER="(.*)"', DOCKERFILE)
    assert all(re.search(pattern, name) for name in needed())


def test_everything_that_nginx_writes_is_in_tmp() -> None:
    written = r"(?:pid|_temp_path|proxy_cache_path|listen unix:|include) ?(/\S+?)[ ;]"
    main = (FRONTEND / "nginx/nginx.conf").read_text()
    paths = re.findall(written, main + TEMPLATE)
    assert len(paths) > 6
    assert {it.split("/")[1] for it in paths} == {"tmp", "etc"}
    assert [it for it in paths if it.startswith("/etc/")] == ["/etc/nginx/mime.types"]


def test_the_entry_point_of_the_image_runs_every_script() -> None:
    scripts = sorted((FRONTEND / "nginx").glob("*.sh"))
    assert scripts
    for script in scripts:
        assert f"COPY --chmod=755 nginx/{script.name} /docker-entrypoint.d/" in DOCKERFILE


def test_the_nginx_variables_are_documented() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS, re.MULTILINE))
    assert documented == needed() - {"NGINX_LOCAL_RESOLVERS"}


def section(title: str) -> str:
    return DOCS.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_options_are_documented() -> None:
    interface = TYPES.split("interface LockstepOptions {")[1].split("\n}")[0]
    options = re.findall(r"^  (\w+)\?: string;", interface, re.MULTILINE)
    assert re.findall(r"^\| `data-(\w+)` \|", DOCS, re.MULTILINE) == options
    for default in re.findall(r'"(/[^"]+)"', source("options")):
        assert f"`{default}`" in section("The loader")


def test_the_members_of_the_object_are_documented() -> None:
    interface = TYPES.split("interface Lockstep {")[1].split("\n}")[0]
    members = re.findall(r"^  (\w+): ", interface, re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \| `", section("The loader"), re.MULTILINE) == members


@pytest.mark.parametrize("event", ["cohort", "kill", "problem"])
def test_the_events_are_documented(event: str) -> None:
    assert f'"lockstep:{event}"' in TYPES
    assert f"| `lockstep:{event}` |" in DOCS


def test_the_cookies_are_documented() -> None:
    names = re.findall(r'export const \w+ = "([a-z-]+)";', source("cookies"))
    assert re.findall(r"^\| `(lockstep[a-z-]*)` \|", DOCS, re.MULTILINE) == names


TIMES = [
    ("asking", "PATIENCE = 300;", "300 ms"),
    ("main", "PATIENCE = 4000;", "4 s"),
    ("memory", "LIFE = 60000;", "60 s"),
    ("watching", "EVERY = 45000;", "45 s"),
]


@pytest.mark.parametrize(("name", "code", "words"), TIMES)
def test_the_times_are_documented_as_they_are(name: str, code: str, words: str) -> None:
    assert code in source(name)
    assert words in DOCS


def test_both_sides_have_as_many_buckets() -> None:
    assert f"% {BUCKETS}" in source("bucket")


def test_the_size_is_held_where_the_docs_say() -> None:
    build = (FRONTEND / "build-loader.mjs").read_text()
    assert "const LIMIT = 2000;" in build
    assert "2 kB" in DOCS


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (FRONTEND / "package-lock.json").read_text()
