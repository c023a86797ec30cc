"""Many browsers on the config path of one nginx, and what reaches `serve-config` of them."""

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.frontend.programs import need
from tests.frontend.shop import Shop

pytestmark = pytest.mark.slow

SECONDS = 10


def test_one_request_a_second_reaches_the_endpoint_whatever_the_number_of_browsers(
    shop: Shop, tell: Callable[[str], None]
) -> None:
    need("wrk")
    shop.scale_up()
    shop.step(50)
    before = shop.endpoint.answers()
    command = ["wrk", "-t1", "-c64", f"-d{SECONDS}s", "--latency"]
    url = f"{shop.primary.url}/config/canary.json"
    told = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    reached = shop.endpoint.answers() - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    p99 = re.search(r"99%\s+(\S+)", told)
    assert rate
    assert p99
    tell(f"{rate[1]} requests/s, p99 {p99[1]}, {reached} in {SECONDS} s reached serve-config")
    assert "Non-2xx" not in told
    assert reached <= SECONDS + 1
    assert float(rate[1]) > 500
