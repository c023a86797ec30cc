import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recorded import FILES, Json, junk, places, read, read_by, recorded, web, weighed
from webhook import kinds, routers
from webhook.fields import FieldError
from webhook.kinds import Kind, Name
from webhook.routers import Reading, RouterError
from webhook.routers.weights import least, share_of, share_where_0_is_omitted

START = "all the metrics providers are available!"
ADVANCE = "Advance contour.test canary weight 1"
RAISE = "Confirm-traffic-increase check confirm-traffic-increase passed"
MIRRORED = "Rollback hook rollback not signaling a rollback"
END = "Routing all traffic to primary"

STEPS = [(START, 0), (RAISE, 1), (RAISE, 25), (RAISE, 50), (END, 0)]

FOLLOWED = {
    "apisix": [(START, 0), (RAISE, 1)],
    "appmesh": STEPS,
    "appmesh1": STEPS,
    "contour": [(START, 0), (ADVANCE, 1), (RAISE, 25), (RAISE, 50), (END, 0)],
    "gloo": STEPS,
    "gw1": STEPS,
    "gw1b1": STEPS,
    "istio": STEPS,
    "istioaff": STEPS,
    "istiomir": [(START, 0), (RAISE, 0), (MIRRORED, 25), (RAISE, 50), (END, 0)],
    # each step of Flagger's counts once Knative routes it, the last one at once
    "knative": [
        (START, 0), (RAISE, 0), (RAISE, 1), (RAISE, 1), (RAISE, 25), (RAISE, 25), (RAISE, 50),
        (END, 0), (END, 0),
    ],
    "kuma": STEPS,
    "linkerd": STEPS,
    "nginx": STEPS,
    "osm": STEPS,
    "skipper": STEPS,
    "smi1": STEPS,
    "smi3": STEPS,
    "traefik": STEPS,
}  # fmt: skip
UNWEIGHTED = ["gw1ab", "nginxab"]
OTHERS = {
    "apisix": ["ApisixRoute apisix"],
    "appmesh": [
        "VirtualNode appmesh-primary", "VirtualNode appmesh-canary", "VirtualService appmesh",
        "VirtualRouter appmesh-canary", "VirtualService appmesh-canary",
    ],
    "appmesh1": ["VirtualService appmesh1-canary.test"],
    "gloo": ["Upstream test-gloo-primaryupstream-80", "Upstream test-gloo-canaryupstream-80"],
    "istio": ["DestinationRule istio-canary", "DestinationRule istio-primary"],
    "istioaff": ["DestinationRule istioaff-canary", "DestinationRule istioaff-primary"],
    "istiomir": ["DestinationRule istiomir-canary", "DestinationRule istiomir-primary"],
    "nginx": ["Ingress nginx"],
    "skipper": ["Ingress skipper"],
}  # fmt: skip


# --- what Flagger really wrote


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_share_follows_every_revision_that_flagger_wrote(name: str) -> None:
    steps = [(event, Reading(share)) for event, share in FOLLOWED[name]]
    assert recorded(name).read() == steps


@pytest.mark.parametrize("name", FOLLOWED)
def test_no_other_object_that_flagger_wrote_is_read(name: str) -> None:
    scene = recorded(name)
    unread = [
        f"{it.object['kind']} {it.object['metadata']['name']}"
        for it in scene.revisions
        if not read_by(scene.source, it.object)
    ]
    assert unread == OTHERS.get(name, [])


@pytest.mark.parametrize("name", UNWEIGHTED)
def test_an_ab_test_has_no_share_of_ordinary_traffic(name: str) -> None:
    assert routers.source(recorded(name).canary) is None


def test_every_recorded_router_is_tested() -> None:
    assert set(FILES) == {*FOLLOWED, *UNWEIGHTED}


def test_every_provider_has_objects_to_be_tested_on() -> None:
    seen = {routers._provider(recorded(name).canary.provider) for name in FOLLOWED}
    # Flagger writes v1alpha2 as it writes osm's, for a provider of another name
    assert seen == set(routers._PROVIDERS) - {"smi:v1alpha2*"}
    assert routers._PROVIDERS["smi:v1alpha2*"] == routers._PROVIDERS["osm"]


# --- which object is read


