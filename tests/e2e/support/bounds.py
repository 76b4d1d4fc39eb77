"""Every wait has a bound. FAIRLEAD_TEST_SLOW scales them for slow builds (sanitizers, valgrind)."""
import os
import threading
import time

SLOW = float(os.environ.get("FAIRLEAD_TEST_SLOW", "1"))
BOUND = 5.0 * SLOW  # seconds that a wait may take
QUIET = 0.15 * SLOW  # seconds in which something must not happen


class Late(AssertionError):
    """A bounded wait ran out."""


def words_of(what):
    """Words of what was waited for; a function makes them when the wait is over, of what there is then."""
    return what() if callable(what) else what


class Signal:
    """Lets one thread wait, bounded, for what another one makes true."""

    def __init__(self):
        self._changed = threading.Condition()

    def __enter__(self):
        return self._changed.__enter__()

    def __exit__(self, *what):
        self._changed.notify_all()
        return self._changed.__exit__(*what)

    def wait(self, question, what, bound=BOUND):
        """Return the first true value of question(), asked after each change."""
        end = time.monotonic() + bound
        with self._changed:
            while not (value := question()):
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    if value := question():
                        break
                    raise Late(f"not within {bound:g} s: {words_of(what)}")
            return value


def wait_until(question, what, bound=BOUND, step=0.005):
    """Return the first true value of question(). For facts that nobody announces (files, /proc)."""
    end = time.monotonic() + bound
    while not (value := question()):
        if time.monotonic() > end:
            raise Late(f"not within {bound:g} s: {words_of(what)}")
        time.sleep(step)
    return value


class Cue:
    """One player gives it, another waits for it; given n times it lets n waits pass."""

    def __init__(self):
        self._given = threading.Semaphore(0)

    def give(self):
        self._given.release()

    def wait(self, bound=BOUND):
        if not self._given.acquire(timeout=bound):
            raise Late(f"no cue within {bound:g} s")
