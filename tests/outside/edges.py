#!/usr/bin/env python3
"""The rim, as bytes: bodies, heads and connections that are unusual, and those that are too many. Each is told what is
wrong and what to do, and nobody else notices. Usage: edges.py PATH_TO_WAYSTATION"""
import gzip
import json
import re
import socket
import sys
import time

from station import Checks, Station, events

CHAT = json.dumps({"model": "acme/m", "messages": [{"role": "user", "content": "hi"}]}).encode()


def configuration(more=""):
    """Nobody is at the provider's address: what is asked of it is told as a failure."""
    return ("[server]\nhead_ms = 1500\nidle_ms = 1500\nmax_body_bytes = 1000000\n" + more + "[catalog]\nbundled = false\n"
            "[providers.a]\nname = 'A'\ndialect = 'openai-chat'\nbase_url = 'http://127.0.0.1:9/v1'\napi_key = 'sk-nobody'\n"
            "[[models]]\nid = 'acme/m'\n[[models.endpoints]]\nprovider = 'a'\nmodel = 'm'\nprice = { prompt = '0.15', completion = '0.6' }\n"
            "[providers.b]\nname = 'B'\ndialect = 'openai-chat'\nbase_url = 'http://nobody.invalid/v1'\napi_key = 'sk-nobody'\n"
            "[[models]]\nid = 'acme/n'\n[[models.endpoints]]\nprovider = 'b'\nmodel = 'n'\nprice = { prompt = '0.15', completion = '0.6' }\n")


def head(line="POST /v1/chat/completions", *more, length=None):
    lines = [f"{line} HTTP/1.1", "host: 127.0.0.1", *more]
    lines += ["content-type: application/json"] if line.startswith("POST") else []
    lines += [f"content-length: {length}"] if length is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def raw(station, sent, wait=3.0):
    """What comes until the connection ends, or nothing comes for so long."""
    with socket.create_connection(("127.0.0.1", station.port)) as sock:
        sock.settimeout(wait)
        sock.sendall(sent)
        seen = b""
        try:
            while piece := sock.recv(65536):
                seen += piece
        except (TimeoutError, ConnectionError):
            pass
        return seen


def told(seen):
    """Status and message of the first answer."""
    status = int(seen.split(b" ", 2)[1])
    length = int(re.search(rb"content-length: (\d+)", seen).group(1))
    body = seen.partition(b"\r\n\r\n")[2][:length]
    return status, json.loads(body)["error"]


def bodies(station, check):
    def answer(sent, *more):
        return told(raw(station, head("POST /v1/route/explain", "connection: close", *more, length=len(sent)) + sent))
    status, error = answer(gzip.compress(CHAT), "content-encoding: gzip")
    check.that("a compressed body: 415 with the fix", status == 415 and "uncompressed" in error["message"], error)
    seen = raw(station, head("POST /v1/route/explain", "connection: close", length=len(CHAT) + 3) + b"\xef\xbb\xbf" + CHAT)
    check.that("a byte order mark is passed over", seen.startswith(b"HTTP/1.1 200 "), seen)
    status, error = answer(b"{")
    check.that("a body that is no JSON has no member at fault", status == 400 and "param" not in error, error)
    begin = time.monotonic()
    for size, more in ((1_000_001, ["expect: 100-continue"]), (2_000_001, [])):
        status, error = told(raw(station, head("POST /v1/chat/completions", *more, length=size), 2))
        check.that("a body announced too large: 413 at once", status == 413 and "max_body_bytes" in error["message"], error)
    check.that("… without a wait for it", time.monotonic() - begin < 6, time.monotonic() - begin)
    for cap in ("0.15000000000000002", 0.1 + 0.05, 1e30, "99999999999999999999999"):
        body = json.loads(CHAT) | {"provider": {"max_price": {"prompt": cap}}}
        status, _, text = station.request("POST", "/v1/route/explain", body)
        check.that(f"a cap of {cap!r} is one", status == 200, text[:300])
    body = json.loads(CHAT) | {"provider": {"max_price": {"prompt": 0.14999999999999999}}}
    status, _, text = station.request("POST", "/v1/route/explain", body)
    check.that("a cap just below the price is below", status == 404 or b"0.15" in text, text[:300])


def paths(station, check):
    for method, path, status, words in [
            ("POST", "/chat/completions", 404, "/v1/chat/completions"), ("POST", "/v1/chat/completions/", 404, "/v1/chat/completions?"),
            ("POST", "/v1/messages", 404, "/v1/chat/completions"), ("GET", "/v1/models/acme/mm", 404, "did you mean acme/m?"),
            ("GET", "/metrics", 404, "admin_listen"), ("GET", "/v1/chat/completions", 405, "takes POST")]:
        code, head_, text = station.request(method, path, {} if method == "POST" else None)
        error = json.loads(text)["error"]
        check.that(f"{method} {path}: {words}", code == status and words in error["message"], text)
    for path in ["/v1/models/acme/m", "/v1/models/acme%2Fm"]:
        code, head_, text = station.request("GET", path, None)
        model = json.loads(text)
        told = [model.get(key) for key in ("id", "object", "owned_by")]
        check.that(f"GET {path}: a model as OpenAI's clients retrieve it", code == 200 and told == ["acme/m", "model", "acme"], text)