@pytest.mark.parametrize(
    ("provider", "kind", "name"),
    [
        ("istio", kinds.VIRTUAL_SERVICE, "web"),
        ("gatewayapi:v1", kinds.HTTP_ROUTE, "web"),
        ("gatewayapi:v1beta1", kinds.HTTP_ROUTE_BETA, "web"),
        ("nginx", kinds.INGRESS, "edge-canary"),
        ("skipper", kinds.INGRESS, "edge-canary"),
        ("traefik", kinds.TRAEFIK_SERVICE, "web"),
        ("contour", kinds.HTTP_PROXY, "web"),
        ("apisix", kinds.APISIX_ROUTE, "edge-web-canary"),
        ("gloo", kinds.ROUTE_TABLE, "web"),
        ("linkerd", kinds.TRAFFIC_SPLIT_1, "web"),
        ("osm", kinds.TRAFFIC_SPLIT_2, "web"),
        ("smi:v1alpha1", kinds.TRAFFIC_SPLIT_1, "web"),
        ("smi:v1alpha2", kinds.TRAFFIC_SPLIT_2, "web"),
        ("smi:v1alpha3", kinds.TRAFFIC_SPLIT_3, "web"),
        ("appmesh", kinds.APPMESH_SERVICE, "web.shop"),
        ("appmesh:v1beta2", kinds.APPMESH_ROUTER, "web"),
        ("knative", kinds.KNATIVE_SERVICE, "web"),
        # by prefix
        ("smi:v1alpha1:linkerd", kinds.TRAFFIC_SPLIT_1, "web"),
        ("smi:v1alpha2:osm", kinds.TRAFFIC_SPLIT_2, "web"),
        ("smi:v1alpha3:linkerd", kinds.TRAFFIC_SPLIT_3, "web"),
        ("gloo:v1", kinds.ROUTE_TABLE, "web"),
        ("appmesh:v1beta2:x", kinds.APPMESH_ROUTER, "web"),
        ("gatewayapi:v1beta1x", kinds.HTTP_ROUTE_BETA, "web"),
        ("gatewayapi:v1beta2", kinds.HTTP_ROUTE, "web"),
        ("gatewayapi:v1alpha2", kinds.HTTP_ROUTE, "web"),
        ("gatewayapi:v10", kinds.HTTP_ROUTE, "web"),
        # unknown to Flagger too: its default is Istio
        ("gatewayapi", kinds.VIRTUAL_SERVICE, "web"),
        ("gatewayapi:v2", kinds.VIRTUAL_SERVICE, "web"),
        ("nginx:v1", kinds.VIRTUAL_SERVICE, "web"),
        ("istio:v1", kinds.VIRTUAL_SERVICE, "web"),
        ("kubernetes:v1", kinds.VIRTUAL_SERVICE, "web"),
        ("Nginx", kinds.VIRTUAL_SERVICE, "web"),
        ("smi:v1", kinds.VIRTUAL_SERVICE, "web"),
        ("smi:v1alpha4", kinds.VIRTUAL_SERVICE, "web"),
        ("appmesh:v1beta1", kinds.VIRTUAL_SERVICE, "web"),
        ("traefik:v1", kinds.VIRTUAL_SERVICE, "web"),
        ("haproxy", kinds.VIRTUAL_SERVICE, "web"),
        ("", kinds.VIRTUAL_SERVICE, "web"),
    ],
)
def test_the_provider_is_found_as_flaggers_factory_finds_it(
    provider: str, kind: Kind, name: str
) -> None:
    source = weighed(web(provider))
    assert (source.kind, source.name) == (kind, Name("shop", name))


@pytest.mark.parametrize("provider", ["kubernetes", "istio", "nginx", "traefik"])
def test_nothing_is_read_where_no_weight_applies(provider: str) -> None:
    assert routers.source(web(provider, ab_test=provider != "kubernetes")) is None


def test_kumas_object_is_in_no_namespace() -> None:
    source = weighed(web("kuma"))
    assert (source.kind, source.name) == (kinds.TRAFFIC_ROUTE, Name("", "web"))
    assert str(source) == "TrafficRoute web"


def test_knatives_object_is_the_target_whatever_the_apex() -> None:
    assert weighed(web("knative", apex="www")).name == Name("shop", "web")


