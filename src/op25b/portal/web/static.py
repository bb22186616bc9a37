"""The files that pages need besides themselves: style and script. Each has its content's hash in its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

OURS = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
"""What is served; other files in the folder, such as licences, are not."""
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@dataclass(frozen=True)
class _File:
    content: bytes
    media_type: str


class Static:
    """The files of some folders, as they are when it is made."""

    def __init__(self, folders: Iterable[Path] = (OURS,)) -> None:
        self._urls: dict[str, str] = {}
        self._files: dict[str, _File] = {}
        for path in (path for folder in folders for path in sorted(folder.iterdir())):
            if path.suffix in TYPES:
                content = path.read_bytes()
                named = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
                self._urls[path.name] = f"/static/{named}"
                self._files[named] = _File(content, TYPES[path.suffix])

    def url(self, name: str) -> str:
        """Where `name` is. Raises KeyError for a file that there is not: a fault of a template."""
        return self._urls[name]

    def route(self) -> Route:
        """Serves them."""

        async def file(request: Request) -> Response:
            found = self._files.get(request.path_params["name"])
            if found is None:
                raise HTTPException(404)
            return Response(found.content, media_type=found.media_type, headers=_FOR_EVER)

        return Route("/static/{name}", file)
