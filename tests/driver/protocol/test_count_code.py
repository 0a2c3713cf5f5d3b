from __future__ import annotations

import pytest
from elm11_lua_driver.errors import ProtocolError
from elm11_lua_driver.protocol.frame import MAX_COUNT, decode_counts, encode_counts
from hypothesis import given
from hypothesis import strategies as st

COUNTS = st.lists(st.one_of(st.integers(0, 60), st.integers(0, 2000), st.integers(0, MAX_COUNT)), max_size=250)


@given(COUNTS)
def test_counts_survive_the_wire(counts: list[int]) -> None:
    text = encode_counts(counts)
    assert decode_counts(text) == counts
    assert all("!" <= character <= "~" for character in text)


@pytest.mark.parametrize(
    ("difference", "length"),
    [
        (0, 1),
        (41, 1),
        (42, 2),
        (-42, 1),
        (-43, 2),
        (417, 2),
        (418, 3),
        (-418, 2),
        (-419, 3),
        (4835, 3),
        (4836, 6),
    ],
)
def test_a_difference_takes_as_many_characters_as_documented(difference: int, length: int) -> None:
    base = encode_counts([10_000])
    assert len(encode_counts([10_000, 10_000 + difference])) - len(base) == length


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1])
def test_a_count_that_the_board_cannot_hold_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="counts must be 0 to 2147483647"):
        encode_counts([count])


@pytest.mark.parametrize("text", ["~", "}!", "u", '"', "a b", "é", "~~~~~~", "\x7f"])
def test_a_wrong_code_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError, match="coded counts"):
        decode_counts(text)


@given(st.text(max_size=30))
def test_any_text_is_counts_or_a_protocol_error(text: str) -> None:
    try:
        counts = decode_counts(text)
    except ProtocolError:
        return
    assert all(0 <= count <= MAX_COUNT for count in counts)
