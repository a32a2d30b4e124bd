"""What Prometheus may read: requests, sockets, fan-out, actors by class, and how late the loop runs.

No ids and no names of users as labels: a label's values are few and known.
"""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from veza.actors.fanout import FanOutCounters
from veza.actors.messages.operator import TotalsRead
from veza.actors.messages.ops import ClassTotals, NodeFigures
from veza.actors.messages.presence import OnlineCounted

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
        self._frames_of: dict[str, Counter] = {}
        self._requests_of: dict[tuple[str, str, str], Counter] = {}
        """Looking a counter up by its labels takes longer than counting; of labels there are few."""
        self._durations_of: dict[tuple[str, ...], Histogram] = {}
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
        named = (route, known, f"{status // 100}xx")
        counter = self._requests_of.get(named)
        if counter is None:
            counter = self._requests_of[named] = self._requests.labels(*named)
        counter.inc()
        if status != HTTPStatus.SWITCHING_PROTOCOLS:
            timed = self._durations_of.get(named[:2])
            if timed is None:
                timed = self._durations_of[named[:2]] = self._durations.labels(route, known)
            timed.observe(seconds)

    def count_frame(self, kind: str) -> None:
        """Count one frame of a client; `kind` is a known type or says why it is none."""
        counter = self._frames_of.get(kind)
        if counter is None:
            counter = self._frames_of[kind] = self._frames.labels(kind)
        counter.inc()

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
    """What the operator of the node told last: sums over the actors of each class, and the node's figures."""

    def __init__(self) -> None:
        self._classes: tuple[ClassTotals, ...] = ()
        self._node: NodeFigures | None = None
        self._online: OnlineCounted | None = None

    def keep(self, totals: object, node: object, online: object) -> None:
        """Take what was told just now; whatever else the answer was, there is nothing to show then."""
        self._classes = totals.classes if isinstance(totals, TotalsRead) else ()
        self._node = node if isinstance(node, NodeFigures) else None
        self._online = online if isinstance(online, OnlineCounted) else None

    def collect(self) -> Iterable[Metric]:
        """Tell the actors by class, then the node."""
        for kind, name, text, attribute in _OF_CLASSES:
            family = kind(name, text, labels=("class",))
            for each in self._classes:
                family.add_metric((each.class_name,), getattr(each, attribute))
            yield family
        for kind, name, text, attribute in _OF_NODE:
            family = kind(name, text, labels=())
            if self._node is not None:
                scale = _SECONDS_PER_MS if attribute.endswith("_ms") else 1
                family.add_metric((), getattr(self._node, attribute) * scale)
            yield family
        for kind, name, text, attribute in _OF_PRESENCE:
            family = kind(name, text, labels=())
            if self._online is not None:
                family.add_metric((), getattr(self._online, attribute))
            yield family
        bus = self._node.bus if self._node is not None else None
        for kind, name, text, attribute in _OF_BUS:
            family = kind(name, text, labels=())
            if bus is not None:
                family.add_metric((), getattr(bus, attribute))
            yield family


_Kind = type[GaugeMetricFamily] | type[CounterMetricFamily]
_SECONDS_PER_MS = 0.001
_OF_CLASSES: tuple[tuple[_Kind, str, str, str], ...] = (
    (GaugeMetricFamily, "veza_actor_up", "Actors alive", "alive"),
    (GaugeMetricFamily, "veza_actor_mailbox_messages", "Messages that wait", "mailbox"),
    (
        GaugeMetricFamily,
        "veza_actor_mailbox_oldest_age_seconds",
        "Age of the oldest waiting message",
        "head_age_seconds",
    ),
    (CounterMetricFamily, "veza_actor_messages", "Messages handled", "messages"),
    (CounterMetricFamily, "veza_actor_errors", "Handlers that failed", "errors"),
    (CounterMetricFamily, "veza_actor_dropped", "Messages that found a mailbox full", "dropped"),
    (CounterMetricFamily, "veza_actor_restarts", "Restarts", "restarts"),
    (CounterMetricFamily, "veza_actor_busy_seconds", "Time in handlers", "busy_seconds"),
)
"""What is told of each class: the attribute of `ClassTotals` is last."""

_OF_NODE: tuple[tuple[_Kind, str, str, str], ...] = (
    (CounterMetricFamily, "veza_dead_letters", "Messages no handler saw", "dead_letters"),
    (CounterMetricFamily, "veza_crashes", "Handlers and actors that crashed", "crashes"),
    (GaugeMetricFamily, "veza_run_queue_actors", "Actors that wait for their turn", "run_queue"),
    (
        GaugeMetricFamily,
        "veza_eventloop_lag_max_seconds",
        "Longest wait for the event loop in the last minute",
        "loop_lag_max_ms",
    ),
    (
        GaugeMetricFamily,
        "veza_gc_pause_max_seconds",
        "Longest pause of the garbage collector in the last minute",
        "gc_pause_max_ms",
    ),
    (GaugeMetricFamily, "veza_open_files", "Open file descriptors", "open_files"),
    (GaugeMetricFamily, "veza_open_files_limit", "Most there may be", "open_files_limit"),
    (
        GaugeMetricFamily,
        "veza_db_pool_connections",
        "Connections to PostgreSQL at work",
        "database_connections",
    ),
    (
        GaugeMetricFamily,
        "veza_db_pool_connections_limit",
        "Most there may be",
        "database_connections_limit",
    ),
)
"""What is told of the node: the attribute of `NodeFigures` is last, milliseconds become seconds."""

_OF_PRESENCE: tuple[tuple[_Kind, str, str, str], ...] = (
    (GaugeMetricFamily, "veza_users_online", "Users with a device on this node", "users"),
    (GaugeMetricFamily, "veza_devices_online", "Devices that count for presence", "devices"),
    (GaugeMetricFamily, "veza_presence_rooms", "Rooms that are told who is there", "rooms"),
)
"""What is told of presence: the attribute of `OnlineCounted` is last."""

_OF_BUS: tuple[tuple[_Kind, str, str, str], ...] = (
    (GaugeMetricFamily, "veza_bus_up", "Whether other nodes can be told", "is_up"),
    (GaugeMetricFamily, "veza_bus_rooms", "Rooms that other nodes are heard of", "rooms"),
    (CounterMetricFamily, "veza_bus_told", "Events told to other nodes", "told"),
    (CounterMetricFamily, "veza_bus_heard", "Events heard from other nodes", "heard"),
    (CounterMetricFamily, "veza_bus_dropped", "Events that could not be told", "dropped"),
    (CounterMetricFamily, "veza_bus_news_told", "News told to other nodes", "news_told"),
    (CounterMetricFamily, "veza_bus_news_heard", "News heard from other nodes", "news_heard"),
    (CounterMetricFamily, "veza_bus_news_dropped", "News that could not be told", "news_dropped"),
    (CounterMetricFamily, "veza_bus_unreadable", "Messages of no known version", "unreadable"),
    (CounterMetricFamily, "veza_bus_losses", "How often Redis went away", "losses"),
)
"""What is told of the bus, if there are other nodes: the attribute of `BusFigures` is last."""
