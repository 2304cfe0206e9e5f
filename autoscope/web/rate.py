"""How often something may be tried."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

_REMEMBERED = 4096


class RateLimit:
    """At most so many failures in a window of time, for each address by itself.

    Args:
        allowed: failures in one window.
        window_s: its length.
        clock: seconds that only grow.
    """

    def __init__(self, allowed: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._allowed, self._window_s, self._clock = allowed, window_s, clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> float:
        """Seconds until an address may try again; 0 where it may now."""
        with self._lock:
            times = self._recent(address)
            if len(times) < self._allowed:
                return 0.0
            return max(0.0, times[0] + self._window_s - self._clock())

    def failed(self, address: str) -> None:
        """Books a failure; the addresses that failed longest ago are forgotten when there are too many."""
        with self._lock:
            times = self._failures.setdefault(address, deque(maxlen=self._allowed))
            times.append(self._clock())
            self._failures.move_to_end(address)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._failures.get(address, deque())
        while times and times[0] <= self._clock() - self._window_s:
            times.popleft()
        return times
