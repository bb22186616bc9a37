"""The spool: what was acknowledged survives kill -9 and loss of power, and is delivered at least once.

A folder on a local disk. Several workers take messages in (`Spool`), one process relays them (`Reader`, exclusive),
commands look and mark (`Reader`).

    sequence                   the number of the last run
    1K3V9QR.run                one worker's run: locked while it lives, says how far its log is committed
    1K3V9QR.000001.log         messages, appended and synced group by group (see frames)
    1K3V9QR.000001.marks       what became of them (see marks)
    1K3V9QR-4D.body            the body of a large message, whose line is in a log
    relay.lock                 locked by the process that relays
    relay.bell                 a named pipe: something new is there
    aside/                     what was found half written
"""

from op25b.processes.commit import Done
from op25b.submission.spool.envelope import Envelope, Origin, Recipient
from op25b.submission.spool.errors import Damaged, Gone, SpoolError, SpoolFull
from op25b.submission.spool.marks import Mark, RecipientStatus, State, Status
from op25b.submission.spool.reader import Damage, Marker, Reader, Scan
from op25b.submission.spool.segment import Message
from op25b.submission.spool.writer import Entry, Spool

__all__ = [
    "Damage",
    "Damaged",
    "Done",
    "Entry",
    "Envelope",
    "Gone",
    "Mark",
    "Marker",
    "Message",
    "Origin",
    "Reader",
    "Recipient",
    "RecipientStatus",
    "Scan",
    "Spool",
    "SpoolError",
    "SpoolFull",
    "State",
    "Status",
]
