"""The recordings that come with Lockstep, and what each of them shows."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "data"

DESCRIPTIONS = {
    "ab-test": "an A/B test: no weight applies to browsers, so the share stays 0",
    "blue-green": "blue/green: the share goes from 0 to 100 at once, and back",
    "deadline": "the canary never becomes ready: rolled back before any traffic",
    "deleted": "the Canary is deleted at 20 %: down at once, without any hook",
    "deleted-revert": "the same with revertOnDeletion: Flagger terminates it first",
    "failed-checks": "another webhook refuses three times: rolled back from 25 %",
    "hold-increase": "an operator holds the weight at 25 % for a while",
    "manual-rollback": "an operator asks for a rollback at 25 %",
    "new-revision": "a newer revision restarts the analysis at 20 %",
    "plain-kubernetes": "provider kubernetes: no router, so the share stays 0",
    "pre-rollout-refused": "a target that does not parse: Lockstep lets the rollout fail at 0 %",
    "primary-never-ready": "the promotion fails and everyone stays on the canary: 100 %",
    "skip-analysis": "skipAnalysis: promoted without shifting any traffic",
    "step-promotion": "stepWeightPromotion: down in steps that Flagger does not announce",
    "steps": "uneven steps: 1, 2, 10 and 80 %",
    "success": "a rollout as it should be, on Gateway API",
    "success-nginx": "a rollout as it should be, on ingress-nginx",
    "suspended": "the Canary is suspended at 25 %: the share stays",
    "waiting-promotion": "an operator holds the promotion: 50 % until he lets go",
    "waiting-rollout": "an operator holds the rollout before it begins",
}


def paths() -> dict[str, Path]:
    """The file of each scenario, by name."""
    found = {path.stem: path for path in _FOLDER.glob("*.jsonl")}
    return dict(sorted(found.items()))