@pytest.mark.parametrize("provider", ["nginx", "skipper"])
def test_lockstep_needs_to_know_which_ingress_flagger_splits(provider: str) -> None:
    with pytest.raises(RouterError, match=r"spec\.ingressRef\.name is missing"):
        routers.source(web(provider, ingress=""))


def test_lockstep_needs_to_know_which_route_flagger_splits() -> None:
    with pytest.raises(RouterError, match=r"spec\.routeRef\.name is missing"):
        routers.source(web("apisix", route=""))


def test_the_apex_names_the_router_where_it_is_not_the_target() -> None:
    assert weighed(web("istio", apex="www")).name == Name("shop", "www")


def test_a_source_can_be_named_in_a_message() -> None:
    assert str(weighed(web("nginx"))) == "Ingress shop/edge-canary"


# --- weights

weights = st.integers(0, 10_000)


@given(st.lists(weights), st.lists(weights, min_size=1))
def test_a_share_is_the_last_whole_percentage_below_the_ratio(
    others: list[int], canary: list[int]
) -> None:
    destinations = [("other", weight) for weight in others]
    destinations += [("web-canary", weight) for weight in canary]
    total = sum(others) + sum(canary)

    share = share_of("web-canary", destinations)

    assert 0 <= share <= 100
    if total:
        assert share * total <= sum(canary) * 100 < (share + 1) * total
    else:
        assert share == 0


@given(st.integers(0, 100))
def test_a_percentage_that_flagger_wrote_is_read_back(share: int) -> None:
    assert share_of("web-canary", [("web-primary", 100 - share), ("web-canary", share)]) == share


@pytest.mark.parametrize(
    ("destinations", "said"),
    [
        ([], r"no destination is web-canary \(there: none\)"),
        ([("web-primary", 100)], r"no destination is web-canary \(there: web-primary\)"),
        ([("web-canary", -1), ("web-primary", 101)], "a weight is negative"),
        ([("web-canary", 50), ("web-primary", -50)], "a weight is negative"),
    ],
)
def test_weights_that_say_no_share_are_refused(
    destinations: list[tuple[str, int]], said: str
) -> None:
    with pytest.raises(RouterError, match=said):
        share_of("web-canary", destinations)


@given(st.lists(st.integers(0, 100), min_size=1))
def test_of_several_rules_the_lowest_counts(shares: list[int]) -> None:
    assert least(shares, "rule") == min(shares)


def test_where_0_is_left_out_a_list_without_weights_says_nothing() -> None:
    assert share_where_0_is_omitted("c", [("p", 100), ("c", 0)]) == 0
    assert share_where_0_is_omitted("c", [("p", 0), ("c", 100)]) == 100
    with pytest.raises(RouterError, match="no destination has a weight"):
        share_where_0_is_omitted("c", [("p", 0), ("c", 0)])


# --- Istio


def route(host: object, weight: object = None) -> Json:
    return {"destination": {"host": host}} | ({} if weight is None else {"weight": weight})


def http(*routes: Json, **fields: object) -> Json:
    return {"route": list(routes)} | fields


def virtual_service(*rules: Json, **fields: object) -> Json:
    return {"spec": {"http": list(rules)} | fields}


SPLIT = http(route("web-primary", 70), route("web-canary", 30))
COOKIE = {"regex": ".*flagger-cookie.*BcFlHukHtT.*"}


