from .base import ProtocolMachine, Transport, drive
from .memory import MemoryTransport, VirtualTransport
from .open import open_transport
from .serial import SerialTransport
from .trace import ReplayTransport, Trace, check_replaceable, read_trace

__all__ = [
    "MemoryTransport",
    "ProtocolMachine",
    "ReplayTransport",
    "SerialTransport",
    "Trace",
    "Transport",
    "VirtualTransport",
    "check_replaceable",
    "drive",
    "open_transport",
    "read_trace",
]