def simple(station, check):
    """A checker of health over HTTP/1.0 names no host; nobody else may do so."""
    for sent, status in [(b"GET /health HTTP/1.0\r\n\r\n", b"200"), (b"HEAD /health HTTP/1.0\r\n\r\n", b"200"),
                         (b"GET /v1/models HTTP/1.0\r\n\r\n", b"403"), (b"GET /health HTTP/1.0\r\nhost: evil.example\r\n\r\n", b"403")]:
        seen = raw(station, sent)
        check.that(f"without a host: {sent!r}", seen.split(b" ")[1] == status, seen)


def http2(station, check):
    """A refusal is an answer however the body comes: a stream that is answered and reset hides it from some clients."""
    def frame(kind, flags, stream, text=b""):
        return len(text).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + text

    def field(name, value):
        return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
    fields = (b"\x83\x86" + field(b":path", b"/v1/chat/completions") + field(b":authority", b"evil.example")
              + field(b"content-type", b"application/json"))
    with socket.create_connection(("127.0.0.1", station.port)) as sock:
        sock.settimeout(2)
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4, 1, fields))
        time.sleep(0.3)
        sock.sendall(frame(0, 1, 1, CHAT))
        seen, kinds = b"", []
        try:
            while b"permission_denied" not in seen or len(seen) < 9:
                piece = sock.recv(65536)
                if not piece:
                    break
                seen += piece
            sock.settimeout(0.5)
            while piece := sock.recv(65536):
                seen += piece
        except TimeoutError:
            pass
    at = 0
    while at + 9 <= len(seen):
        kinds.append(seen[at + 3])
        at += 9 + int.from_bytes(seen[at:at + 3], "big")
    check.that("HTTP/2: a refusal is told, and its stream not reset", b"permission_denied" in seen and 3 not in kinds, kinds)


PARTS = (bodies, paths, simple, http2)


def opened(station, count):
    """So many connections on which nothing is sent."""
    return [socket.create_connection(("127.0.0.1", station.port), 2) for _ in range(count)]


def timed(station):
    """Status of a request on a connection of its own, and how long it took."""
    begin = time.monotonic()
    status, _, _ = station.request("GET", "/health", timeout=10)
    return status, time.monotonic() - begin


def crowds(binary, check):
    """More connections than may be: those that are served go on, the others wait for those that say nothing."""
    with Station(binary, config=configuration(), files=120) as station:
        with socket.create_connection(("127.0.0.1", station.port)) as kept:
            kept.settimeout(5)
            idle = opened(station, 100)
            time.sleep(0.3)
            begin = time.monotonic()
            kept.sendall(head("POST /v1/chat/completions", length=len(CHAT)) + CHAT)
            seen = kept.recv(65536)
            check.that("in a crowd: who is there is served, and a provider can be asked", seen.startswith(b"HTTP/1.1 503 ")
                       and b"too many open files" not in seen.lower() and b"refused" in seen.lower()
                       and time.monotonic() - begin < 1.2, seen)
            status, took = timed(station)
            check.that("in a crowd: who comes waits until others are let go", status == 200 and 0.5 < took < 6, (status, took))
        status, took = timed(station)
        check.that("behind a crowd: at once", status == 200 and took < 1, (status, took))
        check.that("a crowd is told", "max_connections" in station.printed(), station.printed())
        for sock in idle:
            sock.close()
    with Station(binary, config=configuration("max_connections = 100000\n"), files=60) as station:
        kept = opened(station, 1)[0]
        kept.settimeout(5)
        time.sleep(0.1)
        idle = opened(station, 100)
        time.sleep(0.3)
        for model in ("acme/m", "acme/n"):
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
            kept.sendall(head("POST /v1/chat/completions", length=len(body)) + body)
            status, error = told(kept.recv(65536))
            check.that(f"no files left: {model}: the gateway's own fault is told", status == 503
                       and "the gateway has no open file left" in error["message"], error)
        kept.close()
        status, took = timed(station)
        check.that("no files left: served when there are", status == 200 and took < 6, (status, took))
        check.that("no files left: told", "no connection can be taken" in station.printed(), station.printed())
        for sock in idle:
            sock.close()
    with Station(binary, config=configuration("max_connections_per_address = 3\n")) as station:
        time.sleep(0.3)
        idle = opened(station, 3)
        time.sleep(0.2)
        refused = raw(station, head("GET /health"), 2)
        check.that("one address: a fourth is closed", refused == b"", refused)
        idle.pop().close()
        time.sleep(0.2)
        check.that("one address: a place that is free again", timed(station)[0] == 200)
        for sock in idle:
            sock.close()


def main():
    check = Checks()
    try:
        crowds(sys.argv[1], check)
    except Exception as error:
        check.that("crowds", False, repr(error))
    with Station(sys.argv[1], config=configuration()) as station:
        for part in PARTS:
            try:
                part(station, check)
            except Exception as error:  # a broken reply is a failed check, whatever is broken
                check.that(part.__name__, False, repr(error))
        check.that("nothing panicked", "panic" not in station.printed(), station.printed()[-2000:])
    check.close()


if __name__ == "__main__":
    main()
