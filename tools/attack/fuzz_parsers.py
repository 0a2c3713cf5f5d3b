"""Feed random byte strings to everything that reads the wire: nothing may crash, and no wrong frame may come out.

    python tools/attack/fuzz_parsers.py [--count N] [--seed S] [PARSER ...]

A string is one of: random bytes; fragments of what the board says; a good stream with bytes lost, flipped, doubled or
swapped. A parser may raise the errors of this package (`Elm11Error`) and nothing else. The same seed gives the same
strings.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random
from typing import TYPE_CHECKING

from elm11_lua_driver.errors import Elm11Error
from elm11_lua_driver.protocol.frame import (
    Frame,
    FrameKind,
    FrameReader,
    HistogramAssembly,
    Summary,
    decode_counts,
    decode_line,
    encode,
    encode_block,
)
from elm11_lua_driver.protocol.repl.machine import Execution
from elm11_lua_driver.protocol.repl.recovery import Recovery
from elm11_lua_driver.protocol.repl.session import ReplSession
from elm11_lua_driver.protocol.repl.tokenizer import MAX_EVENT_BYTES, PromptKind, ReplTokenizer
from elm11_lua_driver.protocol.upload import Upload

if TYPE_CHECKING:
    from collections.abc import Callable

FRAGMENTS = [
    b"\x1b[38;5;222m\x1b[38;5;222m$ ",
    b"\x1b[38;5;222m$$ ",
    b"\x1b[0;0H\x1b[38;5;222m\x1b[38;5;252m/ \x1b[38;5;75m",
    b"\x1b[9999;9999H\x1b[6n",
    b"Program already exists, overwrite? y/n (default: n): ",
    b"\n\rOverwriting, please proceed with upload.",
    b"Error: attempt to index a nil value\n\rsource: =stdin line: 1\n\r",
    b"\x1b[1m\x1b[34mstack traceback\x1b[38;5;222m\x1b[22m:\n\r\t[C]: in ?\n\r",
    b"\x1b[K\n\r",
    b"---- Malloc Error ----",
    b"begin embLua init\n\r",
    b"\b \b",
    b"\n\r",
    b"f(1)",
    b"~D1 0 250 abc*",
    b"$ ",
    b"/ ",
    b"\x06\x08\x0b",
    b"[ #1 ] ",
]
FRAMES = [
    Frame(FrameKind.HELLO, 0, "version=0.1.0 job=1234abcd"),
    Frame(FrameKind.PROGRESS, 7, "done=20 of=300"),
    *filter(None, (encode_block(row, 250, [500 + 7 * n for n in range(40)], 4 * row + 1) for row in range(3))),
    Summary(0, 11, 3, 0x12345678, 76_000).frame(),
    Frame(FrameKind.ERROR, 3, "stdin:1: boom"),
]
LINES = {encode(frame) for frame in FRAMES}


def random_string(random: Random) -> bytes:
    """One string, 0 to some 200 bytes."""
    kind = random.randrange(3)
    if kind == 0:
        return random.randbytes(random.randrange(64))
    if kind == 1:
        parts = random.choices(FRAGMENTS, k=random.randrange(1, 6))
        return b"".join(part if random.random() < 0.7 else random.randbytes(random.randrange(8)) for part in parts)
    return damaged(b"\n\r".join(random.sample(sorted(LINES), 2)) + b"\n\r", random)


def damaged(stream: bytes, random: Random) -> bytes:
    """The stream with up to four bytes lost, flipped, doubled or swapped with their neighbour."""
    data = bytearray(stream)
    for _ in range(random.randrange(5)):
        place = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                del data[place]
            case 1:
                data[place] ^= 1 << random.randrange(8)
            case 2:
                data.insert(place, data[place])
            case _:
                data[place : place + 2] = data[place : place + 2][::-1]
    return bytes(data)


class WrongResultError(Exception):
    """A parser gave what it must not give."""


def _check_frames(events: list[object]) -> list[Frame]:
    frames = [event for event in events if isinstance(event, Frame)]
    for frame in frames:
        if encode(frame) not in LINES:
            raise WrongResultError(f"a frame that nobody sent: {frame}")
    return frames


def frame_reader(random: Random) -> Callable[[bytes], None]:
    """`FrameReader` and `HistogramAssembly`."""
    reader = FrameReader()
    assembly = HistogramAssembly(3, 1000)
    del random

    def feed(data: bytes) -> None:
        for frame in _check_frames([*reader.feed(data)]):
            assembly.add(frame)
            if assembly.is_complete():
                raise WrongResultError("a histogram whose sums nobody sent is complete")

    return feed


def line(random: Random) -> Callable[[bytes], None]:
    """`decode_line` and `decode_counts`."""
    del random

    def feed(data: bytes) -> None:
        _check_frames([*decode_line(data.strip())])
        decode_counts(data.decode("latin-1"))

    return feed


def repl_reader(random: Random) -> Callable[[bytes], None]:
    """`ReplTokenizer`: the same events for the string whole and byte by byte."""
    whole, bytewise = ReplTokenizer(), ReplTokenizer()
    del random

    def feed(data: bytes) -> None:
        single = [event for place in range(len(data)) for event in bytewise.feed(data[place : place + 1])]
        if whole.feed(data) != single or len(whole.pending) > MAX_EVENT_BYTES:
            raise WrongResultError(f"the cut of the stream makes a difference: {data!r}")

    return feed


def _session(random: Random) -> ReplSession:
    session = ReplSession()
    session.mode = random.choice([None, PromptKind.LUA, PromptKind.COMMAND, PromptKind.CONTINUATION])
    return session


def _machine(machine: Execution | Recovery | Upload, random: Random) -> Callable[[bytes], None]:
    now_s = 0.0

    def feed(data: bytes) -> None:
        nonlocal now_s
        # An echo now and then, or nothing would come beyond the first line.
        out = machine.bytes_to_write(now_s)
        now_s += random.choice([0.0, 0.02, 0.3, 2.0])
        machine.receive(out + data if random.random() < 0.5 else data, now_s)

    return feed


def execution(random: Random) -> Callable[[bytes], None]:
    """`Execution`."""
    return _machine(Execution(_session(random), "f(1)", timeout_s=5, repeatable=random.random() < 0.5), random)


def recovery(random: Random) -> Callable[[bytes], None]:
    """`Recovery`."""
    return _machine(Recovery(_session(random)), random)


def upload(random: Random) -> Callable[[bytes], None]:
    """`Upload`."""
    return _machine(Upload(_session(random), "n.lua", b"return 1\n" * 40), random)


PARSERS = {one.__name__: one for one in (frame_reader, line, repl_reader, execution, recovery, upload)}
STRINGS_PER_PARSER = 20


def fuzz(name: str, count: int, seed: int) -> int:
    """Feed strings to one parser; a new one after `STRINGS_PER_PARSER` strings, or after an error of ours.

    Args:
        name: one of `PARSERS`.
        count: how many strings.
        seed: of the strings.

    Returns:
        How many strings ended with an `Elm11Error`.
    """
    random = Random(seed)  # noqa: S311  # not for secrets
    errors = 0
    feed = PARSERS[name](random)
    for number in range(count):
        if number % STRINGS_PER_PARSER == 0:
            feed = PARSERS[name](random)
        data = random_string(random)
        try:
            feed(data)
        except Elm11Error:
            errors += 1
            feed = PARSERS[name](random)
        except Exception:
            sys.stderr.write(f"{name}: string {number} of seed {seed}: {data!r}\n")
            raise
    return errors


def main() -> None:
    """Run from the command line."""
    arguments = argparse.ArgumentParser(description="Feed random byte strings to the parsers of the wire.")
    arguments.add_argument("--count", type=int, default=10_000, help="strings for each parser (10000)")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("parsers", nargs="*", choices=[[], *PARSERS], metavar="PARSER", help=", ".join(PARSERS))
    options = arguments.parse_args()
    for name in options.parsers or PARSERS:
        start_s = time.perf_counter()
        errors = fuzz(name, options.count, options.seed)
        took_s = time.perf_counter() - start_s
        print(f"{name}: {options.count} strings, {errors} typed errors, no crash, {took_s:.0f} s", flush=True)


if __name__ == "__main__":
    main()
