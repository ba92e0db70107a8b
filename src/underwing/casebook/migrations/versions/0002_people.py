"""The people: members, what they sign in with, sessions, throttles, requests for a second person."""

from typing import Any

from alembic import op
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint

from underwing.casebook.migrations.kinds import blob, flag, number, words

revision = "0002"
down_revision = "0001"
INDEXES = (
    ("people_members", "name", ["name"], True),
    ("people_members", "subject", ["subject"], True),
    ("people_recovery", "member", ["member"], False),
    ("people_invitations", "member", ["member"], False),
    ("people_sessions", "id", ["id"], True),
    ("people_sessions", "member", ["member"], False),
    ("people_sessions", "ends", ["ends"], False),
    ("people_attempts", "least", ["failures", "last"], False),
    ("people_requests", "waiting", ["waiting"], True),
    ("people_requests", "state", ["state", "expires"], False),
    ("people_requests", "about", ["about"], False),
)
TABLES = (
    "people_members", "people_recovery", "people_invitations", "people_sessions", "people_attempts", "people_requests",
)  # fmt: skip


def upgrade() -> None:
    """Make them."""
    _make(
        "people_members", "id", words("id"), words("name"), words("shown"), words("role"), words("language"),
        flag("active"), number("created"), words("password"), number("password_at"), blob("totp", True),
        number("totp_step"), blob("totp_next", True), words("subject", True),
    )  # fmt: skip
    _make("people_recovery", "hash", blob("hash"), words("member"), number("used", True), of="member")
    _make("people_invitations", "hash", blob("hash"), words("member"), number("expires"), of="member")
    _make(
        "people_sessions", "hash", blob("hash"), words("id"), words("member"), flag("complete"), number("began"),
        number("seen"), number("ends"), words("address"), words("agent"), of="member",
    )  # fmt: skip
    _make("people_attempts", "key", blob("key"), number("failures"), number("last"))
    _make(
        "people_requests", "id", number("id", autoincrement=True), words("what"), words("about"), words("asked_by"),
        words("why"), blob("body"), number("asked"), number("expires"), words("state"), words("decided_by", True),
        number("decided", True), words("waiting", True), of="asked_by",
    )  # fmt: skip
    for table, name, columns, unique in INDEXES:
        op.create_index(f"{table}_{name}", table, columns, unique=unique)


def downgrade() -> None:
    """Take them away, with all they hold."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _make(table: str, key: str, *columns: Any, of: str = "") -> None:
    tie = (ForeignKeyConstraint([of], ["people_members.id"], name=f"{table}_{of}_fkey"),) if of else ()
    op.create_table(table, *columns, PrimaryKeyConstraint(key, name=f"{table}_pkey"), *tie)
