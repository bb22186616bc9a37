"""An envelope is written down whole."""

from __future__ import annotations

import json
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from op25b.submission.spool.envelope import Envelope, Origin, Recipient, from_fields, to_fields

# Lone surrogates stand for bytes that were no UTF-8.
text = st.text(st.characters(codec=None), max_size=20)
maybe = st.none() | text
times = st.datetimes(timezones=st.just(UTC))
envelopes = st.builds(
    Envelope,
    sender=text,
    recipients=st.lists(st.builds(Recipient, text, st.lists(text, max_size=2).map(tuple), maybe), max_size=3).map(
        tuple
    ),
    arrived=times,
    origin=st.builds(Origin, text, text, text, maybe, maybe),
    body=text,
    smtputf8=st.booleans(),
    requiretls=st.booleans(),
    ret=maybe,
    envid=maybe,
    hold_until=st.none() | times,
    held=maybe,
    notes=st.dictionaries(text, text, max_size=2),
)


@given(envelopes)
def test_written_and_read_back(envelope: Envelope) -> None:
    line = json.dumps(to_fields(envelope))
    assert "\n" not in line
    assert from_fields(json.loads(line)) == envelope
