"""Set-up that sets itself up: what a mail program must know, from the policy, in each program's own format."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
