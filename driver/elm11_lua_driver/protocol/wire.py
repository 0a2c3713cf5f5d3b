"""The wire between this computer and a board: its speed, and how long a byte takes."""

from __future__ import annotations

from typing import Final

BAUD_RATE: Final = 115_200
WIRE_BYTE_S: Final = 10 / BAUD_RATE
"""One byte on the wire: start bit, eight bits, stop bit."""

DEFAULT_TX_DELAY_S: Final = 0.001
"""From the start of one byte to the start of the next: what the vendor's tools use."""
