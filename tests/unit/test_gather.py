"""What is read for one decision, where a part of it cannot be."""

from dataclasses import dataclass

import pytest

from tests import world
from webhook import kinds
from webhook.canary import MeshDefaults
from webhook.cluster import Listing
from webhook.deadline import Deadline
from webhook.errors import DeadlineError
from webhook.fields import Object
from webhook.gather import gather
from webhook.kinds import Kind, Name, Selection
from webhook.reasons import Reason
from webhook.task import Task
from webhook.view import Problem

LATER = Deadline(float("inf"))
OVER = Deadline(0.0)


@dataclass(frozen=True)
class Slow:
    """A cluster whose answer on one kind comes when the time for it is over."""

    slow: Kind

    def get(self, kind: Kind, name: Name, deadline: Deadline) -> Object:
        if kind == self.slow:
            raise DeadlineError("the deadline has passed")
        return world.rollout().get(kind, name)

    def list(self, selection: Selection, deadline: Deadline) -> Listing:
        return Listing((world.rollout().get(kinds.CONFIG_MAP, world.VARS),), "")


@pytest.mark.parametrize(
    ("slow", "reason"),
    [
        (kinds.DEPLOYMENT, Reason.WORKLOAD_UNREADABLE),
        (kinds.HTTP_ROUTE, Reason.ROUTER_UNREADABLE),
    ],
)
def test_a_part_that_took_its_share_of_the_time_leaves_the_rest_to_an_announcement(
    slow: Kind, reason: Reason
) -> None:
    view = gather(Slow(slow), MeshDefaults(), Task(world.WEB, "event", LATER), now=0.0)
    found = [it.reason for it in (view.running, view.router) if isinstance(it, Problem)]
    assert found == [reason]


def test_a_deadline_that_has_passed_ends_the_whole() -> None:
    with pytest.raises(DeadlineError):
        gather(Slow(kinds.DEPLOYMENT), MeshDefaults(), Task(world.WEB, "event", OVER), now=0.0)
