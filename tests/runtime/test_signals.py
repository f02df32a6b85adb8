"""SIGTERM as Ctrl-C: the block is left in order, and the old handler is back."""

from __future__ import annotations

import signal
import threading

import pytest

from mlref.runtime.signals import sigterm_as_ctrl_c


def test_sigterm_ends_the_block_as_ctrl_c_does() -> None:
    """With KeyboardInterrupt, and afterwards all is as before."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_nothing_changes() -> None:
    """Python lets only the main thread handle signals."""
    seen = []

    def work() -> None:
        with sigterm_as_ctrl_c():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
