"""What follows from a brake, in plain words, from the state in which the canary is. Pure.

Flagger's order of asking decides: `/confirm-rollout` only before a rollout starts, then at each
check `/rollback`, the metric checks, and `/confirm-traffic-increase` (never with
`analysis.iterations`, and not in WaitingPromotion) or, at the last step, `/confirm-promotion`.
From Promoting on it asks nothing.
"""

from collections.abc import Callable

from webhook.brakes import Brake, Change, shown
from webhook.canary import Phase
from webhook.gates import Hook
from webhook.situation import Situation, Stage
from webhook.view import Problem

_WARNING = "Warning: "
_HOLDS = (Hook.CONFIRM_ROLLOUT, Hook.CONFIRM_TRAFFIC_INCREASE, Hook.CONFIRM_PROMOTION)
_NO_BROWSER = "no browser gets the canary's assets"


def follows(change: Change, now: Situation) -> list[str]:
    """What follows from a change that was made, a paragraph each; commands are indented."""
    told = _TOLD[change.brake](now, change.value is not None)
    if now.canary.deleting or now.canary.phase is Phase.TERMINATING:
        told = [_WARNING + "the Canary is being deleted; the client share goes to 0."]
    elif now.suspended and change.brake is not Brake.CAP:
        asks = "Flagger asks nothing until it is resumed."
        told.insert(0, f"{_WARNING}the Canary is suspended (spec.suspend): {asks}")
    left = shown(now.canary.brakes)
    if change.value is None and left:
        told.append(f"Still on: {', '.join(left)}.")
    return [line for line in told if line]


def _hold(now: Situation, on: bool) -> list[str]:
    if not on:
        return [_released(now, "the next one is not held")]
    if not any(hook in now.hooks for hook in _HOLDS):
        return [_WARNING + f"nothing is held: {_deaf(now, *_HOLDS)}."]
    return _HELD[now.stage](now)


def _held_at_rest(now: Situation) -> list[str]:
    return [f"No rollout is under way. {_next_held(now)}"]


def _held_waiting(now: Situation) -> list[str]:
    if Hook.CONFIRM_ROLLOUT in now.hooks:
        return ["The rollout that waits to start goes on waiting; nothing is scaled up."]
    later = _next_held(now).replace("The next one", "The rollout")
    return [f"{_WARNING}what this rollout waits for is not Lockstep's. {later}"]


def _held_moving(now: Situation) -> list[str]:
    if Hook.CONFIRM_TRAFFIC_INCREASE in now.hooks:
        return [
            f"Flagger holds{_at(now)}, from its next check on (every {now.canary.interval:g} s).",
            _shares(now),
            "Its metric checks go on, and can still fail the rollout.",
        ]
    if Hook.CONFIRM_PROMOTION in now.hooks:
        wait = "and waits before the promotion (phase WaitingPromotion)"
        return [f"Flagger goes on to its last step, {wait}; the client share follows it."]
    text = f"this rollout is not held: {_deaf(now, *_HOLDS[1:])}."
    return [_WARNING + text, _next_held(now)]


def _held_at_end(now: Situation) -> list[str]:
    if Hook.CONFIRM_PROMOTION in now.hooks:
        return [f"Flagger goes on waiting{_at(now)}, before the promotion. {_shares(now)}"]
    text = f"this rollout is not held: {_deaf(now, Hook.CONFIRM_PROMOTION)}."
    return [_WARNING + text, _next_held(now)]


def _held_late(now: Situation) -> list[str]:
    text = f"too late for this rollout: while {now.canary.phase}, Flagger asks no gate."
    return [_WARNING + text, _next_held(now)]


_HELD: dict[Stage, Callable[[Situation], list[str]]] = {
    Stage.REST: _held_at_rest,
    Stage.WAITING: _held_waiting,
    Stage.MOVING: _held_moving,
    Stage.AT_END: _held_at_end,
    Stage.LATE: _held_late,
}


def _next_held(now: Situation) -> str:
    if Hook.CONFIRM_ROLLOUT in now.hooks:
        return "The next one waits before it starts (phase Waiting)."
    if Hook.CONFIRM_TRAFFIC_INCREASE in now.hooks:
        return "The next one starts all the same, and waits at 0 % before its first step."
    return "The next one starts all the same, and waits before its promotion."


