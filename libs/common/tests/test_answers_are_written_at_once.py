"""What one step of the loop writes in pieces goes out in one: a system call each is what a small answer costs most."""

import asyncio
import socket
from collections.abc import Callable

import uvloop

from libs.common.server import JOINED_BYTES, Joined


def written(act: Callable[[Joined], None]) -> list[bytes]:
    """What the other end of a real connection reads while the step is still on (first), and after it."""

    async def go() -> list[bytes]:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        act(Joined(transport, loop))  # type: ignore[arg-type]
        during = _read(theirs)
        await asyncio.sleep(0.01)
        after = _read(theirs)
        transport.abort()
        theirs.close()
        return [during, after]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 20)
    except BlockingIOError:
        return b""


def test_head_body_and_end_go_out_together_in_their_order() -> None:
    def answer(line: Joined) -> None:
        for piece in (b"head", b"body", b"", b"end"):
            line.write(piece)

    assert written(answer) == [b"", b"headbodyend"]


def test_a_large_piece_waits_for_nothing_and_comes_after_what_was_held() -> None:
    large = b"x" * JOINED_BYTES
    assert written(lambda line: line.write(large)) == [large, b""]

    def answer(line: Joined) -> None:
        line.write(b"head")
        line.write(large)
        line.write(b"end")

    assert written(answer) == [b"head" + large, b"end"]


def test_what_was_held_is_sent_before_the_end_and_not_after_a_break() -> None:
    def close(line: Joined) -> None:
        line.write(b"refused")
        line.close()

    def abort(line: Joined) -> None:
        line.write(b"half")
        line.abort()

    assert b"".join(written(close)) == b"refused"
    assert b"".join(written(abort)) == b""
