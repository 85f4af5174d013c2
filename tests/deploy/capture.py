"""All that machines of the fleet say to each other, as who listens on their network reads it."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

ALL_PROTOCOLS, IPV4, TCP = 0x0003, 0x0800, 6
SOL_PACKET, PACKET_STATISTICS = 263, 6
BUFFER_BYTES = 64 * 2**20
LOOK_SECONDS = 0.2
PLAIN = re.compile(rb"(^|\n)[A-Z]{3,7} [^ \r\n]{1,2000} HTTP/1\.[01]\r\n|HTTP/1\.[01] [1-5][0-9][0-9] ")
"""The first line of a request or of an answer in plain HTTP, wherever it stands."""
HELLO = re.compile(rb"^\x16\x03[\x00-\x03]..\x01", re.DOTALL)
"""The beginning of a connection with TLS, by who opens it."""


@dataclass
class Traffic:
    """What was seen of TCP; complete at the end of the block."""

    segments: int = 0
    lost: int = 0
    plain: list[str] = field(default_factory=list)
    """Plain HTTP: from where to where, and its first line."""
    hellos: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """Connections with TLS that were opened: by whom, to whom, to which port."""

    def note(self, source: tuple[str, int], target: tuple[str, int], payload: bytes) -> None:
        """Take in what one segment carries."""
        self.segments += 1
        if PLAIN.search(payload):
            line = payload.split(b"\r\n", 1)[0][:100].decode(errors="replace")
            self.plain.append(f"{source[0]}:{source[1]} → {target[0]}:{target[1]} {line}")
        if HELLO.match(payload):
            self.hellos[source[0], *target] += 1


def read_segment(frame: bytes) -> tuple[tuple[str, int], tuple[str, int], bytes] | None:
    """Read an Ethernet frame: from where, to where, and what its TCP segment carries; None for all else."""
    if len(frame) < 54 or struct.unpack("!H", frame[12:14])[0] != IPV4:
        return None
    packet = frame[14:]
    header, length = (packet[0] & 0x0F) * 4, struct.unpack("!H", packet[2:4])[0]
    if packet[9] != TCP:
        return None
    # What a card would cut to pieces comes as one, and one longer than the field can say has none.
    segment = packet[header : length or None]
    source_port, target_port = struct.unpack("!HH", segment[:4])
    payload = segment[(segment[12] >> 4) * 4 :]
    source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    return ((source, source_port), (target, target_port), payload) if payload else None


@contextmanager
def captured(interfaces: list[str]) -> Iterator[Traffic]:
    """Read all that goes in and out at these interfaces of the network namespace that this runs in."""
    traffic, ended = Traffic(), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, 33, BUFFER_BYTES)  # SO_RCVBUFFORCE, which Python does not name
        listener.settimeout(LOOK_SECONDS)

        def listen() -> None:
            while not ended.is_set():
                try:
                    frame, (interface, *_) = listener.recvfrom(2**18)
                except TimeoutError:
                    continue
                if interface not in interfaces:
                    continue
                segment = read_segment(frame)
                if segment is not None:
                    traffic.note(*segment)

        listening = threading.Thread(target=listen)
        listening.start()
        try:
            yield traffic
        finally:
            ended.set()
            listening.join()
            _, traffic.lost = struct.unpack("II", listener.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
