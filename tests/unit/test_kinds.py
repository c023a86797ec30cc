"""How the kinds are told apart, in what an operator sees."""

from collections import Counter

from webhook import kinds
from webhook.kinds import Kind

ALL = [it for it in vars(kinds).values() if isinstance(it, Kind)]


def test_no_two_kinds_share_a_label() -> None:
    """Else a watch that has fallen silent would hide behind one that is heard."""
    assert [it for it, count in Counter(kind.resource for kind in ALL).items() if count > 1] == []


def test_a_kind_is_labelled_as_kubectl_takes_it() -> None:
    assert kinds.CONFIG_MAP.resource == "configmaps"
    assert kinds.HTTP_ROUTE_BETA.resource == "httproutes.v1beta1.gateway.networking.k8s.io"
