# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile network between programs on this machine: TCP lines that cut, stall, repeat, throttle, go silent
in one direction, reset, insert garbage, drip, and answer in the server's name.

    proxy = Proxy(server_port, seed)
    line = proxy.line("a")            # line.url: what a client is told to be the server
    line.expect("/v1/push", Fate("lose"))           # befalls the next such exchange
    line.weather = Weather(bad=0.3, ...)            # befalls all others, by chance

It knows where a message of HTTP/1.1 ends, so that a fate can be meant for one exchange and a request can be
delivered twice; everything inside is bytes. Chance comes from the seed and the line's name alone.
"""

import asyncio
import contextlib
import dataclasses
import random
import socket
import struct
import threading

CHUNK = 16384
MAX_HEAD = 65536
HTML = b"<html><body><h1>Please sign in to the hotel's network</h1></body></html>\n"

# What can befall an exchange. side: which half of it; at: after how many of its bytes; seconds: for how long.
KINDS = ("pass", "refuse", "cut", "finish", "lose", "repeat", "repeat_late", "stall", "half_open", "garbage", "drip",
         "gateway", "gateway_after", "portal", "redirect")


@dataclasses.dataclass
class Fate:
    kind: str = "pass"
    side: str = "reply"
    at: int = 0
    seconds: float = 0.0


@dataclasses.dataclass
class Weather:
    """bad: how many of a hundred exchanges meet one of the kinds. rate in bytes a second (0: any), latency in seconds.
    Times are already scaled: a test says 2 s × SCALE."""
    bad: float = 0.0
    kinds: tuple = KINDS[1:]
    rate: float = 0.0
    latency: float = 0.0
    hold: float = 0.3   # the longest stall

    def draw(self, chance):
        if chance.random() >= self.bad:
            return Fate()
        # As often in the first line as deep in a large body.
        at = int(2 ** chance.uniform(0, 18))
        return Fate(chance.choice(self.kinds), chance.choice(("request", "reply")), at, chance.uniform(0, self.hold))


class Broken(Exception):
    """The line is at its end: both sides are reset."""


class Pipe:
    """One half of one exchange, on its way through the fate that was drawn for it."""

    def __init__(self, line, writer, fate, side):
        self.line = line
        self.writer = writer
        self.side = side
        self.fate = fate if fate.side == side else Fate()
        self.passed = 0

    async def send(self, data):
        kind, at = self.fate.kind, self.fate.at
        inside = kind in ("cut", "finish", "stall", "half_open", "garbage") and self.passed <= at < self.passed + len(data)
        if kind == "drip" and self.passed < at:
            for i in range(min(len(data), 64)):
                await self._write(data[i:i + 1])
                await asyncio.sleep(0.001)
            data = data[64:]
        elif inside:
            head, data = data[:at - self.passed], data[at - self.passed:]
            await self._write(head)
            await self._befall(kind)
            # A request keeps its length: what is too much would be read as the beginning of the next one.
            if kind == "garbage":
                data = await self._garble(data)
            self.fate = Fate()
        if data:
            await self._write(data)

    async def _befall(self, kind):
        if kind == "cut":
            raise Broken
        if kind == "finish":
            self.writer.write_eof()
            await asyncio.sleep(self.fate.seconds)
            raise Broken
        if kind == "stall":
            await asyncio.sleep(self.fate.seconds)
        elif kind == "half_open":
            # Neither end is told anything, until somebody loses patience.
            await asyncio.sleep(self.fate.seconds)
            raise Broken

    async def _garble(self, data):
        """Never UTF-8, so that nobody can take it for content. What is left of data."""
        n = self.line.chance.randint(1, 40)
        if self.side == "request":
            n = min(n, len(data))
        await self._write(bytes(self.line.chance.randrange(0x80, 0x100) for _ in range(n)))
        return data[n:] if self.side == "request" else data

    async def _write(self, data):
        if not data:
            return
        rate = self.line.weather.rate
        step = max(1, int(rate / 20)) if rate > 0 else len(data)
        for start in range(0, len(data), step):
            part = data[start:start + step]
            if rate > 0:
                await asyncio.sleep(len(part) / rate)
            if self.line.down:
                raise Broken
            self.writer.write(part)
            self.passed += len(part)
            await self.writer.drain()


def reset(writer):
    if writer is None:
        return
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def parse_head(head):
    """First words, and the headers by small name."""
    lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return lines[0].split(" ", 2), headers


async def read_head(reader):
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        return None


async def body_parts(reader, headers):
    """The body as it comes; chunked ones stay chunked."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            yield size
            left = int(size.split(b";")[0], 16) + 2
            end = left == 2
            while left > 0:
                part = await reader.read(min(CHUNK, left))
                if not part:
                    raise Broken
                left -= len(part)
                yield part
            if end:
                return
    left = int(headers.get("content-length", "0") or "0")
    while left > 0:
        part = await reader.read(min(CHUNK, left))
        if not part:
            raise Broken
        left -= len(part)
        yield part


