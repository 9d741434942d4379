"""Threads, workers, and how they begin and end."""

import contextlib
import os
import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.service.server.conftest import StartServer
from tests.service.server.wire import GET, CutError, Server, answer, ask, has_taken_up
from tests.waiting import eventually


def test_open_connections_are_counted(start_server: StartServer) -> None:
    server = start_server()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(3)]
        pids = {ask(connection, b"pid").decode() for connection in connections}
        sample = f'understudy_connections{{worker="{pids.pop()}"}} 3.0'.encode()
        eventually(lambda: sample in ask(connections[0], b"metrics"))


def test_more_connections_than_threads_all_get_on(start_server: StartServer) -> None:
    server = start_server(threads=2)
    stop = threading.Event()
    counts = Counter[int]()

    def client(number: int) -> None:
        with server.connect() as connection:
            while not stop.is_set():
                ask(connection, b"pid")
                counts[number] += 1

    with ThreadPoolExecutor(12) as pool:
        clients = [pool.submit(client, number) for number in range(12)]
        try:
            eventually(lambda: len(counts) == 12 and min(counts.values()) >= 20)
        finally:
            stop.set()
        for done in clients:
            done.result()
    # They took turns: none was far ahead of the others.
    assert max(counts.values()) < 20 * min(counts.values())


def test_a_worker_that_stops_answers_what_has_come(start_server: StartServer) -> None:
    server = start_server(threads=2)
    stopped = threading.Event()
    closed = []
    begun = set[int]()

    def client(number: int) -> int:
        answered = 0
        with server.connect() as connection:
            while True:
                connection.sendall(GET % b"pid")
                status, headers, _ = answer(connection)
                assert status == 200
                answered += 1
                begun.add(number)
                if headers["Connection"] == "close":
                    assert stopped.is_set()
                    closed.append(connection.recv(1))
                    return answered

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client, number) for number in range(6)]
        eventually(lambda: len(begun) == 6)
        stopped.set()
        server.process.send_signal(signal.SIGTERM)
        assert all(done.result() > 0 for done in clients)
    assert closed == [b""] * 6
    assert server.process.wait(60) == 0


def test_who_comes_too_late_is_refused_at_once(start_server: StartServer) -> None:
    server = start_server(workers=2)
    answering: set[bytes] = set()

    def all_answer() -> bool:
        """Without the service's settings of gunicorn, who still starts hears of no signal."""
        with server.connect() as connection:
            connection.sendall(GET % b"pid")
            answering.add(answer(connection)[2])
        return len(answering) == 2

    eventually(all_answer)
    with server.connect() as slow:
        slow.sendall(b"GET /pid HTTP/1.1\r\n")
        eventually(lambda: has_taken_up(server, slow))
        server.process.send_signal(signal.SIGTERM)

        def is_refused() -> bool:
            try:
                with server.connect() as late:
                    late.sendall(GET % b"pid")
                    return answer(late)[0] != 200
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:
                return False  # It came between the last look and the end of the listener.

        eventually(is_refused)
        slow.sendall(b"Host: x\r\n\r\n")
        assert answer(slow)[0] == 200
    assert server.process.wait(60) == 0


def test_a_worker_that_stops_answers_a_head_that_came_in_part(start_server: StartServer) -> None:
    server = start_server(threads=2)
    with server.connect() as slow, server.connect() as idle:
        slow.sendall(b"GET /pid HTTP/1.1\r\n")
        eventually(lambda: has_taken_up(server, slow))
        ask(idle, b"pid")
        server.process.send_signal(signal.SIGTERM)
        # The worker has parted with all connections by now over which nothing comes.
        assert idle.recv(1) == b""
        slow.sendall(b"Host: x\r\n\r\n")
        status, headers, _ = answer(slow)
    assert (status, headers["Connection"]) == (200, "close")
    assert server.process.wait(60) == 0


def test_the_last_answer_before_a_worker_is_replaced_says_so(start_server: StartServer) -> None:
    server = start_server("--max-requests", "5")
    pids = set()

    def ask_until_closed() -> bool:
        with server.connect() as connection:
            for number in range(6):
                try:
                    connection.sendall(GET % b"pid")
                    status, headers, body = answer(connection)
                except (CutError, ConnectionError):
                    # The connection came between the last answer and the end of the listener.
                    assert number == 0
                    return False
                assert status == 200
                pids.add(body)
                if headers["Connection"] == "close":
                    assert connection.recv(1) == b""
                    break
            else:
                raise AssertionError("The worker was not replaced.")
        return len(pids) > 1

    eventually(ask_until_closed)


def _both_take_connections(server: Server) -> bool:
    with server.connect() as one, server.connect() as other:
        return ask(one, b"pid") != ask(other, b"pid")


def test_connections_are_spread(start_server: StartServer) -> None:
    server = start_server(workers=2, threads=32)
    eventually(lambda: _both_take_connections(server))
    for at_once in (False, True) * 3:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(32) as pool:
            connections = list(
                pool.map(lambda _: server.connect(), range(32))
                if at_once
                else (server.connect() for _ in range(32))
            )
            for connection in connections:
                stack.enter_context(connection)
            pids = Counter(pool.map(lambda connection: ask(connection, b"pid"), connections))
            # What a worker has not closed yet counts as its own in the next round.
            for connection in connections:
                connection.shutdown(socket.SHUT_WR)
            assert set(pool.map(lambda connection: connection.recv(1), connections)) == {b""}
        assert sum(pids.values()) == 32
        assert max(pids.values()) <= 20, (at_once, pids)


def test_a_worker_that_hangs_does_not_keep_connections_from_others(
    start_server: StartServer,
) -> None:
    server = start_server(workers=2)
    eventually(lambda: _both_take_connections(server))
    stuck, _ = server.workers()
    os.kill(stuck, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                connection = stack.enter_context(server.connect())
                assert ask(connection, b"pid") != b"%d" % stuck
    finally:
        os.kill(stuck, signal.SIGCONT)
