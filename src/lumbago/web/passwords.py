"""Passwords: argon2id (RFC 9106, second recommended option), and which are refused (OWASP ASVS 5.0, 6.2)."""

from threading import Semaphore
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from lumbago.errors import UsageError

SHORTEST: Final = 8
LONGEST: Final = 1024
_COMMON: Final = frozenset(FREQUENCY_LISTS["passwords"][:3000])
_HASHER: Final = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, type=Type.ID)
_TURNS: Final = Semaphore(2)  # each hash takes 64 MiB: a crowd at the door must not take all memory
_NOBODY: Final = _HASHER.hash("nobody's password, so that an unknown name takes as long as a known one")


def hash_password(password: str, name: str = "") -> str:
    """What is kept of a password.

    Raises:
        UsageError: it is too short, too long, the user's name, or one that everybody tries first.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"the password has {len(password)} characters", f"{SHORTEST} to {LONGEST}, 15 or more at best")
    if password.casefold() in _COMMON or password.casefold() == name.casefold():
        raise UsageError("the password is one that is tried first", "another one", "take several words")
    with _TURNS:
        return _HASHER.hash(password)


def is_password(password: str, kept: str | None) -> bool:
    """Whether a password is the one that was kept; as slow where none was."""
    with _TURNS:
        try:
            return _HASHER.verify(kept or _NOBODY, password[: LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether it should be hashed anew, by today's parameters."""
    return _HASHER.check_needs_rehash(kept)
