"""Outbound Port 25 Blocking as one system, from one reviewed policy file."""

__version__ = "0.1.0"
