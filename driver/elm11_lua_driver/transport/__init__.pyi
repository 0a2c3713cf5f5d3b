from .base import Dialogue, Transport, hold
from .memory import MemoryTransport, VirtualTransport
from .open import open_transport
from .serial import SerialTransport
from .trace import ReplayTransport, Trace, read_trace

__all__ = [
    "Dialogue",
    "MemoryTransport",
    "ReplayTransport",
    "SerialTransport",
    "Trace",
    "Transport",
    "VirtualTransport",
    "hold",
    "open_transport",
    "read_trace",
]
