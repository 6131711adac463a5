"""A launcher that becomes another program which does not outlive its parent.

    python -I -S lrs/launch.py SIGNAL PARENT UID GID program argument …

On Linux the kernel sends the program SIGNAL when the process PARENT, which must be the one that
started the launcher, ends in whatever way: kill -9 of the supervisor leaves nothing behind that
holds a port or writes to the data directory. UID and GID are numbers, or `-` to stay what one is.
Elsewhere the program is started without that bond. It stands alone (no imports of this package),
since it runs once for every process started.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def command(
    program: list[str], signal: int, account: tuple[int, int] | None = None, parent: int | None = None
) -> list[str]:
    """The command line that starts `program` through the launcher, as a child of `parent` (this
    process unless given) and, where given, as the account (uid, gid)."""
    ids = [str(number) for number in account] if account else ["-", "-"]
    head = [sys.executable, "-I", "-S", __file__, str(int(signal)), str(parent or os.getpid())]
    return [*head, *ids, *program]


def main(arguments: list[str]) -> None:
    signal, parent, uid, gid, *program = arguments
    # Loaded before the account changes, which may not be able to read the standard library.
    library = ctypes.CDLL(None)
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After setuid, which would clear it; it survives the exec.
        library.prctl(PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("launch: the parent ended before the start")
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
