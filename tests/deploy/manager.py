# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for the service manager."""
import socket
import subprocess

PATIENCE = 30


class Manager:
    """Stands in for the service manager: a socket that takes what it is told."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(PATIENCE)

    def take(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def await_state(self, *keys):
        """The next message that has all these keys, and those before it."""
        before = []
        while not set(keys) <= set(message := self.take()):
            before.append(message)
        return message, before


def links_systemd(program):
    linked = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True)
    return "libsystemd" in linked.stdout
