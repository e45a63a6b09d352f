"""Who may come in: users with one role each, the sessions they are in, the tokens of programs. No secret is kept, only
what tells that it is the right one."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, Row, func, select

from lumbago.errors import UsageError
from lumbago.records.rows import built, row_of
from lumbago.records.tables import SESSIONS, TOKENS, USERS, new_id, now

Role = Literal["viewer", "reader", "admin", "service"]
ROLES: Final[tuple[str, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class User:
    """A user; `name` is what one signs in with, `shown_name` what others see, never empty."""

    id: str
    name: str
    shown_name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that goes on; `hash` is that of what the cookie holds."""

    hash: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Token:
    """A program's key; `scopes` are what it is for."""

    id: str
    user_id: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def hash_of(secret: str) -> str:
    """What is kept of a secret that is long and random itself; never used for passwords."""
    return hashlib.sha256(secret.encode("utf8", "surrogatepass")).hexdigest()


def add_user(db: Connection, name: str, role: Role, shown_name: str = "", **secrets: str | None) -> User:
    """Adds a user; `password_hash` or `oidc_subject` say how one signs in, neither means by tokens alone.

    Raises:
        UsageError: no such role, or the name is taken or empty.
    """
    if role not in ROLES:
        raise UsageError(f"there is no role {role}", f"one of {', '.join(ROLES)}")
    wanted = name.strip().casefold()
    if not wanted or user_named(db, wanted) is not None:
        raise UsageError(f"the name {wanted!r} is taken" if wanted else "a user has no name", "another name")
    user = User(new_id(), wanted, shown_name or name.strip(), role, now(), None)
    db.execute(USERS.insert().values(**asdict(user), **secrets))
    return user


def find_user(db: Connection, user: str) -> User:
    """The user of an id.

    Raises:
        NotInRecords: there is none.
    """
    return built(User, row_of(db, USERS, user, "user"))


def user_named(db: Connection, name: str) -> User | None:
    """The user who signs in by this name."""
    return _user(db.execute(select(USERS).where(USERS.c.name == name.strip().casefold())).first())


def user_of_subject(db: Connection, subject: str) -> User | None:
    """The user of an OpenID Connect subject (issuer and `sub`)."""
    return _user(db.execute(select(USERS).where(USERS.c.oidc_subject == subject)).first())


def _user(row: Row[Any] | None) -> User | None:
    return None if row is None else built(User, row)


def all_users(db: Connection) -> Sequence[User]:
    """Everyone, by name."""
    return [built(User, row) for row in db.execute(select(USERS).order_by(USERS.c.name))]


def password_hash_of(db: Connection, user: str) -> str | None:
    """What tells a user's password; None where there is none."""
    return db.execute(select(USERS.c.password_hash).where(USERS.c.id == user)).scalar()


def set_password_hash(db: Connection, user: str, password_hash: str) -> None:
    """Sets it, and ends the user's sessions."""
    db.execute(USERS.update().where(USERS.c.id == user).values(password_hash=password_hash))
    end_sessions_of(db, user)


def count_admins(db: Connection) -> int:
    """Admins who can sign in."""
    able = USERS.c.password_hash.is_not(None) | USERS.c.oidc_subject.is_not(None)
    query = select(func.count()).where((USERS.c.role == "admin") & USERS.c.disabled_at.is_(None) & able)
    return int(db.execute(query).scalar_one())


def set_role(db: Connection, user: str, role: Role) -> None:
    """Gives a user another role.

    Raises:
        UsageError: no such role, or no admin would be left.
    """
    if role not in ROLES:
        raise UsageError(f"there is no role {role}", f"one of {', '.join(ROLES)}")
    db.execute(USERS.update().where(USERS.c.id == user).values(role=role))
    _keep_an_admin(db)


def disable_user(db: Connection, user: str) -> None:
    """Lets a user in no more: sessions end, tokens are revoked. What the user did stays.

    Raises:
        UsageError: no admin would be left.
    """
    db.execute(USERS.update().where(USERS.c.id == user).values(disabled_at=now()))
    _keep_an_admin(db)
    end_sessions_of(db, user)
    db.execute(
        TOKENS.update().where((TOKENS.c.user_id == user) & TOKENS.c.revoked_at.is_(None)).values(revoked_at=now())
    )


def enable_user(db: Connection, user: str) -> None:
    """Lets a user in again."""
    db.execute(USERS.update().where(USERS.c.id == user).values(disabled_at=None))


def _keep_an_admin(db: Connection) -> None:
    if not count_admins(db):
        raise UsageError("no admin would be left", "one who can sign in", "make another user an admin first")


def add_session(db: Connection, user: str, secret: str, address: str) -> Session:
    """Begins a session; the secret is what the cookie holds."""
    session = Session(hash_of(secret), user, now(), now(), address)
    db.execute(SESSIONS.insert().values(**asdict(session)))
    return session


def find_session(db: Connection, secret: str) -> Session | None:
    """The session of a cookie, however old."""
    row = db.execute(select(SESSIONS).where(SESSIONS.c.hash == hash_of(secret))).first()
    return None if row is None else built(Session, row)


def touch_session(db: Connection, session: Session) -> None:
    """Says that the session is in use."""
    db.execute(SESSIONS.update().where(SESSIONS.c.hash == session.hash).values(seen_at=now()))


def end_session(db: Connection, session: Session) -> None:
    """Ends a session."""
    db.execute(SESSIONS.delete().where(SESSIONS.c.hash == session.hash))


def end_sessions_of(db: Connection, user: str) -> None:
    """Ends all sessions of a user."""
    db.execute(SESSIONS.delete().where(SESSIONS.c.user_id == user))


def end_old_sessions(db: Connection, idle: timedelta, whole: timedelta) -> int:
    """Forgets sessions that are over; gives how many."""
    over = (SESSIONS.c.seen_at < now() - idle) | (SESSIONS.c.created_at < now() - whole)
    return db.execute(SESSIONS.delete().where(over)).rowcount


@dataclass(frozen=True, slots=True)
class TokenPlan:
    """What a token is to be: whose, its name, what for, for how many days."""

    user_id: str
    name: str
    scopes: Sequence[str]
    days: int


def add_token(db: Connection, secret: str, plan: TokenPlan) -> Token:
    """Keeps a token's hash."""
    made = now()
    over = made + timedelta(days=plan.days)
    token = Token(new_id(), plan.user_id, plan.name, list(plan.scopes), made, over, None, None)
    db.execute(TOKENS.insert().values(**asdict(token), hash=hash_of(secret)))
    return token


def find_token(db: Connection, secret: str) -> Token | None:
    """The token of a secret, unless it is over or revoked."""
    good = (TOKENS.c.hash == hash_of(secret)) & TOKENS.c.revoked_at.is_(None) & (TOKENS.c.expires_at > now())
    row = db.execute(select(TOKENS).where(good)).first()
    return None if row is None else built(Token, row)


def touch_token(db: Connection, token: str) -> None:
    """Says when a token was last of use."""
    db.execute(TOKENS.update().where(TOKENS.c.id == token).values(used_at=now()))


def revoke_token(db: Connection, token: str) -> None:
    """Ends a token."""
    db.execute(TOKENS.update().where(TOKENS.c.id == token).values(revoked_at=now()))


def tokens_of(db: Connection, user: str) -> Sequence[Token]:
    """A user's tokens, the newest first."""
    query = select(TOKENS).where(TOKENS.c.user_id == user).order_by(TOKENS.c.created_at.desc(), TOKENS.c.id)
    return [built(Token, row) for row in db.execute(query)]
