"""The socket that a server listens on, and how it stops so that nobody is lost.

A connection is made by the system, before the server accepts it: the client may have sent its
request while the connection still waits. Who closes a listening socket cuts those off. So a server
that ends first turns new clients away (`hush`), accepts all who wait (`waiting`), and only then
closes.

On Linux, `hush` gives the socket a filter that drops SYN, the packet which asks for a connection,
and lets pass what belongs to connections that are made. The client's system asks again a second
later, and is then told that nobody listens: it can safely go elsewhere. On other systems there is
no such filter, and a connection that is made in the very last moment may be lost.

Source: Linux's Documentation/networking/filter.rst, and RFC 9293, section 3.5.
"""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import sys
from contextlib import suppress

__all__ = ["hush", "waiting"]

logger = logging.getLogger(__name__)

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python's socket has no name for it
_FLAGS_AT = 13  # of the TCP header
_SYN = 0x02
_LOAD_BYTE, _JUMP_IF_SET, _RETURN = 0x30, 0x45, 0x06
_PASS, _DROP = 0xFFFFFFFF, 0
_WAITING_AT = 24  # tcpi_unacked in struct tcp_info: on a listening socket, its accept queue
_INFO_BYTES = 104


def hush(listener: socket.socket) -> bool:
    """Whether new clients are turned away from now on; those who wait can still be accepted.

    Args:
        listener: a listening TCP socket.
    """
    if not sys.platform.startswith("linux"):
        return False
    instructions = (
        (_LOAD_BYTE, 0, 0, _FLAGS_AT),
        (_JUMP_IF_SET, 0, 1, _SYN),
        (_RETURN, 0, 0, _DROP),
        (_RETURN, 0, 0, _PASS),
    )
    program = ctypes.create_string_buffer(
        b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    )
    described = struct.pack("HL", len(instructions), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
    except OSError as error:  # a sandbox may forbid it
        logger.info("new connections cannot be turned away: %s", error)
        return False
    return True


def waiting(listener: socket.socket) -> int:
    """How many connections are made and not yet accepted; 0 where the system does not tell.

    Args:
        listener: a listening TCP socket.
    """
    if sys.platform.startswith("linux"):
        with suppress(OSError):
            told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            (count,) = struct.unpack_from("I", told, _WAITING_AT)
            return int(count)
    return 0
