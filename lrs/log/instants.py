"""The instants of records whose log gives them milliseconds only.

They follow from the records of a partition alone, taken in order, so that whoever replays them finds
the same ones.
"""

from __future__ import annotations


class Instants:
    """The fold over one partition: `end = max(time of the append, last + number of statements)`."""

    def __init__(self, next_offset: int, last: int) -> None:
        """`next_offset`: of the record that comes next; `last`: the instant of the one before it (µs
        since 1970), 0 before the first."""
        self.next_offset, self.last = next_offset, last

    def take(self, offset: int, appended_ms: int, count: int) -> int:
        """The instant of a record's last statement. One that was taken before leaves the fold alone."""
        end = max(appended_ms * 1000, self.last + count)
        if offset >= self.next_offset:
            self.next_offset, self.last = offset + 1, end
        return end
