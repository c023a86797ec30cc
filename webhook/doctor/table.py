"""Every rule, in the order in which docs/doctor.md lists them. Pure."""

from collections.abc import Set as AbstractSet

from webhook.doctor.findings import Finding, Rule
from webhook.doctor.rules import canaries, flux, mounted, numbers, rights
from webhook.doctor.world import World

RULES = (
    # what pods mount
    Rule("config-tracking", mounted.config_tracking),
    Rule("reloader", mounted.reloader),
    Rule("sub-path", mounted.sub_path),
    Rule("environment", mounted.environment),
    Rule("mounted-only", mounted.mounted_only),
    # the number
    Rule("target-invalid", numbers.invalid),
    Rule("immutable", mounted.immutable),
    Rule("hash-suffix", mounted.hash_suffix),
    Rule("number-in-git", numbers.in_git),
    Rule("no-write-target", numbers.no_write_target),
    Rule("unknown-canary", numbers.unknown_canary),
    # Flux
    Rule("two-writers", flux.two_writers),
    Rule("flux-resets", flux.flux_resets),
    Rule("two-variables", flux.two_variables),
    Rule("watch-label", flux.watch_label),
    Rule("no-default", numbers.no_default),
    Rule("substitute-strategy", flux.strategy),
    Rule("inline-substitute", flux.inline),
    Rule("optional", flux.optional),
    Rule("not-rendered", flux.not_rendered),
    Rule("wait", flux.waiting),
    Rule("depends-on", flux.depends),
    Rule("foreign-objects", flux.foreign_objects),
    Rule("suspended", flux.suspended),
    Rule("helm-wait", flux.helm_waits),
    # the Canary
    Rule("malformed", canaries.malformed),
    Rule("provider", canaries.provider),
    Rule("event-hook", canaries.event_hook),
    Rule("traffic-increase-hook", canaries.traffic_increase_hook),
    Rule("hook-path", canaries.hook_path),
    Rule("hook-timeout", canaries.hook_timeout),
    Rule("event-silenced", canaries.event_silenced),
    Rule("brake-invalid", canaries.brake_invalid),
    # rights
    Rule("patch-rights", rights.too_many),
    Rule("no-patch-right", rights.too_few),
)


def examine(world: World, skipped: AbstractSet[str] = frozenset()) -> list[Finding]:
    """What is wrong, in the order of the objects, each said once."""
    found: dict[tuple[str, str, str], Finding] = {}
    for rule in RULES:
        if rule.id not in skipped:
            for fault in rule.look(world):
                found.setdefault((rule.id, str(fault.item), fault.harm), Finding(rule.id, fault))
    return sorted(found.values(), key=lambda it: (it.fault.item.name, it.fault.item.kind))
