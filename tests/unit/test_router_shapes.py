"""Each provider's own ways to say a share, and that no unknown one is ever taken for 0."""

import json

import pytest

from tests.recorded import Json, read
from webhook.fields import FieldError
from webhook.routers import Reading, RouterError


def named(key: str, weights: dict[str, object]) -> list[Json]:
    """A list of destinations named under `key`; a weight that is None is left out."""
    return [
        {key: name} | ({} if weight is None else {"weight": weight})
        for name, weight in weights.items()
    ]


def traefik(weights: dict[str, object]) -> Json:
    return {"spec": {"weighted": {"services": named("name", weights)}}}


def contour(*routes: dict[str, object]) -> Json:
    return {"spec": {"routes": [{"services": named("name", it)} for it in routes]}}


def apisix(*routes: dict[str, object]) -> Json:
    return {"spec": {"http": [{"backends": named("serviceName", it)} for it in routes]}}


def smi(weights: dict[str, object]) -> Json:
    return {"spec": {"service": "web", "backends": named("service", weights)}}


def kuma(weights: dict[str, object]) -> Json:
    split = [
        {"destination": {"kuma.io/service": it.pop("name")}} | it for it in named("name", weights)
    ]
    return {"spec": {"conf": {"split": split}}}


def gloo(*routes: dict[str, object]) -> Json:
    tables = [
        [
            {"destination": {"upstream": {"name": it.pop("name"), "namespace": "shop"}}} | it
            for it in named("name", weights)
        ]
        for weights in routes
    ]
    return {"spec": {"routes": [{"routeAction": {"multi": {"destinations": it}}} for it in tables]}}


def appmesh(weights: dict[str, object]) -> Json:
    targets = named("virtualNodeName", weights)
    return {"spec": {"routes": [{"http": {"action": {"weightedTargets": targets}}}]}}


def appmesh2(weights: dict[str, object], protocol: str = "httpRoute") -> Json:
    targets = [{"virtualNodeRef": {"name": it.pop("name")}} | it for it in named("name", weights)]
    return {"spec": {"routes": [{protocol: {"action": {"weightedTargets": targets}}}]}}


def skipper(weights: object, predicate: str = "Weight(100)") -> Json:
    text = weights if isinstance(weights, str) else json.dumps(weights)
    annotations = {
        "zalando.org/backend-weights": text,
        "zalando.org/skipper-predicate": predicate,
    }
    return {"metadata": {"annotations": annotations}}


def knative(spec: object, status: object, primary: str | None = "web-00001") -> Json:
    annotations = {} if primary is None else {"flagger.app/primary-revision": primary}
    return {
        "metadata": {"annotations": annotations},
        "spec": {"traffic": spec},
        "status": {"traffic": status},
    }


def traffic(percent: int, **others: object) -> list[Json]:
    return [
        {"latestRevision": True, "percent": percent} | others,
        {"revisionName": "web-00001", "percent": 100 - percent, "latestRevision": False},
    ]


P, C = "web-primary", "web-canary"
UPSTREAM_P, UPSTREAM_C = "shop-web-primaryupstream-80", "shop-web-canaryupstream-80"
KUMA_P, KUMA_C = "web-primary_shop_svc_80", "web-canary_shop_svc_80"


