"""The socket that a server listens on, and how it stops so that nobody is lost.

A connection is made by the system, before the server accepts it: the client may have sent its
request while the connection still waits. Who closes a listening socket cuts those off. So a server
that ends first turns new clients away (`hush`), accepts all who wait (`waiting`), and only then
closes.

On Linux, `hush` binds the listening socket to a network interface that does not exist. Packets that
ask for a connection then find no listener, and the client is told at once that it is refused: it
can safely go elsewhere. What belongs to a connection that is made is not looked up by the listener,
so all of those go on. It needs no privilege (Linux 5.7 or later), so it works in a container
without capabilities too; a socket filter that drops SYN would be refused there. On other systems
there is no such way, and a connection that is made in the very last moment may be lost.

Source: Linux's net/core/sock.c (SO_BINDTOIFINDEX) and net/ipv4/inet_hashtables.c (a listener is
chosen by its interface), and RFC 9293, section 3.5.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
from contextlib import suppress

__all__ = ["hush", "waiting"]

logger = logging.getLogger(__name__)

_SO_BINDTOIFINDEX = 62  # asm-generic/socket.h; Python's socket has no name for it
_NO_INTERFACE = 2**31 - 1  # the highest number of an interface; the system counts from 1
_WAITING_AT = 24  # tcpi_unacked in struct tcp_info: on a listening socket, its accept queue
_INFO_BYTES = 104


def hush(listener: socket.socket) -> bool:
    """Whether new clients are turned away from now on; those who wait can still be accepted.

    Args:
        listener: a listening TCP socket.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)
    except OSError as error:  # an old system, or a sandbox
        logger.warning("new connections cannot be turned away: %s", error)
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
