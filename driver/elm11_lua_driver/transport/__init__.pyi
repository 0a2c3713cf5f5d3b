from .base import ProtocolMachine, Transport, drive
from .memory import MemoryTransport, VirtualTransport
from .open import open_transport
from .serial import SerialTransport
from .trace import ReplayTransport, Trace, read_trace

__all__ = [
    "MemoryTransport",
    "ProtocolMachine",
    "ReplayTransport",
    "SerialTransport",
    "Trace",
    "Transport",
    "VirtualTransport",
    "drive",
    "open_transport",
    "read_trace",
]
