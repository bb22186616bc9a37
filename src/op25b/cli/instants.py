"""The instant a question is about: `--at`, or now in the provider's zone. The only clock of the read-only commands."""

from __future__ import annotations

from datetime import datetime, tzinfo

from op25b.errors import UserError


def instant(text: str | None, zone: tzinfo, option: str = "--at") -> datetime:
    """The instant that `text` names (ISO 8601 with an offset), in that offset; now in `zone` when it is None.

    Raises UserError for anything else; a time without an offset is refused, since it means two things.
    """
    if text is None:
        return datetime.now(zone)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        example = datetime(2008, 4, 1, tzinfo=zone).isoformat()
        raise UserError(f"{option} {text!r} is not a time; write date, time and offset, such as {example}") from None
    if at.tzinfo is None:
        meant = at.replace(tzinfo=zone).isoformat()
        raise UserError(f"{option} {text!r} has no offset from UTC; write {meant} if the provider's time is meant")
    return at
