"""The loop of a child process that parses files which nobody vouches for.

Whatever happens to a file here costs that file only: the process has limits of memory, processor time and file size of
its own, and the parent starts a new one when it dies. All of them hold on Linux; elsewhere on POSIX the memory limit is
missing; on Windows there is only the time limit, which the parent holds.
"""

import importlib
import logging
import os
import signal
import warnings
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

from lumbago.dicom.open_source import BadImageError
from lumbago.dicom.wire import WireError, read_message, write_message

REQUEST_SECONDS: Final = 20.0
MEMORY_BYTES: Final = 2 << 30

Reply = tuple[Mapping[str, Any], bytes | memoryview]
Handler = Callable[[Mapping[str, Any]], Reply]

resource = importlib.import_module("resource") if os.name == "posix" else None


def limit_memory() -> None:
    """Address space at most 2 GiB over what the process has now; no files, no core dumps."""
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    statm = Path("/proc/self/statm")
    if statm.exists():
        limit = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def limit_next_request() -> None:
    """Processor seconds for the next request; without it an orphaned child could spin for ever."""
    if resource is not None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(usage.ru_utime + usage.ru_stime + REQUEST_SECONDS) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _describe(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "asks for more memory than is allowed"
    if isinstance(error, RecursionError):
        return "nests its elements too deeply"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be opened: {error.strerror}"
    return f"cannot be decoded ({type(error).__name__}: {' '.join(str(error).split())[:200]})"


def answer(handlers: Mapping[str, Handler], request: Mapping[str, Any]) -> Reply:
    """The handler's reply, or `{"damaged": reason}`."""
    try:
        return handlers[request["do"]](request)
    except BadImageError as error:
        return {"damaged": str(error)}, b""
    except BaseException as error:  # noqa: BLE001 - decoders raise a dozen kinds, one of them (a Rust panic) no Exception
        return {"damaged": _describe(error)}, b""


def _talk(handlers: Mapping[str, Handler], requests: BufferedIOBase, replies: BufferedIOBase) -> None:
    write_message(replies, {"ready": os.getpid()})
    while (message := read_message(requests)) is not None:
        limit_next_request()
        write_message(replies, *answer(handlers, message[0]))


def serve(handlers: Mapping[str, Handler]) -> None:
    """Answers requests on standard input until it closes. Whatever decoders print goes nowhere."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        limit_memory()
        try:
            _talk(handlers, requests, replies)
        except (BrokenPipeError, WireError):
            return
