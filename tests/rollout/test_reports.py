"""Bounces of later hosts: read from a Maildir and from an mbox; what is no report on a notice is passed over."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest

from op25b.errors import UserError
from op25b.rollout import reports

REPORT = """\
From: MAILER-DAEMON@mx.friends.example
To: notice@nmtnet.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.friends.example
{envid}

Final-Recipient: rfc822; taro@friends.example
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no \x1b[2Jsuch
 user

--b
Content-Type: text/rfc822-headers

Subject: x

--b--
"""
KEY = "op25b-once.00ff"


def report(envid: str = f"Original-Envelope-Id: {KEY}", action: str = "failed") -> bytes:
    return REPORT.format(envid=envid, action=action).encode()


MAILS = [
    report(),
    report(action="delayed"),
    report(envid="Original-Envelope-Id: other"),
    report(envid="X-Nothing: op25b-once.1"),
    b"Subject: I am on holiday\n\nop25b-once.1\n",
    b"Content-Type: message/delivery-status\n\nop25b-once.1",
    b"Subject: huge\n\n" + b"op25b-once. " * (1 << 17),
    b"\xff\xfe op25b-once.",
]


@pytest.mark.parametrize("kind", [mailbox.Maildir, mailbox.mbox])
def test_found(tmp_path: Path, kind: type[mailbox.Mailbox[mailbox.Message]]) -> None:
    path = tmp_path / "box"
    box = kind(path)
    for mail in MAILS:
        box.add(mail)
    box.flush()
    box.close()
    ((key, said),) = reports.failed(path)
    assert key == KEY
    assert said.startswith("5.1.1 smtp; 550 5.1.1 no")
    assert said.isprintable()


def test_a_box_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        list(reports.failed(tmp_path / "box"))
