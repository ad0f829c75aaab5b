#!/usr/bin/env python3
"""Faults of TLS and HTTP/2 over real sockets: certificates that nobody signed, handshakes that break, connections that
are going away, streams that are reset. Each is asked streamed and whole, with a healthy provider beside it and without.
The gateway speaks HTTP/1.1 straight to upstreams, and HTTP/2 through a proxy: here a tunnel of our own. The upstream
speaks just enough HTTP/2 for that. Needs `openssl` for its certificates, and says so without it.
Usage: tls.py PATH_TO_WAYSTATION"""
import collections
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

from station import Checks, Station, events

WORDS = 60
USAGE = {"prompt_tokens": 1000, "completion_tokens": WORDS, "total_tokens": 1000 + WORDS}
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
counts, lock = collections.Counter(), threading.Lock()


def said(letter, count=WORDS):
    return "".join(f"{letter}{n} " for n in range(count))


def chunk(delta, finish=None):
    return json.dumps({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def pieces(letter, stream):
    """The answer in pieces: its events, or its body in halves."""
    if stream:
        words = [chunk({"content": f"{letter}{n} "}) for n in range(WORDS)]
        usage = json.dumps({"id": "x", "choices": [], "usage": USAGE})
        return [f"data: {text}\n\n".encode() for text in [*words, chunk({}, "stop"), usage, "[DONE]"]]
    message = {"role": "assistant", "content": said(letter)}
    body = json.dumps({"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}).encode()
    return [body[: len(body) // 2], body[len(body) // 2:]]


class Http2:
    """One connection of an HTTP/2 server that answers without looking at the request's head."""

    def __init__(self, sock):
        self.sock = sock
        self.need(24)
        self.frame(SETTINGS, 0, 0, b"")

    def need(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise OSError("the client left")
            data += more
        return data

    def frame(self, kind, flags, stream, payload):
        self.sock.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def request(self):
        """The id of the next stream whose request is whole."""
        while True:
            head = self.need(9)
            length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
            payload = self.need(length)
            if kind == SETTINGS and not flags & 1:
                self.frame(SETTINGS, 1, 0, b"")
            elif kind == PING and not flags & 1:
                self.frame(PING, 1, 0, payload)
            elif kind in (HEADERS, DATA) and flags & 1:
                return stream

    def head(self, stream, kind):
        literal = b"\x0f\x10" + bytes([len(kind)]) + kind  # content-type, never indexed
        self.frame(HEADERS, 4, stream, b"\x88" + literal)

    def answer(self, stream, streamed, count=None):
        """A proper answer, or its first pieces."""
        self.head(stream, b"text/event-stream" if streamed else b"application/json")
        parts = pieces("a", streamed)
        for part in parts[:count]:
            self.frame(DATA, 0, stream, part)
        if count is None:
            self.frame(DATA, 1, stream, b"")

    def going_away(self, last, code):
        self.frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def proper(link, stream, streamed):
    link.answer(stream, streamed)


def going_away_before(link, stream, streamed):
    link.going_away(0, 0)


def going_away_in_error(link, stream, streamed):
    link.going_away(stream, 2)


def going_away_after_words(link, stream, streamed):
    link.answer(stream, streamed, 40 if streamed else 1)
    time.sleep(0.5)  # what says that all is over may overtake words that nobody has read yet
    link.going_away(stream, 2)


def going_away_but_finishing(link, stream, streamed):
    link.going_away(stream, 0)
    link.answer(stream, streamed)
    time.sleep(0.3)


def reset_before(link, stream, streamed):
    link.frame(RST, 0, stream, struct.pack(">I", 2))
    time.sleep(0.3)


def reset_after_words(link, stream, streamed):
    link.answer(stream, streamed, 40 if streamed else 1)
    time.sleep(0.5)
    link.frame(RST, 0, stream, struct.pack(">I", 2))
    time.sleep(0.3)


def nonsense(link, stream, streamed):
    link.frame(HEADERS, 4, stream, b"\xff\xff\xff\xff\xff\xff")
    time.sleep(0.3)


DOWN, BROKEN = (503, "provider_overloaded"), ("broken", said("a", 40), "provider_unavailable")
# What is seen: streamed with b, streamed alone, whole with b, whole alone.
NEXT = ("b", DOWN, "b", DOWN)
FAULTS = {
    "h2 proper": (proper, ("a", "a", "a", "a")),
    "h2 going away, nothing done": (going_away_before, NEXT),
    "h2 going away in error": (going_away_in_error, NEXT),
    "h2 going away after words": (going_away_after_words, (BROKEN, BROKEN, "b", DOWN)),
    "h2 going away, but finishing": (going_away_but_finishing, ("a", "a", "a", "a")),
    "h2 stream reset": (reset_before, NEXT),
    "h2 stream reset after words": (reset_after_words, (BROKEN, BROKEN, "b", DOWN)),
    "h2 nonsense": (nonsense, NEXT),
    "tls proper": (None, ("a", "a", "a", "a")),
    "tls cut after words": (None, (BROKEN, BROKEN, "b", DOWN)),
    # These never come to a request.
    "tls by a stranger": (None, NEXT),
    "tls for another name": (None, NEXT),
    "tls that breaks off": (None, NEXT),
}


def serve(sock, tls, name, streamed):
    try:
        sock.settimeout(10)
        if name == "tls that breaks off":
            sock.recv(100)
            sock.close()
            return
        with tls.wrap_socket(sock, server_side=True) as link:
            if name.startswith("tls"):
                over_http1(link, "a", streamed, name == "tls cut after words")
                return
            link = Http2(link)
            while True:
                stream = link.request()
                with lock:
                    counts[name] += 1
                FAULTS[name][0](link, stream, streamed)
                if FAULTS[name][0] is not proper:
                    return
    except (OSError, ssl.SSLError):
        pass


def listening(handle, *args):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=handle, args=(sock, *args), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def over_http1(sock, letter, streamed, cut=False):
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            return
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(l.split(b":")[1]) for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:"))
    while len(body) < length:
        body += sock.recv(65536)
    parts = pieces(letter, streamed)
    body = b"".join(parts)
    shown = b"".join(parts[: (40 if streamed else 1)]) if cut else body
    kind = b"text/event-stream" if streamed else b"application/json"
    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (kind, len(body), shown))


def healthy(sock, streamed):
    """B, without TLS."""
    with sock:
        over_http1(sock, "b", streamed)


def tunnel(sock):
    """A proxy that knows CONNECT."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(4096)
        if not more:
            return
        head += more
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    other = socket.create_connection((host, int(port)))
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    threading.Thread(target=pump, args=(sock, other), daemon=True).start()
    pump(other, sock)


def certificate(folder, name, signer, who):
    """A certificate for `who`, signed by `signer`, or by itself."""
    path = os.path.join(folder, name)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", f"/CN={name}", "-keyout", path + ".key", "-out", path + ".pem"]
    if signer:
        signer = os.path.join(folder, signer)
        command += ["-CA", signer + ".pem", "-CAkey", signer + ".key", "-addext", f"subjectAltName={who}",
                    "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def context(path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path + ".pem", path + ".key")
    tls.set_alpn_protocols(["h2"])
    return tls


def seen(status, head, body):
    if status != 200:
        error = json.loads(body)["error"]
        return status, error["error_type"]
    if head["content-type"] != "text/event-stream":
        return json.loads(body)["choices"][0]["message"]["content"]
    chunks = events(body)
    assert chunks[-1] == "[DONE]", chunks[-1]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks[:-1] if c["choices"])
    if "error" in chunks[-2]:
        return "broken", text, chunks[-2]["error"]["metadata"]["error_type"]
    return text


def configuration(contexts, kind):
    text = ["[catalog]\nbundled = false\n[routing]\nsort = 'price'\n[timeouts]\nfirst_byte = 3000\nfirst_token = 3000\nidle = 3000\nwhole = 3000\n"]
    cells = []
    for number, name in enumerate(FAULTS):
        if not name.startswith(kind):
            continue
        tls = contexts.get(name, contexts["proper"])
        for cell, (streamed, other) in enumerate([(True, True), (True, False), (False, True), (False, False)]):
            slug = f"{number}-{cell}"
            providers = [(f"a-{slug}", f"https://127.0.0.1:{listening(serve, tls, name, streamed)}/v1")]
            if other:
                providers.append((f"b-{slug}", f"http://127.0.0.1:{listening(healthy, streamed)}/v1"))
            text.append(f"[[models]]\nid = 'acme/m-{slug}'\n")
            for price, (who, _) in enumerate(providers, 1):
                text.append(f"[[models.endpoints]]\nprovider = '{who}'\nmodel = 'm'\nprice = {{ prompt = '{price}', completion = '{price}' }}\n")
            for who, base in providers:
                text.append(f"[providers.{who}]\nname = '{who}'\ndialect = 'openai-chat'\nbase_url = '{base}'\napi_key = 'key-{who}-do-not-tell'\n")
            cells.append((name, slug, streamed, FAULTS[name][1][cell]))
    return "".join(text), cells


def run(station, check, cell):
    name, slug, streamed, want = cell
    label = f"{name} ({'streamed' if streamed else 'whole'}, {slug})"
    ask = {"model": f"acme/m-{slug}", "stream": streamed, "messages": [{"role": "user", "content": "hi"}]}
    try:
        got = seen(*station.chat(ask))
        want = said(want) if isinstance(want, str) else want
        check.that(label, got == want, f"{got!r:.200} instead of {want!r:.200}")
    except Exception as error:
        check.that(label, False, repr(error))


def main():
    if not shutil.which("openssl"):
        print("skipped: no openssl to make certificates with")
        return
    check = Checks()
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder, "signer", None, None)
        certificate(folder, "stranger", None, None)
        contexts = {
            "proper": context(certificate(folder, "good", "signer", "IP:127.0.0.1")),
            "tls by a stranger": context(certificate(folder, "unsigned", "stranger", "IP:127.0.0.1")),
            "tls for another name": context(certificate(folder, "other", "signer", "DNS:other.example")),
        }
        trusted = {"SSL_CERT_FILE": os.path.join(folder, "signer.pem")}
        through = {"HTTPS_PROXY": f"http://127.0.0.1:{listening(tunnel)}"}
        for kind, env in [("tls", trusted), ("h2", {**trusted, **through})]:
            text, cells = configuration(contexts, kind)
            with Station(sys.argv[1], config=text, env=env) as station:
                for cell in cells:
                    run(station, check, cell)
                check.that("no secret is printed", "do-not-tell" not in station.printed())
        asked = {name: counts[name] for name in FAULTS if FAULTS[name][0]}
        check.that("HTTP/2 was spoken", all(asked.values()), asked)
    check.close()


main()
