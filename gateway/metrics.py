"""What Prometheus may read: requests, sockets, fan-out, actors by class, and how late the loop runs.

No ids and no names of users as labels: a label's values are few and known.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from veza.actors.fanout import FanOutCounters
from veza.actors.messages.ops import ActorNode

LAG_PERIOD_SECONDS = 0.5
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counters of one gateway, in a registry of its own."""

    def __init__(self, version: str) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Counter(
            "veza_http_requests",
            "Requests answered",
            ("route", "method", "status_class"),
            registry=registry,
        )
        self._durations = Histogram(
            "veza_http_request_duration_seconds",
            "Time from a request's head to its answer's end",
            ("route", "method"),
            buckets=_DURATIONS,
            registry=registry,
        )
        self._frames = Counter("veza_ws_frames", "Frames of clients", ("type",), registry=registry)
        self._closes = Counter("veza_ws_closes", "WebSockets closed", ("code",), registry=registry)
        self._lag = Histogram(
            "veza_eventloop_lag_seconds",
            "How late the event loop runs a timer",
            buckets=_DURATIONS,
            registry=registry,
        )
        registry.register(BuildCollector(version))

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is the template, never the path."""
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, f"{status // 100}xx").inc()
        if status != HTTPStatus.SWITCHING_PROTOCOLS:
            self._durations.labels(route, known).observe(seconds)

    def count_frame(self, kind: str) -> None:
        """Count one frame of a client; `kind` is a known type or says why it is none."""
        self._frames.labels(kind).inc()

    def count_close(self, code: int) -> None:
        """Count one WebSocket that this side closed."""
        self._closes.labels(str(code)).inc()

    def watch(self, collector: Collector) -> None:
        """Add something that is asked at each scrape."""
        self.registry.register(collector)

    def exposition(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    async def measure_lag(self) -> None:
        """Measure how late the loop runs, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_PERIOD_SECONDS
            await asyncio.sleep(LAG_PERIOD_SECONDS)
            self._lag.observe(max(0.0, loop.time() - due))


class BuildCollector(Collector):
    """Which version runs."""

    def __init__(self, version: str) -> None:
        self._version = version

    def collect(self) -> Iterable[Metric]:
        """Tell the version as a label."""
        family = GaugeMetricFamily("veza_build_info", "This build", labels=("version",))
        family.add_metric((self._version,), 1)
        yield family


class FanOutCollector(Collector):
    """What the fan-out hub counted, and how many sockets are open."""

    def __init__(self, counters: FanOutCounters, open_sockets: Callable[[], int]) -> None:
        self._counters = counters
        self._open_sockets = open_sockets

    def collect(self) -> Iterable[Metric]:
        """Tell the hub's totals."""
        counters = self._counters
        yield GaugeMetricFamily(
            "veza_ws_connections", "Open WebSockets", value=self._open_sockets()
        )
        for name, text, value in (
            ("published", "Events published", counters.published),
            ("delivered", "Frames handed to connections", counters.delivered),
            ("dropped_volatile", "Volatile frames dropped", counters.dropped_volatile),
            ("slow_consumers", "Connections closed as too slow", counters.slow_consumers),
        ):
            yield CounterMetricFamily(f"veza_fanout_{name}", text, value=value)


class ActorCollector(Collector):
    """The supervision tree, summed by class over the actors alive now."""

    def __init__(self, tree: Callable[[], ActorNode]) -> None:
        self._tree = tree

    def collect(self) -> Iterable[Metric]:
        """Tell how many actors of each class there are and what waits for them."""
        by_class: dict[str, list[ActorNode]] = {}
        for node in walk(self._tree()):
            by_class.setdefault(node.class_name, []).append(node)
        for name, text, measure in _ACTOR_GAUGES:
            family = GaugeMetricFamily(f"veza_actor_{name}", text, labels=("class",))
            for class_name, nodes in by_class.items():
                family.add_metric((class_name,), measure(nodes))
            yield family


_Nodes = list[ActorNode]
_ACTOR_GAUGES: tuple[tuple[str, str, Callable[[_Nodes], float]], ...] = (
    ("up", "Actors alive", len),
    (
        "mailbox_messages",
        "Messages that wait in mailboxes",
        lambda nodes: sum(node.mailbox for node in nodes),
    ),
    (
        "mailbox_oldest_age_seconds",
        "Age of the oldest waiting message",
        lambda nodes: max(node.head_age_ms for node in nodes) / 1000,
    ),
    (
        "handled_messages",
        "Messages handled by the actors alive",
        lambda nodes: sum(node.messages for node in nodes),
    ),
    (
        "handler_errors",
        "Handlers of the actors alive that failed",
        lambda nodes: sum(node.errors for node in nodes),
    ),
    (
        "restarts",
        "Restarts of the actors alive",
        lambda nodes: sum(node.restarts for node in nodes),
    ),
)


def walk(node: ActorNode) -> Iterator[ActorNode]:
    """Yield a node and all below it."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        waiting.extend(found.children)
        yield found
