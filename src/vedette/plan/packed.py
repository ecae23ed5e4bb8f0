"""
Many values kept small: JSON in compressed chunks, decoded when it is their turn. A hundred
thousand steps are 10 MiB this way, 50 as text and 200 as structs.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar, overload

import msgspec
from msgspec import Raw

T = TypeVar("T")

MANY = 1_000
"""So many are kept as they are: packing pays only for more."""

_TOGETHER = 256
_AT_HAND = 16
"""So many chunks are kept unpacked: as many queues may go through a plan side by side."""


def pack(items: Iterable[bytes | Raw]) -> Iterator[tuple[int, bytes]]:
    """Yield the items, JSON each, in chunks: how many, and the JSON array of them compressed."""
    held: list[bytes] = []
    for one in items:
        held.append(bytes(one))
        if len(held) == _TOGETHER:
            yield len(held), _packed(held)
            held = []
    if held:
        yield len(held), _packed(held)


def unpacked(chunk: bytes) -> list[Raw]:
    """Return the items of a chunk."""
    return msgspec.json.decode(zlib.decompress(chunk), type=list[Raw])


class Packed(Sequence[T]):
    """The values behind chunks of JSON, read by `read`; it can be gone through any often."""

    def __init__(self, chunks: Iterable[tuple[int, bytes]], read: Callable[[Raw], T]) -> None:
        self._read = read
        self._chunks: list[bytes] = []
        self._ends: list[int] = []
        self._hand: dict[int, list[Raw]] = {}
        length = 0
        for count, chunk in chunks:
            length += count
            self._chunks.append(chunk)
            self._ends.append(length)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from map(self._read, unpacked(chunk))

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = place + len(self) if place < 0 else place
        if not 0 <= number < len(self):
            raise IndexError(place)
        at = bisect_right(self._ends, number)
        before = self._ends[at - 1] if at else 0
        return self._read(self._unpacked(at)[number - before])

    def _unpacked(self, at: int) -> list[Raw]:
        found = self._hand.get(at)
        if found is None:
            if len(self._hand) == _AT_HAND:
                del self._hand[next(iter(self._hand))]
            found = self._hand[at] = unpacked(self._chunks[at])
        return found


def kept(items: Iterable[T], spell: Callable[[T], bytes], read: Callable[[Raw], T]) -> Sequence[T]:
    """Return the values: as they are where they are few, packed where they are many."""
    remaining = iter(items)
    few = tuple(islice(remaining, MANY + 1))
    if len(few) <= MANY:
        return few
    return Packed(pack(map(spell, chain(few, remaining))), read)


def raws(items: Iterable[Raw]) -> Sequence[Raw]:
    """Return undecoded values, packed where they are many."""
    found = kept(items, bytes, same)
    return list(found) if isinstance(found, tuple) else found


def same(raw: Raw) -> Raw:
    """Return what is to stay undecoded."""
    return raw


def _packed(items: list[bytes]) -> bytes:
    return zlib.compress(b"[%b]" % b",".join(items), 1)
