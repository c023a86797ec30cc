"""What can go wrong with a canary at 50 %, and with what tells browsers of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests import world
from tests.frontend.shop import Shop

Fault = Callable[[Shop], None]


def scaled_to_zero(shop: Shop) -> None:
    """As Flagger does it: not routed to any more, and then gone."""
    shop.roll_back()


def crashed(shop: Shop) -> None:
    """Its pods are gone from one moment to the next, and the router still names them."""
    shop.canary.stop()


def hanging(shop: Shop) -> None:
    """Its pods take connections and don't answer."""
    shop.canary.stall()


def endpoint_down(shop: Shop) -> None:
    shop.endpoint.kill()


def serve_down(shop: Shop) -> None:
    shop.serve.kill()


def api_server_down(shop: Shop) -> None:
    shop.cluster.stall()


def broken_configmap(shop: Shop) -> None:
    shop.put(world.variables(0, world.SETTINGS) | {"data": {"config.json": '{"CANARY_PERC'}})


def everything_down(shop: Shop) -> None:
    """Nothing but the primary's own pods is left."""
    shop.canary.stop()
    shop.endpoint.kill()
    shop.serve.kill()


def _rebuilt(change: Callable[[Path], object]) -> Fault:
    def fault(shop: Shop) -> None:
        site = shop.canary.site.parent / f"broken-{shop.namespace}"
        shutil.copytree(shop.canary.site, site)
        change(site)
        shop.canary.show(site)

    return fault


def _entry(text: str) -> Fault:
    return _rebuilt(lambda site: (site / "entry.js").write_text(text))


def _without_chunk(site: Path) -> None:
    for file in (site / "assets").glob("app-*.js"):
        file.unlink()


def _html_for_everything(shop: Shop) -> None:
    """A server of single-page applications: any path is the page, with status 200."""
    shop.canary.write(_PAGE_ONLY.format(listen=shop.canary.address, site=shop.canary.site))
    shop.canary.reload()


_PAGE_ONLY = """
pid @tmp@/nginx.pid;
error_log /dev/stderr crit;
events {{ }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path @tmp@/body;
    proxy_temp_path @tmp@/proxy;
    fastcgi_temp_path @tmp@/fastcgi;
    uwsgi_temp_path @tmp@/uwsgi;
    scgi_temp_path @tmp@/scgi;
    access_log off;
    server {{
        listen {listen};
        root {site};
        location / {{ rewrite ^ /index.html break; default_type text/html; types {{ }} }}
    }}
}}
"""

_HALF = """
export const start = () => {
  document.getElementById("app").append("half an application");
  throw new Error("this build is broken");
};
"""

CANARY: dict[str, Fault] = {
    "scaled to zero": scaled_to_zero,
    "crashed": crashed,
    "hanging": hanging,
    "throws when it starts": _entry(_HALF),
    "rejects when it starts": _entry(_HALF.replace("= () =>", "= async () =>")),
    "no JavaScript": _entry("export const start = ("),
    "throws while it loads": _entry("throw new Error('no'); export const start = 0;"),
    "exports nothing": _entry("export {};"),
    "HTML called JavaScript": _entry("<!doctype html><title>Not found</title>"),
    "HTML for JavaScript": _html_for_everything,
    "a chunk is missing": _rebuilt(_without_chunk),
}
"""With any of these nobody is on canary, and everybody gets an application."""

AROUND: dict[str, Fault] = {
    "serve is down": serve_down,
    "the config endpoint is down": endpoint_down,
    "the API server is down": api_server_down,
    "the ConfigMap is broken": broken_configmap,
    "everything but the primary is down": everything_down,
}
