"""The tables of the people: members, what they sign in with, sessions, throttles, requests for a second person.

Times are whole epoch seconds. Secrets lie here as hashes or sealed, never plain.
"""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Table

from underwing.casebook.columns import METADATA, Bytes, Number, Text

MEMBERS = Table(
    "people_members",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("language", Text, nullable=False, default=""),
    Column("active", Boolean, nullable=False, default=True),
    Column("created", Number, nullable=False),
    Column("password", Text, nullable=False, default=""),  # argon2id in PHC form; empty: none was set
    Column("password_at", Number, nullable=False, default=0),
    Column("totp", Bytes),  # the sealed secret; null: not enrolled
    Column("totp_step", Number, nullable=False, default=0),  # the last step whose code was used
    Column("totp_next", Bytes),  # a sealed secret that waits for its first code
    Column("subject", Text),  # issuer, a blank, subject: who this is at an identity provider
    Index("people_members_name", "name", unique=True),
    Index("people_members_subject", "subject", unique=True),
)

RECOVERY = Table(
    "people_recovery",
    METADATA,
    Column("hash", Bytes, primary_key=True),
    Column("member", Text, ForeignKey("people_members.id"), nullable=False),
    Column("used", Number),
    Index("people_recovery_member", "member"),
)

INVITATIONS = Table(
    "people_invitations",
    METADATA,
    Column("hash", Bytes, primary_key=True),
    Column("member", Text, ForeignKey("people_members.id"), nullable=False),
    Column("expires", Number, nullable=False),
    Index("people_invitations_member", "member"),
)

SESSIONS = Table(
    "people_sessions",
    METADATA,
    Column("hash", Bytes, primary_key=True),
    Column("id", Text, nullable=False),
    Column("member", Text, ForeignKey("people_members.id"), nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("began", Number, nullable=False),
    Column("seen", Number, nullable=False),
    Column("ends", Number, nullable=False),
    Column("address", Text, nullable=False, default=""),
    Column("agent", Text, nullable=False, default=""),
    Index("people_sessions_id", "id", unique=True),
    Index("people_sessions_member", "member"),
    Index("people_sessions_ends", "ends"),
)

ATTEMPTS = Table(
    "people_attempts",
    METADATA,
    Column("key", Bytes, primary_key=True),
    Column("failures", Number, nullable=False),
    Column("last", Number, nullable=False),
    Index("people_attempts_least", "failures", "last"),
)

REQUESTS = Table(
    "people_requests",
    METADATA,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("asked_by", Text, ForeignKey("people_members.id"), nullable=False),
    Column("why", Text, nullable=False),
    Column("body", Bytes, nullable=False),
    Column("asked", Number, nullable=False),
    Column("expires", Number, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided", Number),
    Column("waiting", Text),  # act and subject while it waits, else null: one open request for each
    Index("people_requests_waiting", "waiting", unique=True),
    Index("people_requests_state", "state", "expires"),
    Index("people_requests_about", "about"),
)