@pytest.mark.parametrize(
    ("service", "share"),
    [
        (virtual_service(SPLIT), 30),
        (virtual_service(http(route("web-canary", 100), route("web-primary"))), 100),
        (virtual_service(http(route("web-primary", 100), route("web-canary"))), 0),
        (virtual_service(http(route("web-primary", 2), route("web-canary", 1))), 33),
        (
            virtual_service(
                http(
                    route("web-primary.shop.svc.cluster.local", 60),
                    route("web-canary.shop.svc.cluster.local", 40),
                )
            ),
            40,
        ),
        (virtual_service(tcp=[SPLIT]), 30),
        (virtual_service(SPLIT, http(route("web-primary", 90), route("web-canary", 10))), 10),
        (virtual_service(SPLIT | {"mirror": {"host": "web-canary"}}), 30),
    ],
)
def test_istio_weighs_the_canarys_host(service: Json, share: int) -> None:
    assert read("istio", service) == Reading(share)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({}, "it has no route for ordinary traffic"),
        (virtual_service(), "it has no route for ordinary traffic"),
        (virtual_service(http()), "no destination is web-canary"),
        (virtual_service(http(route("web-primary", 100))), r"\(there: web-primary\)"),
        (virtual_service(http(route("web-canary-2", 100))), r"\(there: web-canary-2\)"),
        (virtual_service(SPLIT, http(route("other"))), r"\(there: other\)"),
        (virtual_service(http(route("web-primary", 110), route("web-canary", -10))), "negative"),
        (
            virtual_service(SPLIT | {"match": [{"headers": {"Cookie": COOKIE}}]}),
            "it has no route for ordinary traffic",
        ),
    ],
)
def test_a_virtual_service_that_says_no_share_is_refused(service: Json, said: str) -> None:
    with pytest.raises(RouterError, match=said):
        read("istio", service, cookies=("flagger-cookie",))


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ({"spec": {"http": "x"}}, "spec.http"),
        ({"spec": {"tcp": {}}}, "spec.tcp"),
        ({"spec": {"http": ["x"]}}, "spec.http"),
        (virtual_service({"route": {}}), "route"),
        (virtual_service({"route": [7]}), "route"),
        (virtual_service(http({"weight": 1})), "destination.host"),
        (virtual_service(http(route(7))), "destination.host"),
        (virtual_service(http(route("web-canary", "30"))), "weight"),
        (virtual_service(http(route("web-canary", 30.0))), "weight"),
        (virtual_service(http(route("web-canary", True))), "weight"),
        (virtual_service(SPLIT | {"match": {}}), "match"),
    ],
)
def test_a_malformed_field_of_a_virtual_service_is_named(service: Json, named: str) -> None:
    with pytest.raises(FieldError, match=f"^{named} "):
        read("istio", service, cookies=("flagger-cookie",))


@pytest.mark.parametrize("header", ["Cookie", "cookie"])
@pytest.mark.parametrize(
    ("cookies", "sticky", "ordinary", "share"),
    [
        (("flagger-cookie",), 100, 25, 25),
        (("other", "flagger-cookie"), 0, 25, 25),
        # without session affinity the rule is one like any other: the least counts
        ((), 0, 25, 0),
        ((), 100, 25, 25),
        (("other",), 0, 25, 0),
    ],
)
def test_istio_leaves_out_the_rule_for_browsers_that_session_affinity_knows(
    header: str, cookies: tuple[str, ...], sticky: int, ordinary: int, share: int
) -> None:
    service = virtual_service(
        http(
            route("web-primary", 100 - sticky),
            route("web-canary", sticky),
            match=[{"headers": {header: COOKIE}}],
        ),
        http(route("web-primary", 100 - ordinary), route("web-canary", ordinary)),
    )
    assert read("istio", service, cookies=cookies).share == share


# --- Gateway API

GATEWAY = "gatewayapi:v1"


def backend(name: object, weight: object = None) -> Json:
    return {"name": name} | ({} if weight is None else {"weight": weight})


def rule(*backends: Json, **fields: object) -> Json:
    return {"backendRefs": list(backends)} | fields


def http_route(*rules: Json, generation: object = 4, parents: object = None) -> Json:
    return {
        "metadata": {"generation": generation},
        "spec": {"rules": list(rules)},
        "status": {"parents": parents},
    }


HALF = rule(backend("web-primary", 50), backend("web-canary", 50))


@pytest.mark.parametrize(
    ("rules", "share"),
    [
        ([HALF], 50),
        ([rule(backend("web-primary", 99), backend("web-canary", 1))], 1),
        ([rule(backend("web-primary"), backend("web-canary"))], 50),
        ([rule(backend("web-primary", 3), backend("web-canary"))], 25),
        ([rule(backend("web-primary", 0), backend("web-canary", 0))], 0),
        ([rule(backend("web-canary", 50), backend("web-canary", 50))], 100),
        ([HALF, rule(backend("web-primary", 90), backend("web-canary", 10))], 10),
        ([rule(backend("web-primary", 9999), backend("web-canary", 99))], 0),
    ],
)
def test_a_route_weighs_the_canarys_backend(rules: list[Json], share: int) -> None:
    assert read(GATEWAY, http_route(*rules)) == Reading(share)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "it has no rule for ordinary traffic"),
        ([rule()], r"no destination is web-canary \(there: none\)"),
        ([rule(backend("web-primary", 100))], r"\(there: web-primary\)"),
        ([rule(backend("web-canary.shop", 100))], r"\(there: web-canary.shop\)"),
        ([HALF, rule(backend("other"))], r"\(there: other\)"),
        ([rule(backend("web-primary", 101), backend("web-canary", -1))], "a weight is negative"),
    ],
)
def test_a_route_that_says_no_share_is_refused(rules: list[Json], said: str) -> None:
    with pytest.raises(RouterError, match=said):
        read(GATEWAY, http_route(*rules))


