from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vedette.plan.packed import MANY, Packed, kept, pack, raws, same


def told(count):
    return [Raw(msgspec.json.encode({"number": number})) for number in range(count)]


@given(count=st.integers(0, 1200), data=st.data())
def test_what_was_packed_is_there_by_number_and_in_order(count, data):
    plain = told(count)
    packed = Packed(pack(plain), same)
    assert len(packed) == count
    assert [bytes(one) for one in packed] == [bytes(one) for one in plain]
    assert [bytes(one) for one in packed] == [bytes(one) for one in plain]  # any often
    for number in data.draw(st.lists(st.integers(-count - 2, count + 1), max_size=8)):
        if -count <= number < count:
            assert bytes(packed[number]) == bytes(plain[number])
        else:
            with pytest.raises(IndexError):
                packed[number]


@given(bounds=st.tuples(*[st.none() | st.integers(-700, 700)] * 2))
def test_a_slice_is_a_lists(bounds):
    plain = told(600)
    packed = Packed(pack(plain), same)
    assert list(map(bytes, packed[slice(*bounds)])) == list(map(bytes, plain[slice(*bounds)]))


def test_few_stay_as_they_are_and_many_are_packed():
    assert raws(iter(told(MANY))) == told(MANY)
    many = raws(iter(told(MANY + 1)))
    assert isinstance(many, Packed)
    assert len(many) == MANY + 1


def test_values_come_back_as_what_reads_them_says():
    numbers = kept(range(3_000), msgspec.json.encode, msgspec.json.Decoder(int).decode)
    assert sum(numbers) == sum(range(3_000))
    assert numbers[2_999] == 2_999


def test_many_places_at_once_are_read_without_unpacking_each_time():
    packed = Packed(pack(told(256 * 40)), same)
    for _ in range(3):
        for start in range(40):
            assert bytes(packed[256 * start]) == b'{"number":%d}' % (256 * start)
    assert len(packed._hand) <= 16
