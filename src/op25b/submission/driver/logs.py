"""Structured logs: one JSON object a line on standard error, for the journal. Nothing that is logged holds a secret."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import MutableMapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger, Processor

AT_ONCE = 4096
"""Octets that a pipe takes as one write (PIPE_BUF), whatever other processes write to it."""

_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class Lines:
    """What is news within one turn of an event loop is written together; what needs a look, at once."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def info(self, line: str) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or no loop
            self.msg(line)
            return
        self._waiting.append(line + "\n")
        if len(self._waiting) == 1:
            loop.call_soon(self._write)

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    warning = error = critical = exception = msg

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        text = ""
        for line in waiting:
            if len(text) + len(line) > AT_ONCE:
                sys.stderr.write(text)
                sys.stderr.flush()
                text = ""
            text += line
        sys.stderr.write(text)
        sys.stderr.flush()


def start(name: str) -> FilteringBoundLogger:
    """The log of this process, `name` in each line. What libraries log goes there as well."""
    lines = Lines()
    structlog.configure(
        processors=[*_SHARED, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    renderer = structlog.processors.JSONRenderer(_render)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=_SHARED))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    log: FilteringBoundLogger = structlog.get_logger().bind(process=name)
    return log


def _render(event: dict[str, Any], **_: Any) -> str:
    # json.dumps would make an encoder for each line
    return _encode(event)


def _stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    now = time.time()
    second = int(now)
    date, zone = _to_the_second(second)
    event["timestamp"] = f"{date}.{int((now - second) * 1e6):06}{zone}"
    return event


@lru_cache(maxsize=4)
def _to_the_second(at: int) -> tuple[str, str]:
    text = datetime.fromtimestamp(at).astimezone().isoformat()
    return text[:19], text[19:]


_SHARED: list[Processor] = [structlog.processors.add_log_level, _stamp]
