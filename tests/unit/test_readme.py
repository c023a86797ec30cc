import re

import pytest

from tests.markdown import README, ROOT, blocks

TEXT = README.read_text()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_exist(target: str) -> None:
    assert f"make {target}" in "".join(blocks(TEXT, "sh"))
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_kubectl_applies_folders_that_exist() -> None:
    folders = re.findall(r"kubectl apply -k (\S+)", TEXT)
    assert folders
    for folder in folders:
        assert (ROOT / folder / "kustomization.yaml").is_file(), folder


def test_it_is_read_in_a_few_minutes() -> None:
    """What takes longer belongs in docs/."""
    assert len(TEXT.split()) < 900
