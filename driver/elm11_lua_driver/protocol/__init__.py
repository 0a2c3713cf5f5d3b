"""Bytes in, events out, with no port and no clock: result lines, commands, uploads."""
