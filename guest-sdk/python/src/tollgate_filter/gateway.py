"""The gateway's interfaces, whoever stands behind them: the gateway itself in a component, a stand-in in tests."""

from __future__ import annotations

import importlib
from typing import Any

try:
    from componentize_py_types import Err
except ImportError:

    class Err(Exception):  # type: ignore[no-redef]
        """The error case of a result."""

        def __init__(self, value: Any):
            self.value = value


class GatewayError(Exception):
    """The gateway could not do what it was asked for. If a hook does not catch it, it is a fault, and ``str`` of it what the operator
    reads."""

    reasons: dict[str, str] = {}

    def __init__(self, kind: str, reason: str | None = None):
        super().__init__(reason or self.reasons.get(kind, kind))
        self.kind = kind
        """Which error it is, as the interface names it, such as ``not-granted``."""


class _StandIn:
    """Finds what tests have put in the place of an interface, each time that it is used."""

    installed: dict[str, Any] = {}

    def __init__(self, interface: str):
        self._interface = interface

    def __getattr__(self, function: str) -> Any:
        if self._interface not in self.installed:
            raise RuntimeError(f"there is no gateway to offer {self._interface!r}; make a TestGateway first")
        return getattr(self.installed[self._interface], function)


def interface(name: str) -> Any:
    """The functions of an interface."""
    try:
        importlib.import_module("wit_world")
    except ImportError:
        return _StandIn(name)
    try:
        return importlib.import_module(f"wit_world.imports.{name}")
    except ImportError:
        raise ImportError(f'the filter uses {name!r}: write "{name}" to "imports" of manifest.json') from None


def milliseconds(seconds: float) -> int:
    """Rounded up: a short time is not for good."""
    return -int(-seconds * 1000 // 1)
