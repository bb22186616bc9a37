"""Whether this kernel has Landlock, and which version of it (landlock_create_ruleset(2))."""

from __future__ import annotations

import ctypes

import pytest

VERSION = ctypes.CDLL(None).syscall(444, None, 0, 1)
HAS_LANDLOCK = pytest.mark.skipif(VERSION < 1, reason="this kernel has no Landlock")