@pytest.mark.parametrize(
    ("provider", "obj", "share"),
    [
        # the canary's entry is absent at 0, the primary's weight at full weight; then Traefik
        # takes that for 1
        ("traefik", traefik({P: 100}), 0),
        ("traefik", traefik({P: None}), 0),
        ("traefik", traefik({P: 75, C: 25}), 25),
        ("traefik", traefik({P: None, C: 100}), 99),
        ("traefik", traefik({C: 100}), 100),
        ("contour", contour({P: 100, C: None}), 0),
        ("contour", contour({P: 100, C: 0}), 0),
        ("contour", contour({P: None, C: 100}), 100),
        ("contour", contour({P: 50, C: 50}, {P: 90, C: 10}), 10),
        ("gloo", gloo({UPSTREAM_P: 100, UPSTREAM_C: None}), 0),
        ("gloo", gloo({UPSTREAM_P: None, UPSTREAM_C: 100}), 100),
        ("gloo", gloo({UPSTREAM_P: 70, "shop-web-canaryupstream-8080": 30}), 30),
        ("gloo", gloo({UPSTREAM_P: 50, UPSTREAM_C: 50}, {UPSTREAM_P: 90, UPSTREAM_C: 10}), 10),
        ("apisix", apisix({P: 60, C: 40}), 40),
        ("apisix", apisix({P: 0, C: 100}), 100),
        ("linkerd", smi({P: "60", C: "40"}), 40),
        ("linkerd", smi({P: 60, C: 40}), 40),
        ("osm", smi({P: "60", C: "40"}), 40),
        ("smi:v1alpha3", smi({P: 60, C: 40}), 40),
        ("kuma", kuma({KUMA_P: 60, KUMA_C: 40}), 40),
        ("appmesh", appmesh({P: 60, C: 40}), 40),
        ("appmesh:v1beta2", appmesh2({P: 60, C: 40}), 40),
        ("skipper", skipper({P: 60, C: 40}), 40),
        ("skipper", skipper({P: 100, C: 0}), 0),
        # switched off, whatever the weights say
        ("skipper", skipper({P: 60, C: 40}, "False()"), 0),
        ("skipper", skipper({P: 60, C: 40}, "False() && Weight(100)"), 0),
        ("skipper", skipper({P: 60, C: 40}, 'Header("x", "False()")'), 40),
        ("knative", knative(traffic(25), traffic(25)), 25),
        ("knative", knative(traffic(50), traffic(25)), 25),
        ("knative", knative(traffic(0), traffic(50)), 0),
        # a tag has a URL of its own, and no share of the Service's
        ("knative", knative(traffic(25, tag="next"), traffic(25, tag="next")), 25),
        (
            "knative",
            knative([*traffic(25), {"latestRevision": True, "tag": "next"}], traffic(25)),
            25,
        ),
    ],
)
def test_a_share_is_read_as_the_provider_says_it(provider: str, obj: Json, share: int) -> None:
    assert read(provider, obj) == Reading(share)


def test_skipper_weighs_also_without_a_predicate() -> None:
    annotations = {"zalando.org/backend-weights": json.dumps({P: 60, C: 40})}
    assert read("skipper", {"metadata": {"annotations": annotations}}) == Reading(40)


EMPTY: list[Json] = [{}, {"spec": {}}, {"metadata": {"annotations": {}}, "spec": {"routes": []}}]
PROVIDERS = [
    "appmesh", "appmesh:v1beta2", "apisix", "contour", "gloo", "knative", "kuma", "linkerd", "osm",
    "skipper", "smi:v1alpha3", "traefik",
]  # fmt: skip


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("obj", EMPTY)
def test_an_empty_object_is_refused(provider: str, obj: Json) -> None:
    with pytest.raises(RouterError):
        read(provider, obj)