@pytest.mark.parametrize(
    ("obj", "named"),
    [
        ({"spec": {"rules": {}}}, "spec.rules"),
        (http_route({"backendRefs": "x"}), "backendRefs"),
        (http_route(rule({"weight": 1})), "name"),
        (http_route(rule(backend(7))), "name"),
        (http_route(rule(backend("web-canary", "1"))), "weight"),
        (http_route(rule(backend("web-canary", 1.5))), "weight"),
        (http_route(HALF | {"matches": "x"}), "matches"),
        (http_route(HALF | {"matches": [{"headers": "x"}]}), "headers"),
        (http_route(HALF, parents={}), "status.parents"),
        (http_route(HALF, parents=[{"conditions": "x"}]), "conditions"),
        (http_route(HALF, generation="4"), "metadata.generation"),
        (
            http_route(
                HALF, parents=[{"conditions": [{"type": "Accepted", "observedGeneration": "4"}]}]
            ),
            "observedGeneration",
        ),
    ],
)
def test_a_malformed_field_of_a_route_is_named(obj: Json, named: str) -> None:
    with pytest.raises(FieldError, match=f"^{named} "):
        read(GATEWAY, obj, cookies=("c",))


@pytest.mark.parametrize(
    ("name", "value", "share"),
    [
        ("Cookie", ".*flagger-cookie.*BcF.*", 50),
        ("cookie", ".*flagger-cookie.*BcF.*", 50),
        ("Cookie", ".*another.*", 0),
        ("x-canary", "flagger-cookie", 0),
        (None, None, 0),
    ],
)
def test_a_route_leaves_out_the_rule_for_browsers_that_session_affinity_knows(
    name: str | None, value: str | None, share: int
) -> None:
    headers = [{"name": name, "type": "RegularExpression", "value": value}]
    primary = rule(backend("web-primary", 100), backend("web-canary", 0))
    route = http_route(primary | {"matches": [{"headers": headers}]}, HALF)
    assert read(GATEWAY, route, cookies=("flagger-cookie",)).share == share


def accepted(status: str, generation: int | None, **fields: object) -> Json:
    return {"type": "Accepted", "status": status, "observedGeneration": generation} | fields


def parent(*conditions: Json) -> Json:
    return {"conditions": list(conditions)}


@pytest.mark.parametrize(
    ("generation", "parents", "waits_for"),
    [
        (4, None, ""),
        (4, [], ""),
        (4, [parent()], ""),
        (4, [parent({"type": "ResolvedRefs", "status": "False", "observedGeneration": 1})], ""),
        (4, [parent(accepted("True", 4))], ""),
        (4, [parent(accepted("True", 5))], ""),
        (None, [parent(accepted("True", 4))], ""),
        (4, [parent(accepted("True", 3))], "a gateway has not yet taken in generation 4"),
        (4, [parent(accepted("False", 3))], "a gateway has not yet taken in generation 4"),
        (4, [parent(accepted("True", None))], "a gateway has not yet taken in generation 4"),
        (
            4,
            [parent(accepted("True", 4)), parent(accepted("True", 3))],
            "a gateway has not yet taken in generation 4",
        ),
        (4, [parent(accepted("False", 4))], "no gateway accepts it: no message"),
        (4, [parent(accepted("Unknown", 4))], "no gateway accepts it: no message"),
        (
            4,
            [parent(accepted("False", 4, message="NotAllowedByListeners"))],
            "no gateway accepts it: NotAllowedByListeners",
        ),
        (4, [parent(accepted("False", 4)), parent(accepted("True", 4))], ""),
    ],
)
def test_a_route_is_settled_once_gateways_accepted_its_generation(
    generation: int | None, parents: object, waits_for: str
) -> None:
    obj = http_route(HALF, generation=generation, parents=parents)
    assert read(GATEWAY, obj) == Reading(50, waits_for)


