"""A mail server and a web server on loopback that keep what they are sent: real sockets."""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Sink:
    """What has come in; *refuse* says how the next ones are answered (empty: taken)."""

    port: int = 0
    refuse: list[str] = field(default_factory=list)
    """Answers for the next ones, in their order; what comes after them is taken."""
    mails: list[EmailMessage] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], dict]] = field(default_factory=list)
    logins: list[tuple[str, bool]] = field(default_factory=list)
    """What was said to log in, and whether the line was encrypted."""
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self) -> str:
        self.asked += 1
        return self.refuse.pop(0) if self.refuse else ""


@contextmanager
def _serving(handler: Handler, sink: Sink) -> Iterator[Sink]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.transport
        try:
            await handler(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            pass  # whoever had called has hung up
        finally:
            raw.abort()

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(handle, "127.0.0.1", 0)

    async def end(server: asyncio.Server) -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def http_sink() -> Iterator[Sink]:
    """Serve HTTP; an answer is a status such as ``503`` or ``429 7`` (Retry-After)."""
    sink = Sink()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        status, _, after = sink.answer().partition(" ")
        if not status:
            sink.posts.append((head[0].split()[1], headers, json.loads(body)))
        extra = f"Retry-After: {after}\r\n" if after else ""
        writer.write(
            f"HTTP/1.1 {status or 200} X\r\n{extra}Content-Length: 0\r\nConnection: close\r\n\r\n"
            "".encode()
        )
        await writer.drain()

    with _serving(handle, sink) as served:
        yield served


@dataclass
class _Talk:
    """One connection of the mail server."""

    sink: Sink
    tls: ssl.SSLContext | None
    logged_in: bool
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    secure: bool = False

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def hold(self) -> None:
        self.say("220 sink")
        while line := (await self.reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            answer = getattr(self, f"on_{verb.lower()}", None)
            if answer is None:
                self.say("250 ok")
            else:
                await answer(line)
            await self.writer.drain()
            if verb == "QUIT":
                return

    async def on_ehlo(self, line: str) -> None:
        offered = ["250-STARTTLS"] if self.tls is not None and not self.secure else []
        self.say("250-sink", *offered, "250 AUTH PLAIN")

    async def on_starttls(self, line: str) -> None:
        self.say("220 go ahead")
        await self.writer.drain()
        await self.writer.start_tls(self.tls)
        self.secure = True

    async def on_auth(self, line: str) -> None:
        said = base64.b64decode(line.split()[2]).decode().strip("\0")
        self.sink.logins.append((said, self.secure))
        self.logged_in = True
        self.say("235 welcome")

    async def on_mail(self, line: str) -> None:
        self.say(self.sink.answer() or ("250 ok" if self.logged_in else "530 log in first"))

    async def on_rcpt(self, line: str) -> None:
        self.say("550 nobody" if "nobody@" in line else "250 ok")

    async def on_data(self, line: str) -> None:
        self.say("354 go ahead")
        data = await self.reader.readuntil(b"\r\n.\r\n")
        self.sink.mails.append(message_from_bytes(data[:-3], policy=policy.default))
        self.say("250 taken")

    async def on_quit(self, line: str) -> None:
        self.say("221 bye")


@contextmanager
def smtp_sink(tls: ssl.SSLContext | None = None, login: bool = False) -> Iterator[Sink]:
    """Serve SMTP, with STARTTLS where *tls* is given; *login*: nothing is taken without one."""
    sink = Sink()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Talk(sink, tls, not login, reader, writer).hold()

    with _serving(handle, sink) as served:
        yield served


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS for 127.0.0.1, and the file of the certificate to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, secret = folder / "sink.pem", folder / "sink.key"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return context, trusted
