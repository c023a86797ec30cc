"""The service's parts put together: one place where it is built, started and stopped."""

from dataclasses import dataclass

from webhook.cluster import Cluster
from webhook.events import Recorder
from webhook.hooks import Hooks
from webhook.index import Index
from webhook.metrics import Metrics
from webhook.reconciler import Reconciler
from webhook.reflector import Pace
from webhook.reporter import Reporter
from webhook.settings import Settings
from webhook.steps import Steps
from webhook.watcher import Watcher
from webhook.workers import Workers


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that `lockstep serve` runs, besides its listeners."""

    metrics: Metrics
    hooks: Hooks
    watcher: Watcher
    workers: Workers
    recorder: Recorder

    def start(self) -> None:
        """Start the threads: workers before the watches that give them work."""
        self.recorder.start()
        self.workers.start()
        self.watcher.start()

    def stop(self) -> None:
        """End the threads in the opposite order."""
        self.watcher.stop()
        self.workers.stop()
        self.recorder.stop()


def build(
    settings: Settings,
    cluster: Cluster,
    metrics: Metrics,
    pace: Pace = Pace(),  # noqa: B008
) -> Service:
    """A service on a cluster, not yet started."""
    recorder = Recorder(cluster)
    # To observe is to write nothing, so no Events either.
    told = None if settings.observe else recorder
    steps = Steps(settings.flux_patience)
    reporter = Reporter(metrics, steps, told, observe=settings.observe)
    reconciler = Reconciler(
        api=cluster,
        on_write=reporter.write,
        mesh=settings.mesh,
        patience=settings.flux_patience,
        observe=settings.observe,
    )
    index = Index()
    workers = Workers(reconciler, reporter, settings, index)
    watcher = Watcher(cluster, metrics, settings, workers.changed, index, pace)
    return Service(metrics, Hooks(reconciler, reporter, settings), watcher, workers, recorder)
