"""Ports: serial, network and in memory, and the loop that drives a machine over one."""