class Line:
    """One way to the server, with a port of its own."""

    def __init__(self, proxy, name):
        self.proxy = proxy
        self.name = name
        self.chance = random.Random(f"{proxy.seed} {name}")
        self.weather = Weather()
        self.down = False
        self.expected = []      # [start of the path, fate, what is called when it is over]
        self.seen = []          # [method, path, kind, status or 0 as long as there is none]
        self.ranges = []        # of the GETs that had one
        self.lost_bytes = 0
        self.open = set()
        self.tasks = set()
        self.url = None

    # ---- from the test's thread ----

    def expect(self, path, fate, after=None):
        """The next exchange whose path begins so. after (): called in the proxy's thread when the client has the reply."""
        self.expected.append((path, fate, after))

    def cut(self):
        """The network is gone: what is open is reset, what comes is refused."""
        self.down = True
        self.proxy.call(self._reset_all)

    def heal(self):
        self.down = False
        self.weather = Weather()
        self.expected.clear()

    def drop(self):
        """What is open is reset, and that is all."""
        self.proxy.call(self._reset_all)

    def count(self, path, kind=None):
        return sum(1 for _m, p, k, _s in self.seen if p.startswith(path) and (kind is None or k == kind))

    # ---- in the proxy's thread ----

    async def _reset_all(self):
        for writer in list(self.open):
            reset(writer)
        for task in list(self.tasks):
            task.cancel()

    def _draw(self, path):
        for i, (start, fate, after) in enumerate(self.expected):
            if path.startswith(start):
                del self.expected[i]
                return fate, after
        fate = self.weather.draw(self.chance)
        if fate.kind.startswith("repeat") and not path.startswith(("/v1/push", "/v1/pull", "/v1/blob", "/v1/digest", "/v1/rows")):
            fate = Fate()
        return fate, None

    async def _upstream(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port, limit=MAX_HEAD)
        self.open.add(writer)
        return reader, writer

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.open.add(writer)
        server = None
        try:
            if self.down:
                raise Broken
            while True:
                head = await read_head(reader)
                if head is None or self.down:
                    break
                words, headers = parse_head(head)
                method, path = words[0], words[1] if len(words) > 1 else "?"
                fate, after = self._draw(path)
                record = [method, path, fate.kind, 0]
                self.seen.append(record)
                try:
                    if server is None or server[1].is_closing():
                        server = await self._upstream()
                    keep = await self._exchange(reader, writer, server, head, headers, fate, record)
                finally:
                    if after is not None:
                        after()
                if not keep:
                    break
            writer.close()
        except (Broken, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError):
            reset(writer)
        except asyncio.CancelledError:
            reset(writer)
        finally:
            self.tasks.discard(task)
            self.open.discard(writer)
            if server is not None:
                self.open.discard(server[1])
                reset(server[1])

    async def _answer(self, writer, record, status, more=b""):
        record[3] = int(status[:3])
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\n" + more
                     + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(HTML) + HTML)
        await writer.drain()
        return False

    async def _exchange(self, reader, writer, server, head, headers, fate, record):
        """One request and its reply. False: the connection ends here."""
        if self.weather.latency > 0:
            await asyncio.sleep(self.weather.latency / 2)
        if "range" in headers:
            self.ranges.append(headers["range"])
        if fate.kind == "refuse":
            raise Broken
        if fate.kind in ("gateway", "portal", "redirect"):
            async for _part in body_parts(reader, headers):
                pass
            return await self._answer(writer, record, {"gateway": b"502 Bad Gateway", "portal": b"200 OK",
                                                       "redirect": b"302 Found"}[fate.kind],
                                      b"Location: http://portal.invalid/\r\n" if fate.kind == "redirect" else b"")
        twice = fate.kind in ("repeat", "repeat_late")
        whole = bytearray(head) if twice else None
        pipe = Pipe(self, server[1], fate, "request")
        # The server may answer, or give up, before it has all.
        early = asyncio.ensure_future(read_head(server[0]))
        try:
            await pipe.send(head)
            async for part in body_parts(reader, headers):
                if whole is not None:
                    whole += part
                if not (early.done() and server[1].is_closing()):
                    await pipe.send(part)
            answer = await early
        finally:
            early.cancel()
        if answer is None:
            raise Broken
        return await self._reply(reader, writer, server, answer, record, fate, whole)

    async def _reply(self, reader, writer, server, answer, record, fate, whole):
        words, headers = parse_head(answer)
        record[3] = int(words[1])
        if record[3] == 101:
            return await self._raw(reader, writer, server, answer, fate)
        if record[3] in (204, 304) or record[0] == "HEAD":
            headers.pop("content-length", None)
        if fate.kind in ("lose", "gateway_after", "repeat"):
            async for part in body_parts(server[0], headers):
                self.lost_bytes += len(part)
            if fate.kind == "lose":
                raise Broken
            if fate.kind == "gateway_after":
                return await self._answer(writer, record, b"504 Gateway Timeout")
            server = await self._upstream()
            try:
                server[1].write(bytes(whole))
                await server[1].drain()
                answer = await read_head(server[0])
                if answer is None:
                    raise Broken
                return await self._pass_on(writer, server, answer, record, fate) and False
            finally:
                self.open.discard(server[1])
                reset(server[1])
        if fate.kind == "repeat_late":
            task = asyncio.ensure_future(self._later(bytes(whole), fate.seconds))
            self.proxy.later.add(task)
            task.add_done_callback(self.proxy.later.discard)
        return await self._pass_on(writer, server, answer, record, fate)

    async def _pass_on(self, writer, server, answer, record, fate):
        words, headers = parse_head(answer)
        record[3] = int(words[1])
        if record[3] in (204, 304):
            headers.pop("content-length", None)
        if self.weather.latency > 0:
            await asyncio.sleep(self.weather.latency / 2)
        pipe = Pipe(self, writer, fate, "reply")
        await pipe.send(answer)
        async for part in body_parts(server[0], headers):
            await pipe.send(part)
        return headers.get("connection", "").lower() != "close"

    async def _later(self, whole, seconds):
        """A middlebox that thinks of it again when everybody has gone on."""
        await asyncio.sleep(seconds)
        with contextlib.suppress(OSError, Broken, ValueError, asyncio.IncompleteReadError):
            server = await self._upstream()
            try:
                server[1].write(whole)
                await server[1].drain()
                answer = await read_head(server[0])
                if answer is not None:
                    async for _part in body_parts(server[0], parse_head(answer)[1]):
                        pass
            finally:
                self.open.discard(server[1])
                reset(server[1])

    async def _raw(self, reader, writer, server, answer, fate):
        """After an upgrade: bytes both ways."""
        writer.write(answer)

        async def pump(source, pipe):
            while True:
                data = await source.read(CHUNK)
                if not data:
                    raise Broken
                await pipe.send(data)

        pumps = [asyncio.ensure_future(pump(server[0], Pipe(self, writer, fate, "reply"))),
                 asyncio.ensure_future(pump(reader, Pipe(self, server[1], fate, "request")))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in pumps:
                each.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        raise Broken


class Proxy:
    """Its own thread; port: where the server listens, may change."""

    def __init__(self, port, seed=1):
        self.port = port
        self.seed = seed
        self.lines = []
        self.later = set()
        self.servers = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def call(self, function, *arguments):
        return asyncio.run_coroutine_threadsafe(function(*arguments), self.loop).result(30)

    def line(self, name):
        line = Line(self, name)

        async def listen():
            return await asyncio.start_server(line.serve, "127.0.0.1", 0, limit=MAX_HEAD)

        server = self.call(listen)
        self.servers.append(server)
        line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.lines.append(line)
        return line

    def heal(self):
        for line in self.lines:
            line.heal()

    def quiet(self):
        """Waits until no late repeat is under way."""
        async def wait():
            while self.later:
                await asyncio.wait(list(self.later), timeout=10)
        self.call(wait)

    def met(self):
        """How often each kind befell somebody."""
        counts = {}
        for line in self.lines:
            for _method, _path, kind, _status in line.seen:
                counts[kind] = counts.get(kind, 0) + 1
        return counts

    def close(self):
        async def end():
            for server in self.servers:
                server.close()
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):
            self.call(end)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.loop.close()
