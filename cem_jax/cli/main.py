"""The command's beginning and end: how it is interrupted, how an error is told, its status.

Nothing is imported here but what Python has loaded itself: from the first moment on, Ctrl-C is one
line and a status.
"""

import _thread
import os
import signal
import sys
import threading
import weakref
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit status that shells give to Ctrl-C."""
_LINE = "cem-jax: interrupted; the same command continues\n"


def _leave(number: int = 0, frame: FrameType | None = None) -> NoReturn:
    """Ends the process at once, where nothing is open that would have to be closed."""
    os.write(2, _LINE.encode())
    os._exit(INTERRUPTED)


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C, as an exception that is seen to vanish (plain ones cannot be referred to weakly)."""


_raised: "weakref.ref[_Interrupted] | None" = None
"""The last one; a weak reference that nobody holds would tell nothing."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C: an exception, but not within an import, which libraries take for a missing one."""
    global _raised
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _leave()
        frame = frame.f_back
    interrupted = _Interrupted()
    _raised = weakref.ref(interrupted, _come_again)
    try:
        raise interrupted
    finally:
        del interrupted  # this frame, which its traceback holds, would keep it from vanishing


def _come_again(vanished: object) -> None:
    """Somebody swallowed it, as callbacks of JAX in C++ do: it comes again, until it arrives."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        again = threading.Timer(0.1, _interrupt_unless_answered)
        again.daemon = True
        again.start()


def _interrupt_unless_answered() -> None:
    """Not where the command ends already: it may have vanished into a status."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        _thread.interrupt_main()


def _tell_unraisable(ignored: "sys.UnraisableHookArgs") -> None:
    """An interrupt that a callback cannot raise is no news: it comes again."""
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(ignored)


def _answer_interrupts_by(answer: signal.Handlers | object) -> None:
    """Where a shell has this process ignore them, as in the background, it goes on to do so."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, answer)  # pyright: ignore[reportArgumentType]


def main() -> NoReturn:
    """Entry point: status 0 if all was done, 2 and one line for bad input, 130 if interrupted."""
    _answer_interrupts_by(_interrupt)
    sys.unraisablehook = _tell_unraisable
    try:
        from cem_jax.cli.cli import run

        status = run(sys.argv[1:], lambda: _raised is not None)
        sys.stdout.flush()
    except KeyboardInterrupt:
        _answer_interrupts_by(_leave)
        status = INTERRUPTED
    except BrokenPipeError:  # who read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    _answer_interrupts_by(_leave)
    if status == INTERRUPTED:
        others = [one for one in threading.enumerate() if not isinstance(one, threading.Timer)]
        if len(others) > 1:  # what they compute would be waited for, or end in a crash
            _leave()
        sys.stderr.write(_LINE)
    sys.exit(status)
