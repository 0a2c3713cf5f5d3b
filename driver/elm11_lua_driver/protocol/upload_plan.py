"""What may be uploaded, and how long that takes: limits of a stored program, times of the dialogue."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PROGRAM_BYTES = 24_575
MAX_NAME = 29
PAGE_BYTES = 256


@dataclass(frozen=True)
class UploadSettings:
    """Times and limits of an upload.

    Args:
        page_wait_s: pause after a page's sum: the board answers before it writes its flash (the vendor
            waits 0.1 s).
        reply_timeout_s: longest wait for an answer.
        quiet_s: a pause this long after the command shows that the board expects bytes.
        attempts: how often the whole program is sent before giving up.
    """

    page_wait_s: float = 0.1
    reply_timeout_s: float = 2.0
    quiet_s: float = 0.2
    attempts: int = 4


def n_bytes_written(n_bytes: int) -> int:
    """Bytes that the host writes to upload a program, from the first byte of the dialogue to the last.

    Args:
        n_bytes: length of the program.
    """
    n_pages = -(-n_bytes // PAGE_BYTES)
    return n_bytes + 2 * n_pages + len("\x07\x09") + 4 + len("\x0d")


def estimate_s(n_bytes: int, *, byte_time_s: float, settings: UploadSettings | None = None) -> float:
    """How long the upload of a program takes at least, in seconds.

    Args:
        n_bytes: length of the program.
        byte_time_s: how long one byte takes to leave.
        settings: times and limits.
    """
    settings = settings or UploadSettings()
    n_pages = -(-n_bytes // PAGE_BYTES)
    return settings.quiet_s + n_bytes_written(n_bytes) * byte_time_s + n_pages * settings.page_wait_s
