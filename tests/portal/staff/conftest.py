from __future__ import annotations

from tests.portal.api.conftest import store
from tests.support.databases import postgresql, url

__all__ = ["postgresql", "store", "url"]
