"""Rules about the Canary and its webhooks."""

from collections.abc import Iterator

from webhook import routers
from webhook.doctor.canaries import Release, Webhook
from webhook.doctor.findings import Fault, lines
from webhook.doctor.world import World
from webhook.gates import Hook

_SERVICE = "http://lockstep.lockstep-system"


def malformed(world: World) -> Iterator[Fault]:
    """An object is not as its kind has it."""
    for item, problem in world.malformed:
        harm = f"{problem}, so the API server refuses it, or Lockstep cannot follow it"
        yield Fault(item, harm, ("# correct the field named above",))


def provider(world: World) -> Iterator[Fault]:
    """Flagger does not know the provider and takes Istio."""
    for it in world.ours:
        name = it.canary.provider
        if not routers.known(name):
            harm = f"Flagger has no provider {name!r} and takes istio instead"
            fix = lines({"spec": {"provider": "gatewayapi:v1"}}, "one of docs/providers.md, as")
            yield Fault(it.item, harm, fix)


def brake_invalid(world: World) -> Iterator[Fault]:
    """`lockstep/cap` is no whole number from 0 to 100."""
    for it in world.ours:
        if it.canary.brakes.cap_error:
            harm = f"{it.canary.brakes.cap_error}: no share rises, and gates refuse (BrakeInvalid)"
            fix = lines({"metadata": {"annotations": {"lockstep/cap": "10"}}}, "for example")
            yield Fault(it.item, harm, fix)


def event_hook(world: World) -> Iterator[Fault]:
    """No event hook: nothing is lowered before Flagger steps down."""
    everybody = any(url.rstrip("/").endswith("/event") for url in world.event_webhooks)
    for it in world.ours:
        own = any(hook.type == Hook.EVENT for hook in it.webhooks)
        if Hook.EVENT not in it.asks and (own or not everybody):
            harm = (
                "Lockstep is told of no step down: browsers fall after the router has moved, and "
                "may still be on a canary that is scaled down"
            )
            yield Fault(it.item, harm, _hook(Hook.EVENT, retries=2))


def traffic_increase_hook(world: World) -> Iterator[Fault]:
    """No confirm-traffic-increase hook: Flagger steps ahead of browsers."""
    for it in world.ours:
        if it.steps and Hook.CONFIRM_TRAFFIC_INCREASE not in it.asks:
            harm = "Flagger takes the next step while browsers may still be at the one before"
            yield Fault(it.item, harm, _hook(Hook.CONFIRM_TRAFFIC_INCREASE))


def hook_path(world: World) -> Iterator[Fault]:
    """A hook calls the path of another type; a `rollback` hook may then roll back every rollout."""
    for it, hook in _crossed(world):
        harm = (
            f"its {hook.type} webhook {hook.name} calls /{hook.calls}, which answers another "
            "question"
        )
        if hook.type == Hook.ROLLBACK:
            harm += ": 200 from there makes Flagger roll back"
        service = hook.url.rstrip("/").rpartition("/")[0]
        corrected = {"name": hook.name, "type": hook.type, "url": f"{service}/{hook.type}"}
        yield Fault(it.item, harm, lines({"spec": {"analysis": {"webhooks": [corrected]}}}))


def hook_timeout(world: World) -> Iterator[Fault]:
    """Flagger gives a hook up before Lockstep's deadline is over."""
    deadline = world.snapshot.hook_deadline
    for it in world.ours:
        short = [hook for hook in it.webhooks if hook.ours and hook.timeout <= deadline]
        if short:
            names = ", ".join(f"{hook.name} ({hook.timeout:g} s)" for hook in short)
            harm = (
                f"Lockstep may take {deadline:g} s, and Flagger gives up before it is told why: "
                f"the timeout of {names}"
            )
            longer = [{"name": hook.name, "timeout": f"{deadline + 2:g}s"} for hook in short]
            yield Fault(it.item, harm, lines({"spec": {"analysis": {"webhooks": longer}}}))


def event_silenced(world: World) -> Iterator[Fault]:
    """The Canary's event hook silences the cluster's `-event-webhook`, which is another's."""
    for it in world.ours:
        urls = {hook.url for hook in it.webhooks if hook.type == Hook.EVENT}
        for url in sorted(world.event_webhooks - urls) if urls else ():
            harm = f"its event webhook silences the cluster's for it: {url} hears nothing of it"
            yield Fault(it.item, harm, _hook(Hook.EVENT, name="cluster-event", url=url))


def _crossed(world: World) -> Iterator[tuple[Release, Webhook]]:
    """Webhooks of a type that Lockstep serves whose URL is the path of another one."""
    for it in world.releases:
        for hook in it.webhooks:
            if hook.calls and hook.type in list(Hook) and not hook.ours:
                yield it, hook


def _hook(hook: Hook, name: str = "", url: str = "", retries: int = 0) -> tuple[str, ...]:
    entry: dict[str, object] = {
        "name": name or f"lockstep-{hook}",
        "type": str(hook),
        "url": url or f"{_SERVICE}/{hook}",
        "timeout": "5s",
    }
    if retries:
        entry["retries"] = retries
    return lines({"spec": {"analysis": {"webhooks": [entry]}}})
