"""Fault plans, and the line that carries them out."""

from __future__ import annotations

import random

import pytest
from elm11_shim.faults import LOG_TEXT, ByteFaults, FaultPlan, FaultyLine, LineFaults
from hypothesis import given
from hypothesis import strategies as st

DATA = bytes(range(256)) * 40


def chance(seed: int) -> random.Random:
    return random.Random(seed)


def passed(faults: ByteFaults, data: bytes = DATA, seed: int = 1) -> bytes:
    line = FaultyLine(faults, chance(seed))
    line.feed(data, 0.0)
    return line.take(0.0)


def test_a_plan_is_read_item_by_item() -> None:
    plan = FaultPlan.parse(
        "lose=0.1, to:flip=0.2,from:duplicate=0.3,swap=1,delay=0.5:0.25,to:delay=0.1:2,damage=0.2,log=0.4,"
        "split=7,stall@100:1.5,unplug@2000,reboot@0"
    )
    assert plan == FaultPlan(
        to_board=ByteFaults(flip=0.2, delay=0.1, delay_s=2.0),
        from_board=ByteFaults(lose=0.1, duplicate=0.3, swap=1.0, delay=0.5, delay_s=0.25),
        damage=0.2,
        log=0.4,
        split=7,
        stall_at=100,
        stall_s=1.5,
        unplug_at=2000,
        reboot_at=0,
    )
    assert FaultPlan.parse("") == FaultPlan.parse(" , ") == FaultPlan()
    assert FaultPlan.parse("split").split == 1


@pytest.mark.parametrize(
    "spec",
    [
        "explode=1",
        "lose",
        "lose=",
        "lose=2",
        "lose=-0.1",
        "lose=nan",
        "lose=x",
        "lose=0.1:3",
        "lose@3",
        "delay=0.1",
        "delay=0.1:-1",
        "delay=0.1:inf",
        "split=0",
        "split=x",
        "stall=0.1:1",
        "stall@5",
        "stall@x:1",
        "unplug",
        "unplug@-1",
        "unplug@5:1",
        "reboot@1.5",
        "to:log=0.1",
        "from:unplug@4",
        "up:lose=0.1",
        "!",
    ],
)
def test_a_bad_item_is_named(spec: str) -> None:
    with pytest.raises(ValueError, match=r"^faults: ") as caught:
        FaultPlan.parse(f"flip=0.1,{spec}")
    assert spec.partition("=")[0].partition("@")[0].partition(":")[0] in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_plan_or_a_value_error(spec: str) -> None:
    try:
        FaultPlan.parse(spec)
    except ValueError as error:
        message = str(error)
    else:
        message = "faults: none"
    assert message.startswith("faults: ")


@given(pieces=st.lists(st.binary(max_size=50)), at_most=st.integers(1, 9))
def test_a_line_without_faults_passes_everything(pieces: list[bytes], at_most: int) -> None:
    line = FaultyLine(ByteFaults(), chance(0))
    for piece in pieces:
        line.feed(piece, 0.0)
    out = bytearray()
    while part := line.take(0.0, at_most):
        assert len(part) <= at_most
        out += part
    assert bytes(out) == b"".join(pieces)
    assert line.next_due_s() is None


# 10240 bytes at a rate of 0.1: 1024 hits, standard deviation 30; chance may leave the range once in 10**9.
LEAST, MOST = 840, 1210


def test_lost_bytes() -> None:
    assert LEAST < len(DATA) - len(passed(ByteFaults(lose=0.1))) < MOST


def test_duplicated_bytes() -> None:
    assert LEAST < len(passed(ByteFaults(duplicate=0.1))) - len(DATA) < MOST


def test_flipped_bits() -> None:
    out = passed(ByteFaults(flip=0.1))
    changed = [a ^ b for a, b in zip(out, DATA, strict=True) if a != b]
    assert LEAST < len(changed) < MOST
    assert all(bits.bit_count() == 1 for bits in changed)


def test_swapped_bytes() -> None:
    out = passed(ByteFaults(swap=0.1))
    assert sorted(out) == sorted(DATA)
    assert LEAST < sum(a != b for a, b in zip(out, DATA, strict=True)) < 3 * MOST


def test_a_seed_repeats_its_faults() -> None:
    faults = ByteFaults(0.05, 0.05, 0.05, 0.05)
    assert passed(faults, seed=3) == passed(faults, seed=3) != passed(faults, seed=4)


def test_delayed_pieces_keep_their_order() -> None:
    line = FaultyLine(ByteFaults(delay=0.5, delay_s=1.0), chance(2))
    pieces = [bytes([i]) for i in range(100)]
    for i, piece in enumerate(pieces):
        line.feed(piece, i / 100)
    out, now_s = bytearray(), 0.0
    while (due_s := line.next_due_s()) is not None:
        now_s = max(now_s, due_s)
        out += line.take(now_s)
    assert bytes(out) == b"".join(pieces)
    assert now_s > 1.0


def test_damaged_lines() -> None:
    faults = LineFaults(FaultPlan(damage=0.2), chance(5))
    lines = [b"line %04d of some output" % i for i in range(2000)]
    out = [faults.feed(line + b"\n\r") for line in lines]
    hit = sum(a != b + b"\n\r" for a, b in zip(out, lines, strict=True))
    assert 290 < hit < 510  # 400 and six standard deviations
    assert faults.feed(b"\n\r$ ") == b"\n\r$ "


def test_log_text_lands_inside_result_lines_only() -> None:
    faults = LineFaults(FaultPlan(log=1.0), chance(6))
    out = faults.feed(b"~d01 payload*12345678\n\rplain\n\r")
    assert out.startswith(b"~")
    assert out.count(LOG_TEXT) == 1
    assert out.replace(LOG_TEXT, b"") == b"~d01 payload*12345678\n\rplain\n\r"
