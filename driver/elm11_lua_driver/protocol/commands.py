"""What the driver types to `run.lua` about a run, and what the board answers: lines and frames, without a port.

A job goes to the board as calls of `elm11.set`, floats in hexadecimal (the board reads decimal numbers in single
precision). The board answers with the CRC-32 of what has arrived, number by number as IEEE doubles, so that a wrong bit
does not become a wrong result.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import ProtocolError
from .frame import Frame, FrameKind

if TYPE_CHECKING:
    from ..jobs.job import Job

LOAD_LINE: Final = 'if not elm11 then elm11=run_program("run.lua")end'
RELOAD_LINE: Final = 'elm11=run_program("run.lua")'
STATUS_LINE: Final = "if elm11 then elm11.status()end"
HELLO_LINE: Final = "elm11.hello()"
AGAIN_LINE: Final = "elm11.again()"
FORGET_LINE: Final = "elm11.forget()"

MAX_LINE: Final = 253
"""One less than the board takes, so that a doubled byte cannot submit a line."""

NAME_DIGITS: Final = 16
"""Digits of the job's SHA-256 by which the board calls it: enough that no two jobs of a lifetime are confused."""


def job_name(job: Job) -> str:
    """What the board calls a job."""
    return job.sha256[:NAME_DIGITS]


def job_fields(job: Job) -> dict[str, int | float | str]:
    """The fields that `run.lua` wants, in the order of its CRC-32."""
    return {
        "seed_low": job.seed & 0xFFFFFFFF,
        "seed_high": job.seed >> 32,
        "J": job.J,
        "n_samples": job.n_samples,
        "n_bins": job.n_bins,
        "lag1_x": job.lag1_x,
        "lag1_y": job.lag1_y,
        "sigma0": job.s0 / job.dt,
        "dj": job.dj,
        "surrogates": job.surrogates,
        "wavelet": job.wavelet,
        "scale_box": job.scale_box,
        "pipeline": job.pipeline,
        "name": job_name(job),
    }


def job_crc32(job: Job) -> str:
    """What the board says of the job if every bit of it has arrived: eight hexadecimal digits."""
    packed = b""
    for value in job_fields(job).values():
        match value:
            case int():
                packed += struct.pack("<I", value)
            case float():
                packed += struct.pack("<d", value)
            case _:
                packed += value.encode("ascii") + b"\n"
    return f"{zlib.crc32(packed):08x}"


def job_lines(job: Job) -> list[str]:
    """The lines that give a job to the board, as few as possible, each of at most `MAX_LINE` characters."""
    lines: list[str] = []
    words: list[str] = []
    for name, value in job_fields(job).items():
        match value:
            case int():
                text = hex(value) if value > 0x7FFFFFFF else str(value)  # decimal numbers above would become floats
            case float():
                text = value.hex()
            case _:
                text = f'"{value}"'
        word = f"{name}={text}"
        if len(_set_line([*words, word])) > MAX_LINE:
            lines.append(_set_line(words))
            words = []
        words.append(word)
    return [*lines, _set_line(words)]


def _set_line(words: list[str]) -> str:
    return f"elm11.set{{{','.join(words)}}}"


def start_line(simulations: range, every: int, heartbeat: int) -> str:
    """The line that starts a run.

    Args:
        simulations: which, step 1.
        every: simulations from one progress report to the next.
        heartbeat: scales from one heartbeat to the next, 0 for none within a simulation.
    """
    return f"elm11.start({simulations.start},{len(simulations)},{every},{heartbeat})"


def send_line(first_block: int, last_block: int) -> str:
    """The line that asks for blocks of the histogram; -1 for the last one there is."""
    return f"elm11.send({first_block},{last_block})"


@dataclass(frozen=True)
class BoardStatus:
    """What the board says of itself in an H, P or E frame.

    Attributes:
        job: the job's name, empty when there is none.
        crc32: CRC-32 of the job's fields as the board has them.
        first: first simulation of the run.
        count: simulations of the run.
        done: how many of them are in the histogram whole.
        opened: how many of them are in it whole or in part; None where the frame does not tell.
        scale: number of the scale that the running simulation is at.
        version: what the programs speak; None where the frame does not tell.
        programs: CRC-32 of all programs' texts; empty until they are loaded.
        ended: whether the run says that it has ended.
    """

    job: str
    crc32: str
    first: int
    count: int
    done: int
    opened: int | None = None
    scale: int = 0
    version: int | None = None
    programs: str = ""
    ended: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether the histogram holds whole simulations only."""
        return self.opened is None or self.opened == self.done


def parse_status(frame: Frame) -> BoardStatus:
    """What an H, P or E frame of `run.lua` says."""
    fields = frame.fields()

    def word(name: str) -> str:
        return "" if fields.get(name, "-") == "-" else fields[name]

    def number(name: str) -> int | None:
        return int(fields[name]) if name in fields else None

    try:
        return BoardStatus(
            job=word("job"),
            crc32=word("crc"),
            first=int(fields["first"]),
            count=int(fields["count"]),
            done=int(fields["done"]),
            opened=number("opened"),
            scale=number("scale") or 0,
            version=number("version"),
            programs=word("programs"),
            ended=frame.payload.endswith(" end"),
        )
    except (KeyError, ValueError) as error:
        raise ProtocolError(f"frame {frame.kind}{frame.sequence} makes no sense: {frame.payload[:80]!r}.") from error


def is_status(frame: Frame) -> bool:
    """Whether a frame is one that `parse_status` reads: not data, not the end of a histogram."""
    if frame.kind is FrameKind.END:
        return frame.payload.endswith(" end")
    return frame.kind in {FrameKind.HELLO, FrameKind.PROGRESS}