# --- ingress-nginx

PREFIX = "nginx.ingress.kubernetes.io"


def ingress(weight: object, prefix: str = PREFIX, **others: object) -> Json:
    annotations = {"canary": "true", "canary-weight": weight} | {
        name.replace("_", "-"): value for name, value in others.items()
    }
    given = {f"{prefix}/{name}": value for name, value in annotations.items() if value is not None}
    return {"metadata": {"annotations": given}}


@pytest.mark.parametrize(
    ("weight", "total", "share"),
    [
        ("0", None, 0),
        ("25", None, 25),
        ("100", None, 100),
        ("101", None, 100),
        ("050", None, 50),
        ("25", "100", 25),
        ("25", "1000", 2),
        ("1", "3", 33),
        ("999", "1000", 99),
        ("1000", "1000", 100),
        ("2000", "1000", 100),
        ("5", "0", 0),
    ],
)
def test_nginx_weighs_out_of_the_total(weight: str, total: str | None, share: int) -> None:
    assert read("nginx", ingress(weight, canary_weight_total=total)) == Reading(share)


def test_nginx_annotations_have_the_prefix_that_flagger_was_told() -> None:
    obj = ingress("25", prefix="example.com")
    assert read("nginx", obj, ingress_prefix="example.com").share == 25
    with pytest.raises(RouterError, match=f"annotation {PREFIX}/canary is not true"):
        read("nginx", obj)


@pytest.mark.parametrize("weight", [None, "", "ten", "-1", "2.5", "25%", " 25", "٣", "9" * 5000])
def test_an_ingress_whose_weight_is_no_number_is_refused(weight: str | None) -> None:
    with pytest.raises(RouterError, match=r"^annotation canary-weight is .* not a whole number"):
        read("nginx", ingress(weight))


@pytest.mark.parametrize("total", ["", "many", "-100"])
def test_an_ingress_whose_total_is_no_number_is_refused(total: str) -> None:
    with pytest.raises(RouterError, match=r"^annotation canary-weight-total is .* not a whole"):
        read("nginx", ingress("5", canary_weight_total=total))


@pytest.mark.parametrize("marked", [None, "false", "", "True"])
def test_an_ingress_that_is_no_canary_is_refused(marked: str | None) -> None:
    with pytest.raises(RouterError, match=f"annotation {PREFIX}/canary is not true"):
        read("nginx", ingress("5", canary=marked))


@pytest.mark.parametrize("obj", [{}, {"metadata": {}}, {"metadata": {"annotations": None}}])
def test_an_ingress_without_annotations_is_refused(obj: Json) -> None:
    with pytest.raises(RouterError, match="is not true"):
        read("nginx", obj)


@pytest.mark.parametrize(
    ("obj", "named"),
    [(ingress(25), "canary-weight is 25"), ({"metadata": {"annotations": []}}, "annotations")],
)
def test_a_malformed_annotation_is_named(obj: Json, named: str) -> None:
    with pytest.raises(FieldError, match=named):
        read("nginx", obj)


# --- junk

SETTLED = http_route(HALF | {"matches": [{"headers": []}]}, parents=[parent(accepted("True", 4))])


def last_object(name: str) -> Json:
    """The last revision of the object that is read."""
    scene = recorded(name)
    return [it.object for it in scene.revisions if read_by(scene.source, it.object)][-1]


@pytest.mark.parametrize("name", [*FOLLOWED, "settled gateway"])
@given(st.data())
def test_junk_anywhere_in_a_router_is_a_share_or_a_value_error(
    name: str, data: st.DataObject
) -> None:
    settled = name == "settled gateway"
    canary = web(GATEWAY) if settled else recorded(name).canary
    broken = copy.deepcopy(SETTLED if settled else last_object(name))
    *path, last = data.draw(st.sampled_from(list(places(broken))))
    inner: object = broken
    for step in path:
        inner = inner[step]  # type: ignore[index]
    inner[last] = data.draw(junk)  # type: ignore[index]
    with contextlib.suppress(RouterError, FieldError):
        assert 0 <= weighed(canary).share(broken, canary).share <= 100
