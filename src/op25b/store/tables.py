"""What the store holds. The migrations make these tables; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from op25b.store.columns import LARGE, Instant, Micros
from op25b.store.columns import metadata as metadata

_SECRET_IS_WHOLE = (
    "(scram_iterations IS NULL) = (scram_salt IS NULL)"
    " AND (scram_iterations IS NULL) = (scram_stored_key IS NULL)"
    " AND (scram_iterations IS NULL) = (scram_server_key IS NULL)"
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True, doc="as names.account_name gives it"),
    Column("password", Text, nullable=False, doc="a hash: own ones bare, taken over ones with Dovecot's {SCHEME}"),
    Column("scram_iterations", Integer, doc="null, with the three below, where the keys are not known"),
    Column("scram_salt", LargeBinary),
    Column("scram_stored_key", LargeBinary),
    Column("scram_server_key", LargeBinary),
    Column("limits", JSON, nullable=False, doc="what differs from the policy's limits: name to number"),
    Column("suspended", Text, doc="why, or null"),
    Column("version", Integer, nullable=False, doc="goes up with every change"),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    CheckConstraint(_SECRET_IS_WHOLE, name="scram_all_or_nothing"),
)

senders = Table(
    "senders",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("sender", Text, primary_key=True, doc="user@domain, or @domain for every address of it"),
    Index("ix_senders_sender", "sender"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False, doc="what it was done to: an account's name, say"),
    Column("why", Text, nullable=False),
    Column("before", JSON, doc="never holds a secret, nor does `after`"),
    Column("after", JSON),
    Index("ix_audit_subject", "subject"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True, doc="`nobody`: answers for names that have no account are made from it"),
    Column("value", LargeBinary, nullable=False),
)

known_blocks = Table(
    "known_blocks",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("block", Text, primary_key=True, doc="a prefix from which the account logged in"),
    Column("seen_at", Instant, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", LARGE, primary_key=True),
    Column("source", Text, nullable=False, doc="who reports it: an access server's name, a lease file's"),
    Column("name", Text, nullable=False, doc="the source's own name for it: Acct-Session-Id"),
    Column("subscriber", Text, nullable=False),
    Column("started_at", Micros, nullable=False, doc="the earliest that was reported"),
    Column("seen_at", Micros, nullable=False, doc="the latest report that it is there"),
    Column(
        "stopped_at", Micros, doc="the latest report of its end; null while it lasts, and if it was seen after that"
    ),
    Column("expires_at", Micros, doc="when it counts as ended without another report; null: never"),
    UniqueConstraint("source", "name", "subscriber", name="uq_sessions_source"),
    Index("ix_sessions_subscriber", "subscriber"),
    # what a restart of its source ends; no index has seen_at, which every report changes
    Index(
        "ix_sessions_lasting",
        "source",
        sqlite_where=text("stopped_at IS NULL"),
        postgresql_where=text("stopped_at IS NULL"),
    ),
)

leases = Table(
    "leases",
    metadata,
    Column("session", LARGE, ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
    Column("prefix", Text, primary_key=True, doc="192.0.2.1/32, 2001:db8::/56"),
    Column("first_at", Micros, nullable=False, doc="the first report that named it"),
    Column("seen_at", Micros, doc="the latest claim that named it; null: the latest of the session"),
    Column("started_at", Micros, nullable=False, doc="since when the session has it, as all its leases tell"),
    Column("dropped_at", Micros, doc="when the session had left it for another prefix, as all its leases tell"),
    Index("ix_leases_prefix", "prefix", "started_at"),
    Index(
        "ix_leases_dropped",
        "session",
        "prefix",
        sqlite_where=text("dropped_at IS NOT NULL"),
        postgresql_where=text("dropped_at IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

newest_claims = Table(
    "newest_claims",
    metadata,
    Column("prefix", Text, primary_key=True),
    Column("session", LARGE, primary_key=True, doc="whose claim to the prefix is the newest; several may share that"),
    sqlite_with_rowid=False,
)

lease_lengths = Table(
    "lease_lengths",
    metadata,
    Column("version", Integer, primary_key=True, doc="4 or 6"),
    Column("length", Integer, primary_key=True, doc="one that the prefix of a lease has had"),
)

restarts = Table(
    "restarts",
    metadata,
    Column("source", Text, primary_key=True),
    Column("at", Micros, primary_key=True, doc="every session of the source that was not seen after it ended here"),
)

changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True, doc="in the order in which the changes were committed"),
    Column("kind", Text, nullable=False, doc="`prefix`: its holder is another; `subscriber`: what is granted to him"),
    Column("subject", Text, nullable=False),
    Column("at", Micros, nullable=False),
    sqlite_autoincrement=True,
)

exemptions = Table(
    "exemptions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False, doc="subscriber, prefix or destination"),
    Column("subscriber", Text, doc="whose it is; null for what is the provider's own matter"),
    Column("prefix", Text, doc="for kind prefix: the sources; for kind destination: where everyone may send"),
    Column("state", Text, nullable=False, doc="as op25b.subscribers.exemptions.transitions has them"),
    Column("reason", Text, nullable=False),
    Column("granted_at", Micros, doc="null: never granted, and the three below are what was asked for"),
    Column("from_at", Micros, doc="never null, as are the two below, once it was granted"),
    Column("review_at", Micros, doc="from when on it is looked at again"),
    Column("until_at", Micros, doc="when it ends unless it is renewed; whoever ends it earlier sets this"),
    Column("domain", Text, doc="the domain that the subscriber sends for"),
    Column("server", Text, doc="the address of the subscriber's mail server, for its reverse DNS"),
    Column("fee_accepted", Boolean, nullable=False),
    Column("findings", JSON, nullable=False, doc="each criterion, what was found, when"),
    Column("approvals", JSON, nullable=False, doc="who approved, when, and which criteria were overridden, and why"),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("version", Integer, nullable=False, doc="goes up with every change"),
    Index("ix_exemptions_subscriber", "subscriber"),
    Index("ix_exemptions_prefix", "prefix"),
    Index("ix_exemptions_state", "state"),
    Index("ix_exemptions_from_at", "from_at"),
    Index("ix_exemptions_review_at", "review_at"),
    Index("ix_exemptions_until_at", "until_at"),
)

_OPEN = text("closed_at IS NULL")

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber", Text, doc="null where nobody is known to have held the address"),
    Column("prefix", Text, nullable=False, doc="the address that tried (IPv6: its /64), as it was first seen"),
    Column("kind", Text, nullable=False, doc="mail-program, home-server, bot or unknown"),
    Column("state", Text, nullable=False, doc="as op25b.watch has them"),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("targets", Integer, nullable=False, doc="distinct destinations"),
    Column("evidence", JSON, nullable=False, doc="headers and counts only"),
    Column("pattern", JSON, nullable=False, doc="from which the watch goes on after a restart"),
    Column("notice", Text, doc="the key of the text of which notice is due, or null"),
    Column("noticed_at", Instant),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Index("ix_cases_state", "state"),
    # whoever watches on however many routers: one open case for each
    Index("uq_cases_subscriber", "subscriber", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_cases_prefix", "prefix"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("subscriber", Text, primary_key=True),
    Column("case", ForeignKey("cases.id"), nullable=False, doc="holds the evidence"),
    Column("since", Instant, nullable=False),
)

once = Table(
    "once",
    metadata,
    Column("key", Text, primary_key=True, doc="the ENVID of a message that must not leave twice"),
    Column("queue_id", Text, doc="the one message that leaves under the key; null: no relay has seen it yet"),
    Column("state", Text, nullable=False, doc="as op25b.store.once has them"),
    Column("detail", Text, nullable=False, doc="what the next hop said"),
    Column("at", Instant, nullable=False, doc="since when it is in this state"),
)

notices = Table(
    "notices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("stage", Text, nullable=False, doc="as op25b.rollout.stages names it, with the date that it tells"),
    Column("subscriber", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("way", Text, nullable=False, doc="mail, fax or letter"),
    Column("address", Text, doc="of the mail"),
    Column("key", ForeignKey("once.key"), unique=True, doc="of the mail"),
    Column("planned_at", Instant, nullable=False),
    Column("taken_at", Instant, doc="when the sending server said that it has the mail"),
    Column("refused", Text, doc="what the sending server said instead, for good"),
    Column("printed_at", Instant, doc="when it was put into a file of letters or faxes"),
    UniqueConstraint("phase", "stage", "subscriber", name="uq_notices_phase"),
    Index("ix_notices_subscriber", "subscriber"),
)

staff = Table(
    "staff",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True, doc="the name in the audit trail and among the `approvers`"),
    Column("password", Text, nullable=False, doc="a hash"),
    Column("code", LargeBinary, nullable=False, doc="the secret of the one-time codes, sealed with the console's key"),
    Column("code_step", BigInteger, nullable=False, doc="of the last code that was taken: none is taken twice"),
    Column("roles", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

staff_sessions = Table(
    "staff_sessions",
    metadata,
    Column("hash", LargeBinary, primary_key=True, doc="SHA-256 of what the browser has"),
    Column("name", Text, nullable=False),
    Column("roles", JSON, doc="of who came by OpenID Connect; null: those of the account, as they are now"),
    Column("began_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("ix_staff_sessions_name", "name"),
)

edges = Table(
    "edges",
    metadata,
    Column("name", Text, primary_key=True, doc="the host that filters"),
    Column("at", Instant, nullable=False),
    Column("report", JSON, nullable=False, doc="as op25b.store.edges has it"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("packets", BigInteger, nullable=False, doc="refused within the hour"),
)

bulletins = Table(
    "bulletins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False, doc="outage or maintenance"),
    Column("ja", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("from_at", Instant, nullable=False),
    Column("until_at", Instant, doc="null: nobody knows yet when it is over"),
    Column("created_at", Instant, nullable=False),
    Index("ix_bulletins_until_at", "until_at"),
)

acceptances = Table(
    "acceptances",
    metadata,
    Column("account", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Text, nullable=False, doc="a hash of the number on the notice of acceptance"),
    Column("password", Text, nullable=False, doc="of the initial password, here and below as in accounts"),
    Column("scram_iterations", Integer),
    Column("scram_salt", LargeBinary),
    Column("scram_stored_key", LargeBinary),
    Column("scram_server_key", LargeBinary),
    CheckConstraint(_SECRET_IS_WHOLE, name="scram_all_or_nothing"),
)

reissues = Table(
    "reissues",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", Text, nullable=False, doc="as op25b.subscribers.credentials.reissues has them"),
    Column("brand", Text, nullable=False),
    Column("address", Text, nullable=False, doc="the mail address"),
    Column("name", Text, nullable=False),
    Column("contract", Text, nullable=False, doc="the number that the customer gave"),
    Column("postal", Text, nullable=False, doc="the postal address that the customer gave, to be compared"),
    Column("language", Text, nullable=False, doc="of the letter"),
    Column("fee", JSON, nullable=False, doc="what the customer accepted, by language; null: it was free of charge"),
    Column("visitor", Text, nullable=False, doc="the block of addresses that it was asked from"),
    Column("requested_at", Instant, nullable=False, doc="when, and so also when the fee was accepted"),
    Column("changed_at", Instant, nullable=False),
    Index("ix_reissues_state", "state"),
)

applicants = Table(
    "applicants",
    metadata,
    Column("reference", Text, primary_key=True, doc="SHA-256 of what the applicant was given"),
    Column("exemption", ForeignKey("exemptions.id"), nullable=False),
    Column("first", Boolean, nullable=False, doc="false: somebody else asked for the same before"),
    Column("name", Text, nullable=False),
    Column("contact", Text, nullable=False, doc="the mail address for the answer"),
    Column("language", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Index("ix_applicants_exemption", "exemption"),
)
