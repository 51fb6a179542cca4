"""Counters, gauges and histograms on the gateway's ``/metrics``. Needs ``"metrics"`` among the imports of ``manifest.json``. Define them in
the constructor of the filter, and keep them::

    from tollgate_filter import metrics

    self.refused = metrics.counter("refused_total", "Requests that were refused", "reason")
    ...
    self.refused.of("no key").add()
"""

from __future__ import annotations

from typing import Any

from .gateway import Err, GatewayError, interface

_metrics = interface("metrics")


class Error(GatewayError):
    """Why a metric cannot be defined: ``invalid``, ``conflict`` or ``too-many``."""

    reasons = {"too-many": "the policy has 32 metrics already"}


class Series:
    """A metric with values for its labels."""

    def __init__(self, series: int):
        self._series = series

    def add(self, amount: int = 1) -> None:
        """Adds to a counter."""
        _metrics.add(self._series, amount)

    def set(self, value: float) -> None:
        """Sets a gauge."""
        _metrics.set(self._series, value)

    def adjust(self, by: float) -> None:
        """Changes a gauge by an amount, which may be negative."""
        _metrics.adjust(self._series, by)

    def observe(self, value: float) -> None:
        """Adds a value to a histogram."""
        _metrics.observe(self._series, value)


class Metric:
    """A metric with labels."""

    def __init__(self, metric: int):
        self._metric = metric
        self._known: dict[tuple[str, ...], Series] = {}

    def of(self, *values: str) -> Series:
        """The series with these values, in the order of the labels."""
        series = self._known.get(values)
        if series is None:
            series = Series(_metrics.get(self._metric, list(values)))
            # Beyond that, the gateway has no series of their own for them.
            if len(self._known) < 100:
                self._known[values] = series
        return series

    def add(self, amount: int = 1) -> None:
        """Adds to a counter without labels; as does everything below to such a metric."""
        self.of().add(amount)

    def set(self, value: float) -> None:
        """Sets a gauge."""
        self.of().set(value)

    def adjust(self, by: float) -> None:
        """Changes a gauge by an amount."""
        self.of().adjust(by)

    def observe(self, value: float) -> None:
        """Adds a value to a histogram."""
        self.of().observe(value)


def counter(name: str, help: str, *labels: str) -> Metric:
    """What only grows; its name ends in ``_total``."""
    return _define("COUNTER", name, help, labels, ())


def gauge(name: str, help: str, *labels: str) -> Metric:
    """What goes up and down."""
    return _define("GAUGE", name, help, labels, ())


def histogram(name: str, help: str, *labels: str, buckets: tuple[float, ...] = ()) -> Metric:
    """How often values were within bounds; none for the usual ones, from 0.0005 to 10."""
    return _define("HISTOGRAM", name, help, labels, buckets)


def _define(kind: str, name: str, help: str, labels: tuple[str, ...], buckets: Any) -> Metric:
    try:
        definition = _metrics.Definition(getattr(_metrics.Kind, kind), name, help, list(labels), list(buckets))
        return Metric(_metrics.define(definition))
    except Err as error:
        case = type(error.value).__name__
        kind = {"Error_Invalid": "invalid", "Error_Conflict": "conflict"}.get(case, "too-many")
        raise Error(kind, getattr(error.value, "value", None)) from None
