import threading
import time

from webhook.kinds import Name
from webhook.workqueue import WorkQueue

A, B = Name("test", "a"), Name("test", "b")


def taken(queue: WorkQueue) -> tuple[Name, str]:
    item = queue.take()
    assert item
    return item.ref, item.trigger


def test_a_canary_that_is_added_twice_is_taken_once() -> None:
    queue = WorkQueue()
    for _ in range(3):
        queue.add(A, "watch")
    queue.add(B, "watch")
    assert {taken(queue)[0], taken(queue)[0]} == {A, B}


def test_a_canary_is_not_worked_on_twice_at_a_time_but_again_afterwards() -> None:
    queue = WorkQueue()
    queue.add(A, "watch")
    assert taken(queue) == (A, "watch")
    queue.add(A, "resync")
    queue.add(B, "watch")
    assert taken(queue) == (B, "watch")
    queue.done(A)
    assert taken(queue) == (A, "resync")


def test_the_earliest_time_counts() -> None:
    queue = WorkQueue()
    queue.add(A, "ceiling", after=60)
    queue.add(A, "retry", after=0.05)
    queue.add(A, "ceiling", after=30)
    start = time.monotonic()
    assert taken(queue) == (A, "retry")
    assert 0.04 < time.monotonic() - start < 1


def test_something_sooner_overtakes_what_waits() -> None:
    queue = WorkQueue()
    queue.add(A, "ceiling", after=60)
    threading.Timer(0.05, lambda: queue.add(B, "watch")).start()
    assert taken(queue) == (B, "watch")


def test_close_ends_every_wait() -> None:
    queue = WorkQueue()
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(queue.take())) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(1)
    assert results == [None] * 3