def _rollback(now: Situation, on: bool) -> list[str]:
    if not on:
        return [_released(now, "the next one can start")]
    return [*_rolled_back(now), _barred(now)]


def _rolled_back(now: Situation) -> list[str]:
    if now.stage is Stage.REST:
        return ["No rollout is under way, so there is nothing to roll back."]
    if now.stage is Stage.WAITING:
        return ["The rollout has not started, so there is nothing to roll back."]
    if now.stage is Stage.LATE:
        text = f"too late: while {now.canary.phase}, Flagger asks for no rollback, and the primary"
        return [f"{_WARNING}{text} gets the new revision. Revert it in Git.", *_kill_switch(now)]
    if Hook.ROLLBACK not in now.hooks:
        text = f"Flagger will not roll back: {_deaf(now, Hook.ROLLBACK)}."
        return [_WARNING + text, *_kill_switch(now)]
    proviso = "provided that the pods are ready"
    then = "the client share falls to 0 with it, and the phase becomes Failed"
    return [f"Flagger rolls back {now.next_check}, {proviso}; {then}."]


def _barred(now: Situation) -> str:
    """What a rollback annotation that stays does to the rollout after."""
    if Hook.CONFIRM_ROLLOUT in now.hooks:
        which = "It does not start" if now.stage is Stage.WAITING else "No new rollout starts"
        return f"{which} until this is taken off."
    if Hook.ROLLBACK not in now.hooks:
        return ""
    which = "this rollout" if now.stage is Stage.WAITING else "the next rollout"
    text = f"no confirm-rollout hook of Lockstep's keeps {which} from starting; "
    return _WARNING + text + "until this is taken off, it is rolled back as soon as it runs."


def _cap(now: Situation, on: bool) -> list[str]:
    if not isinstance(now.shares, Problem) and not now.shares.view.targets:
        labelled = f"lockstep/canary: {now.canary.ref.name}"
        return [_WARNING + f"there is nothing to cap: no ConfigMap has the label {labelled}."]
    if not on:
        return [_shares(now)]
    cap = now.canary.brakes.cap
    bound = f"the client share is never above {cap} %" if cap else _NO_BROWSER
    return [
        _shares(now),
        f"While this is on, {bound}; Flagger is not held, and routes requests as before.",
    ]


_TOLD: dict[Brake, Callable[[Situation, bool], list[str]]] = {
    Brake.HOLD: _hold,
    Brake.CAP: _cap,
    Brake.ROLLBACK: _rollback,
}


def _released(now: Situation, afterwards: str) -> str:
    match now.stage:
        case Stage.REST:
            return f"No rollout is under way; {afterwards}."
        case Stage.WAITING:
            return f"Flagger starts the rollout {now.next_check}, if every gate lets it."
        case Stage.LATE:
            return f"The promotion that is under way goes on; {afterwards}."
        case _:
            return f"Flagger goes on {now.next_check}, if every gate lets it."


def _shares(now: Situation) -> str:
    """What becomes of the client share."""
    if isinstance(now.shares, Problem):
        return f"What browsers have now is not known ({now.shares.message})."
    before, after = now.shares.now, now.shares.soon
    if not before:
        return "There is no client share."
    blocked = now.shares.decision.blocked
    why = f" It cannot rise: {blocked.message}." if blocked else ""
    if before == after:
        return f"The client share stays {_percent(before)}.{why}"
    verb = "falls" if max(after) < max(before) else "rises"
    return f"The client share {verb} from {_percent(before)} to {_percent(after)} at once.{why}"


def _at(now: Situation) -> str:
    routed = None if isinstance(now.shares, Problem) else now.shares.decision.routed
    return "" if routed is None else f" at {routed} %"


def _percent(shares: list[int]) -> str:
    return " and ".join(f"{share} %" for share in shares)


def _deaf(now: Situation, *hooks: Hook) -> str:
    """Why Flagger does not ask Lockstep any of these."""
    if now.skips_analysis and Hook.CONFIRM_ROLLOUT not in hooks:
        return "with spec.skipAnalysis it asks for no analysis, promotion or rollback"
    names = " or ".join(hooks)
    return f"the Canary has no {names} hook that calls Lockstep"


def _kill_switch(now: Situation) -> list[str]:
    ref = now.canary.ref
    command = f"lockstep cap {ref.name} 0 -n {ref.namespace}"
    return ["To take browsers off the canary's assets now:", f"  {command}"]
