"""The command's beginning and end: how it is interrupted, how an error is told, its status.

Nothing is imported here but what Python has loaded itself: from the first moment on, Ctrl-C is one
line and a status.
"""

import _thread
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit status that shells give to Ctrl-C."""
_LINE = "cem-jax: interrupted; the same command continues\n"


def _leave(number: int = 0, frame: FrameType | None = None) -> NoReturn:
    """Ends the process at once, where nothing is open that would have to be closed."""
    os.write(2, _LINE.encode())
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Ctrl-C: an exception, but not within an import, which libraries take for a missing one."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            _leave()
        frame = frame.f_back
    raise KeyboardInterrupt


def _interrupt_again(ignored: "sys.UnraisableHookArgs") -> None:
    """Ctrl-C inside a callback, as JAX has one for garbage collection, is lost: it comes again."""
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        threading.Timer(0.1, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(ignored)


def _answer_interrupts_by(answer: signal.Handlers | object) -> None:
    """Where a shell has this process ignore them, as in the background, it goes on to do so."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, answer)  # pyright: ignore[reportArgumentType]


def main() -> NoReturn:
    """Entry point: status 0 if all was done, 2 and one line for bad input, 130 if interrupted."""
    _answer_interrupts_by(_interrupt)
    sys.unraisablehook = _interrupt_again
    try:
        from cem_jax.cli.cli import run

        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # who read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    _answer_interrupts_by(_leave)
    if status == INTERRUPTED:
        sys.stderr.write(_LINE)
    sys.exit(status)
