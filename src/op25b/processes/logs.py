"""Structured logs: one JSON object a line on standard error, for the journal. Nothing that is logged holds a secret."""

from __future__ import annotations

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

_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def start(name: str) -> FilteringBoundLogger:
    """The log of this process, `name` in each line. What libraries warn of goes there as well."""
    structlog.configure(
        processors=[*_SHARED, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_render)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # written before the reply is: who has his 250 has his line
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    renderer = structlog.processors.JSONRenderer(_render)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=_SHARED))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
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
