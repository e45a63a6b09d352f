"""How often something may be done, by whom: requests a minute, and wrong passwords. Kept in memory: it counts in one
server process, and begins anew with it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

_MANY: Final = 10_000
"""Keys after which those that no longer matter are forgotten."""
_DAY: Final = 86_400.0
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many in so many seconds, each key for itself: a bucket that fills up again evenly."""

    count: int
    seconds: float
    clock: Clock = time.monotonic
    _levels: dict[str, tuple[float, float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wait_seconds(self, key: str) -> float:
        """Takes one; 0, or how long to wait when there is none."""
        with self._lock:
            moment = self.clock()
            if len(self._levels) > _MANY:
                self._forget(moment)
            level = self._level(key, moment)
            if level < 1:
                return (1 - level) * self.seconds / self.count
            self._levels[key] = (level - 1, moment)
            return 0.0

    def _level(self, key: str, moment: float) -> float:
        level, then = self._levels.get(key, (float(self.count), moment))
        return min(float(self.count), level + (moment - then) * self.count / self.seconds)

    def _forget(self, moment: float) -> None:
        for key in [key for key in self._levels if self._level(key, moment) >= self.count]:
            del self._levels[key]


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """So many failures without a success, then a wait that doubles with each further one, up to a day."""

    count: int = 5
    seconds: float = 900.0
    clock: Clock = time.monotonic
    _failures: dict[str, tuple[int, float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wait_seconds(self, key: str) -> float:
        """Counts an attempt, as a failure until `succeeded` is called; 0, or how long to wait before one is allowed."""
        with self._lock:
            moment = self.clock()
            if len(self._failures) > _MANY:
                self._forget(moment)
            count, last = self._failures.get(key, (0, moment))
            if self._is_over(count, last, moment):
                count = 0
            wait = last + self._pause(count) - moment
            if wait > 0:
                return wait
            self._failures[key] = (count + 1, moment)
            return 0.0

    def succeeded(self, key: str) -> None:
        """Forgets the failures of a key."""
        with self._lock:
            self._failures.pop(key, None)

    def forgive(self, key: str) -> None:
        """Takes the last attempt of a key back, for a success that says nothing about the others."""
        with self._lock:
            count, last = self._failures.get(key, (1, 0.0))
            self._failures[key] = (count - 1, last)

    def _pause(self, count: int) -> float:
        return 0.0 if count < self.count else min(_DAY, self.seconds * 2.0 ** min(count - self.count, 20))

    def _is_over(self, count: int, last: float, moment: float) -> bool:
        return moment - last >= (self.seconds if count < self.count else _DAY)

    def _forget(self, moment: float) -> None:
        for key in [key for key, (count, last) in self._failures.items() if self._is_over(count, last, moment)]:
            del self._failures[key]
