"""The account that PostgreSQL runs as when this program runs as root, which PostgreSQL refuses to.

It is a system account without a shell that owns nothing but the database files. Where a directory
above those files is closed to it (a checkout under /root, say), it alone is given the right to pass
through, by an access-control entry; the directory stays closed to all others.
"""

from __future__ import annotations

import os
import pwd
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "karmayogi-lrs"


class AccountError(Exception):
    """Root cannot hand over to an account without privileges; the text says what to do."""


@dataclass(frozen=True)
class Account:
    """User and group, as numbers."""

    uid: int
    gid: int

    @property
    def ids(self) -> tuple[int, int]:
        return self.uid, self.gid


def unprivileged() -> Account | None:
    """The account to run PostgreSQL as, made if it is missing; None when this process is not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _made()
    return Account(entry.pw_uid, entry.pw_gid)


def _made() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    reason = "there is no useradd"
    if useradd is not None:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        done = subprocess.run(
            [*command, "--shell", "/usr/sbin/nologin", NAME], capture_output=True, text=True, check=False
        )
        reason = done.stderr.strip()
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        raise AccountError(
            f"PostgreSQL does not run as root, and the account {NAME!r} could not be made ({reason}):"
            " make it, or start as a user without privileges"
        ) from None


def open_way(account: Account, path: Path) -> None:
    """Let the account pass through every directory above `path`. Raises AccountError if it cannot."""
    for directory in reversed(path.absolute().resolve().parents):
        found = directory.stat()
        if found.st_mode & 0o001 or found.st_uid == account.uid:
            continue
        try:
            _grant_passage(directory, account.uid)
        except OSError as error:
            raise AccountError(
                f"{directory} is closed to the account {NAME!r}, which PostgreSQL runs as, and no"
                f" access-control entry can be added ({error.strerror}):"
                f" chmod o+x {directory}, or choose another place"
            ) from None


# The Linux extended attribute of POSIX ACLs: a version, then entries of tag, permissions, id.
_ACL = "system.posix_acl_access"
_VERSION = 2
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF
_PASS = 0o1


def _grant_passage(directory: Path, uid: int) -> None:
    """Add the entry `user:uid:--x`, keeping what the others may."""
    if sys.platform != "linux":
        raise OSError(0, "only known on Linux")
    entries = _entries(directory)
    entries[_USER, uid] = entries.get((_USER, uid), 0) | _PASS
    entries[_MASK, _NO_ID] = entries.get((_MASK, _NO_ID), entries[_GROUP_OBJ, _NO_ID]) | _PASS
    packed = b"".join(_ENTRY.pack(tag, allowed, who) for (tag, who), allowed in sorted(entries.items()))
    os.setxattr(directory, _ACL, struct.pack("<I", _VERSION) + packed)


def _entries(directory: Path) -> dict[tuple[int, int], int]:
    try:
        packed = os.getxattr(directory, _ACL)[4:]
    except OSError:
        mode = directory.stat().st_mode
        return {
            (_USER_OBJ, _NO_ID): mode >> 6 & 7,
            (_GROUP_OBJ, _NO_ID): mode >> 3 & 7,
            (_OTHER, _NO_ID): mode & 7,
        }
    return {(tag, who): allowed for tag, allowed, who in _ENTRY.iter_unpack(packed)}