@pytest.mark.parametrize(
    ("provider", "obj", "said"),
    [
        ("traefik", traefik({"other": 100}), r"no destination is web-canary \(there: other\)"),
        ("traefik", traefik({}), r"\(there: none\)"),
        ("traefik", traefik({P: -100, C: 1}), "a weight is negative"),
        ("contour", contour({P: None, C: None}), "no destination has a weight"),
        ("contour", contour({P: 100}), r"\(there: web-primary\)"),
        ("contour", contour({P: 50, C: 50}, {"other": 1}), r"\(there: other\)"),
        ("gloo", gloo({UPSTREAM_P: None, UPSTREAM_C: None}), "no destination has a weight"),
        ("gloo", gloo({UPSTREAM_P: 100}), r"\(there: shop-web-primaryupstream\)"),
        ("gloo", gloo({"test-web-canaryupstream-80": 100}), "no destination is shop-web-canary"),
        ("apisix", apisix({P: 100}), r"\(there: web-primary\)"),
        ("apisix", apisix({P: 60, C: 40}, {"other": 1}), r"\(there: other\)"),
        ("linkerd", smi({P: 100}), r"\(there: web-primary\)"),
        ("linkerd", smi({P: "1", C: "500m"}), "weight is '500m', not a whole number"),
        ("linkerd", smi({P: "1", C: "-1"}), "weight is '-1', not a whole number"),
        ("linkerd", smi({P: "1", C: ""}), "weight is '', not a whole number"),
        ("smi:v1alpha3", smi({P: 1, C: -1}), "a weight is negative"),
        ("kuma", kuma({KUMA_P: 100}), r"\(there: web-primary_shop_svc\)"),
        # another namespace's canary, whose apex has the same name
        ("kuma", kuma({"web-primary_a_svc_80": 60, "web-canary_a_svc_80": 40}), "web-canary_a_svc"),
        ("appmesh", appmesh({P: 100}), r"\(there: web-primary\)"),
        ("appmesh:v1beta2", appmesh2({P: 100}), r"\(there: web-primary\)"),
        ("appmesh:v1beta2", appmesh2({P: 60, C: 40}, "tcpRoute"), r"\(there: none\)"),
        ("skipper", skipper({P: 100}), r"\(there: web-primary\)"),
        ("skipper", skipper({P: 100}, "False()"), r"\(there: web-primary\)"),
        ("skipper", skipper("{"), "is not valid JSON"),
        ("skipper", skipper("[" * 100_000), "is not valid JSON"),
        ("skipper", skipper([P, C]), "holds no JSON object"),
        ("skipper", skipper("null"), "holds no JSON object"),
        ("knative", knative(traffic(25), traffic(25), None), "has not yet taken it over"),
        ("knative", knative(traffic(25), traffic(25), ""), "has not yet taken it over"),
        ("knative", knative(traffic(25), None), r"in status\.traffic \(there: none\)"),
        ("knative", knative(None, traffic(25)), r"in spec\.traffic \(there: none\)"),
        ("knative", knative(traffic(25)[1:], traffic(25)), r"\(there: web-00001\)"),
        (
            "knative",
            knative([{"latestRevision": True, "tag": "next"}, {"percent": 100}], traffic(25)),
            r"\(there: unnamed\)",
        ),
    ],
)
def test_an_object_that_says_no_share_is_refused(provider: str, obj: Json, said: str) -> None:
    with pytest.raises(RouterError, match=said):
        read(provider, obj)


@pytest.mark.parametrize(
    ("provider", "obj", "named_field"),
    [
        ("traefik", traefik({P: "100"}), "weight is '100'"),
        ("traefik", {"spec": {"weighted": {"services": {}}}}, "spec.weighted.services"),
        ("contour", contour({P: 1.5, C: 1}), "weight is 1.5"),
        ("contour", {"spec": {"routes": [{"services": [{"weight": 1}]}]}}, "name is missing"),
        ("gloo", gloo({UPSTREAM_P: True}), "weight is True"),
        ("gloo", gloo({"": 1}), "destination.upstream.name is missing"),
        ("apisix", apisix({P: 60, C: None}), "weight is missing"),
        ("linkerd", smi({P: 60, C: None}), "weight is missing"),
        ("linkerd", smi({P: 60, C: 1.5}), "weight is 1.5"),
        ("kuma", kuma({KUMA_P: 60, KUMA_C: None}), "weight is missing"),
        ("kuma", {"spec": {"conf": {"split": [{"weight": 1}]}}}, "destination.kuma.io/service"),
        ("appmesh", appmesh({P: 60, C: None}), "weight is missing"),
        ("appmesh:v1beta2", appmesh2({P: 60, C: None}), "weight is missing"),
        ("skipper", skipper({P: 60, C: 0.5}), "web-canary is 0.5"),
        ("skipper", skipper({P: 60, C: "40"}), "web-canary is '40'"),
        ("skipper", skipper({P: 60, C: None}), "web-canary is missing"),
        ("knative", knative("x", traffic(25)), "spec.traffic is 'x'"),
        ("knative", knative([{"percent": "25"}], traffic(25)), "percent is '25'"),
    ],
)
def test_a_malformed_field_is_named(provider: str, obj: Json, named_field: str) -> None:
    with pytest.raises(FieldError, match=f"^{named_field}"):
        read(provider, obj)
