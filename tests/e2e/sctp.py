#!/usr/bin/env python3
"""sctp.py PID NAMESPACE OURS HOST PORT TARGET: the first two packets of an SCTP association, written by hand, as kernels
without SCTP sockets translate it all the same. INIT goes from OURS in the named namespace to HOST:PORT; it must be seen
in the network namespace of PID with the port TARGET, and the INIT ACK from there must come back from HOST:PORT.
"""
import ctypes
import os
import socket
import struct
import sys

SCTP = 132
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
CLIENT_PORT, PATIENCE_S = 40000, 5


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def packet(source, target, tag, kind, own_tag):
    """INIT (1) or INIT ACK (2): RFC 9260, sections 3.1, 3.3.2, 3.3.3."""
    body = struct.pack("!IIHHI", own_tag, 65536, 1, 1, 1000)
    if kind == 2:
        body += struct.pack("!HHI", 7, 8, 0xC00C1E00)  # a state cookie
    chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body
    head = struct.pack("!HHI", source, target, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


def socket_in(path):
    """A raw socket of another network namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    if LIBC.setns(there, CLONE_NEWNET):
        sys.exit(f"{path}: {os.strerror(ctypes.get_errno())}")
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
    made.settimeout(PATIENCE_S)
    if LIBC.setns(home, CLONE_NEWNET):
        sys.exit("the way back")
    os.close(home)
    os.close(there)
    return made


def receive(sock, kind):
    """(source address, source port, target port, verification tag) of the next packet of that kind."""
    while True:
        data, (address, _) = sock.recvfrom(2048)
        data = data[4 * (data[0] & 15):]
        source, target, tag = struct.unpack("!HHI", data[:8])
        if data[12] == kind:
            return address, source, target, tag


def main():
    pid, name, ours, host, port, wanted = sys.argv[1:]
    client = socket_in(f"/run/netns/{name}")
    server = socket_in(f"/proc/{pid}/ns/net")
    client.bind((ours, 0))
    client.sendto(packet(CLIENT_PORT, int(port), 0, 1, 0x11111111), (host, 0))
    address, source, target, _ = receive(server, 1)
    assert (address, source, target) == (ours, CLIENT_PORT, int(wanted)), (address, source, target)
    server.sendto(packet(target, source, 0x11111111, 2, 0x22222222), (address, 0))
    address, source, target, tag = receive(client, 2)
    assert (address, source, target, tag) == (host, int(port), CLIENT_PORT, 0x11111111), (address, source, target, tag)


main()
