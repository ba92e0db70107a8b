"""What is counted, for Prometheus: a registry for each application, labels only from closed lists.

The names of sources of lists are those that the operator configured.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from underwing.engine.runner import Answer
from underwing.model import Event

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4.encode()
_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class _Seen(msgspec.Struct):
    signal: str
    event: str


class _Glance(msgspec.Struct):
    event: str
    level: str
    reasons: list[_Seen]
    test: bool = False


class Metrics:
    """The service's counters and gauges, and how they are written out."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, int], tuple[Histogram, Counter]] = {}
        self._sources: set[str] = set()
        self._registry = registry = CollectorRegistry()
        self._glance = msgspec.json.Decoder(_Glance).decode
        self.events = Counter(
            "underwing_events",
            "Events decided on, by type and surface.",
            ["type", "surface"],
            registry=registry,
        )
        self.repeated = Counter(
            "underwing_events_repeated", "Events that had been answered before.", registry=registry
        )
        self.rejected = Counter(
            "underwing_rejected", "Events and requests refused, by reason.", ["reason"], registry=registry
        )
        self.decisions = Counter("underwing_decisions", "Decisions, by level.", ["level"], registry=registry)
        self.signals = Counter(
            "underwing_signals", "Signals that decided, by their id.", ["signal"], registry=registry
        )
        self.tests = Counter("underwing_test_decisions", "Decisions on test phrases.", registry=registry)
        self.latency = Histogram(
            "underwing_request_seconds",
            "Time to answer a request.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self.requests = Counter("underwing_requests", "Requests.", ["route", "status"], registry=registry)
        self.waiting = Gauge("underwing_queue_events", "Events waiting for the engine.", registry=registry)
        self.batch = Histogram(
            "underwing_batch_events", "Events committed together.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000), registry=registry,
        )  # fmt: skip
        self.faults = Counter("underwing_faults", "Events that failed inside.", ["kind"], registry=registry)
        self.policy_invalid = Gauge(
            "underwing_policy_invalid",
            "1 while the last good policy is kept instead of its file.",
            registry=registry,
        )
        self.policy_reloads = Counter(
            "underwing_policy_reloads", "Policy files taken over.", registry=registry
        )

        self.media_checked = Counter(
            "underwing_media_checked",
            "Files and hashes checked, by verdict.",
            ["what", "verdict"],
            registry=registry,
        )
        self.media_scored = Counter(
            "underwing_media_scored",
            "Files that the classifier was asked about, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self.media_waiting = Gauge(
            "underwing_media_in_flight", "Files that come in or are being checked.", registry=registry
        )
        self.media_seconds = Histogram(
            "underwing_media_seconds", "Time to look at a file, to match its hashes.", ["step"], buckets=_BUCKETS,
            registry=registry,
        )  # fmt: skip
        self.media_deaths = Gauge(
            "underwing_media_worker_deaths",
            "Worker processes that died or were ended over a file.",
            registry=registry,
        )

        self.exchange_success = Gauge(
            "underwing_exchange_last_success_seconds",
            "When a source of lists was last read to its end, in epoch seconds; 0: never.",
            ["source"],
            registry=registry,
        )
        self.exchange_failures = Gauge(
            "underwing_exchange_failures", "Failures of a source in a row.", ["source"], registry=registry
        )
        self.exchange_entries = Counter(
            "underwing_exchange_entries",
            "What sources of lists brought: entries, and withdrawals.",
            ["source", "what"],
            registry=registry,
        )
        self.exchanges_late = Gauge(
            "underwing_exchanges_late",
            "Sources from which nothing came for too long: withdrawals may be missed.",
            registry=registry,
        )
        self.exchange_problem = Gauge(
            "underwing_exchanges_unusable", "1 while the sources cannot be asked at all.", registry=registry
        )

        self._streams_now: Callable[[], Mapping[str, int]] = dict
        self.streams = Gauge(
            "underwing_streams",
            "Live streams under watch, by what can be seen.",
            ["state"],
            registry=registry,
        )
        for state in ("opening", "watching", "unseen"):
            self.streams.labels(state).set_function(partial(self._streams_in, state))
        self.watcher_deaths = Gauge(
            "underwing_stream_watcher_deaths", "Watcher processes that died or were ended.", registry=registry
        )
        self.stream_actions = Counter(
            "underwing_stream_actions",
            "Actions on streams, by outcome.",
            ["action", "outcome"],
            registry=registry,
        )

    def watch_streams(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Tell from now on how many streams there are in each state."""
        self._streams_now = counts

    def _streams_in(self, state: str) -> int:
        return self._streams_now().get(state, 0)

    def exchanges(self, numbers: Mapping[str, tuple[int, int]]) -> None:
        """How the configured sources do: (last success, failures) by name. Those that are gone are forgotten."""
        for gone in self._sources - set(numbers):
            self.exchange_success.remove(gone)
            self.exchange_failures.remove(gone)
        self._sources = set(numbers)
        for name, (success, failures) in numbers.items():
            self.exchange_success.labels(name).set(success)
            self.exchange_failures.labels(name).set(failures)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        children = self._children.get((route, status))
        if children is None:
            children = self.latency.labels(route), self.requests.labels(route, str(status))
            self._children[route, status] = children
        children[0].observe(seconds)
        children[1].inc()

    def count(self, events: Iterable[Event], answers: Iterable[Answer]) -> None:
        """Count a committed batch."""
        kinds: Tally[tuple[str, str]] = Tally()
        levels: Tally[str] = Tally()
        signals: Tally[str] = Tally()
        repeated = tests = size = 0
        for event, answer in zip(events, answers, strict=True):
            size += 1
            if answer.repeated:
                repeated += 1
                continue
            kinds[str(event.__struct_config__.tag), getattr(event, "surface", "")] += 1
            seen = self._glance(answer.body)
            if seen.test:
                tests += 1
                continue
            levels[seen.level] += 1
            if seen.reasons:
                signals.update(reason.signal for reason in seen.reasons if reason.event == seen.event)
        for (kind, surface), n in kinds.items():
            self.events.labels(kind, surface).inc(n)
        for level, n in levels.items():
            self.decisions.labels(level).inc(n)
        for signal, n in signals.items():
            self.signals.labels(signal).inc(n)
        self.repeated.inc(repeated)
        self.tests.inc(tests)
        self.batch.observe(size)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
