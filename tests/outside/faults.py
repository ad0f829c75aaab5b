#!/usr/bin/env python3
"""Faults over real sockets: an upstream that resets, stalls, lies and babbles, asked through the built binary, streamed
and whole, with a healthy provider beside it and without. What must be seen is written beside each fault; virtual time and
the rest of the list are `tests/faults`'s. Usage: faults.py PATH_TO_WAYSTATION"""
import collections
import json
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from station import Checks, Station, events, free_port

WORDS = 60
USAGE = {"prompt_tokens": 1000, "completion_tokens": WORDS, "total_tokens": 1000 + WORDS}


def said(letter, count=WORDS):
    return "".join(f"{letter}{n} " for n in range(count))


def chunk(delta, finish=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps({"id": "x", "object": "chat.completion.chunk", "choices": [choice]})


def texts(letter):
    words = [chunk({"content": f"{letter}{n} "}) for n in range(WORDS)]
    usage = json.dumps({"id": "x", "choices": [], "usage": USAGE})
    return [chunk({"role": "assistant", "content": ""}), *words, chunk({}, "stop"), usage, "[DONE]"]


def whole(letter, finish="stop"):
    message = {"role": "assistant", "content": said(letter)}
    return json.dumps({"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": USAGE})


class Link:
    """One connection that a fault has to itself."""

    def __init__(self, sock, stream):
        self.sock, self.stream = sock, stream

    def head(self, status=200, kind=None, *more):
        kind = kind or ("text/event-stream" if self.stream else "application/json")
        # One request a connection, and said so: whether a kept connection breaks is a fault of its own.
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", "transfer-encoding: chunked", "connection: close",
                 *more, "", ""]
        self.sock.sendall("\r\n".join(lines).encode())

    def send(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        self.sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def event(self, text):
        self.send(f"data: {text}\n\n")

    def end(self):
        self.sock.sendall(b"0\r\n\r\n")

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def answer(self, letter, count=None):
        """A proper answer, or its first events; of a whole one, its first half."""
        self.head()
        if self.stream:
            for text in texts(letter)[:count]:
                self.event(text)
        else:
            body = whole(letter)
            self.send(body if count is None else body[: len(body) // 2])

    def error(self, status, message, *more):
        self.head(status, "application/json", *more)
        self.send(json.dumps({"error": {"message": message}}))
        self.end()


def good(link, _):
    link.answer("a")
    link.end()


def after(first, then=good):
    return lambda link, nth: (first if nth == 0 else then)(link, nth)


def status(code, *more):
    return lambda link, _: link.error(code, "out of order", *more)


def reset_before_head(link, _):
    link.reset()


def reset_after_head(link, _):
    link.head()
    link.reset()


def silent(_link, _):
    time.sleep(6)


def head_then_silence(link, _):
    link.head()
    time.sleep(6)


def role_then_silence(link, _):
    link.answer("a", 1)
    time.sleep(6)


def comments(link, _):
    link.head(200, "text/event-stream")
    for _ in range(30):
        link.send(": PROCESSING\n\n")
        time.sleep(0.2)


def slow(link, _):
    time.sleep(1)
    good(link, _)


def cut(link, _):
    link.answer("a", 41)


def cut_with_reset(link, _):
    link.answer("a", 41)
    time.sleep(0.2)
    link.reset()


def short_of_its_length(link, _):
    body = whole("a").encode()
    link.sock.sendall(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body) + 9, body))


def stall(link, _):
    link.answer("a", 41)
    time.sleep(6)


def no_finish(link, _):
    link.head()
    if link.stream:
        for text in texts("a")[:-3]:
            link.event(text)
    else:
        link.send(whole("a", None))
    link.end()


def no_done(link, _):
    link.answer("a", WORDS + 3) if link.stream else link.answer("a")
    link.end()


def malformed(link, _):
    link.head()
    for text in texts("a")[:20]:
        link.event(text)
    link.event('{"choices":[{"delta":{"con')
    for text in texts("a")[20:]:
        link.event(text)
    link.end()


def bytewise(link, _):
    link.head()
    body = "".join(f"data: {text}\n\n" for text in texts("ä")) if link.stream else whole("ä")
    body = body.encode().replace(b"\\u00e4", "ä".encode())
    for at in range(0, len(body), 3):
        link.send(body[at:at + 3])
    link.end()


def page(kind, body):
    def fault(link, _):
        link.head(200, kind)
        if body:
            link.send(body)
        link.end()
    return fault


def in_band(count):
    def fault(link, _):
        failure = json.dumps({"error": {"message": "boom", "code": 500}})
        link.head()
        if link.stream:
            for text in texts("a")[:count]:
                link.event(text)
            link.event(failure)
        else:
            link.send(failure)
        link.end()
    return fault


# What is seen: "a" or "b" serves; ("broken", words, kind); (status, kind). And who is asked.
DOWN, LIMITED = (503, "provider_overloaded"), (429, "rate_limit_exceeded")
GONE = ("broken", 40, "provider_unavailable")


def both(with_b, alone):
    return {(True, True): with_b, (True, False): alone, (False, True): with_b, (False, False): alone}


def split(streamed, with_b, alone):
    return {(True, True): streamed, (True, False): streamed, (False, True): with_b, (False, False): alone}


NEXT, LATE = both(("b", "ab"), (DOWN, "aa")), both(("b", "ab"), (DOWN, "a"))
FAULTS = {
    "proper": (good, both(("a", "a"), ("a", "a"))),
    "429-once": (after(status(429, "retry-after: 1")), both(("b", "ab"), ("a", "aa"))),
    "429-long": (status(429, "retry-after: 40"), both(("b", "ab"), (LIMITED, "a"))),
    "429-ever": (status(429, "retry-after-ms: 50"), both(("b", "ab"), (LIMITED, "aaa"))),
    "500-once": (after(status(500)), both(("b", "ab"), ("a", "aa"))),
    "500-ever": (status(500), NEXT),
    "503": (status(503), NEXT),
    "redirect": (status(302, "location: http://127.0.0.1:1/"), NEXT),
    "reset-once": (after(reset_before_head), both(("b", "ab"), ("a", "aa"))),
    "reset-before-head": (reset_before_head, NEXT),
    "reset-after-head": (reset_after_head, NEXT),
    "silent": (silent, LATE),
    "head-then-silence": (head_then_silence, LATE),
    "role-then-silence": (role_then_silence, LATE),
    "comments": (comments, LATE),
    "slow": (slow, both(("a", "a"), ("a", "a"))),
    "cut": (cut, split((GONE, "a"), ("b", "ab"), (DOWN, "aa"))),
    "cut-with-reset": (cut_with_reset, split((GONE, "a"), ("b", "ab"), (DOWN, "aa"))),
    "short-of-its-length": (short_of_its_length, NEXT),
    "stall": (stall, split((("broken", 40, "timeout"), "a"), ("b", "ab"), (DOWN, "a"))),
    "no-finish": (no_finish, split((("broken", 60, "provider_unavailable"), "a"), ("b", "ab"), (DOWN, "aa"))),
    "no-done": (no_done, both(("a", "a"), ("a", "a"))),
    "malformed": (malformed, both(("a", "a"), ("a", "a"))),
    "bytewise": (bytewise, both(("ä", "a"), ("ä", "a"))),
    "empty": (page("text/event-stream", ""), NEXT),
    "html": (page("text/html", "<html>502</html>"), NEXT),
    "half-json": (page("application/json", '{"id":"x","choices":[{"mess'), NEXT),
    "not-utf-8": (page("application/octet-stream", b"\xff\xfe\x00"), NEXT),
    "in-band-first": (in_band(1), NEXT),
    "in-band-later": (in_band(41), split((GONE, "a"), ("b", "ab"), (DOWN, "aa"))),
    "refused-key": (status(401), both(("b", "ab"), ((502, "provider_unavailable"), "a"))),
    "bad-request": (status(400), both(((400, "invalid_request"), "a"), ((400, "invalid_request"), "a"))),
    "no-such-model": (status(404), both(("b", "ab"), ((404, "not_found"), "a"))),
    # These have no upstream of ours: see `address`.
    "dns": (None, both(("b", "b"), (DOWN, ""))),
    "refused": (None, both(("b", "b"), (DOWN, ""))),
    "tls": (None, both(("b", "b"), (DOWN, ""))),
}
counts, lock = collections.Counter(), threading.RLock()


def serve(sock):
    """One request of one connection: `/<provider>/<fault>/<cell>/v1/chat/completions`."""
    with sock:
        sock.settimeout(10)
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            length = next(int(l.split(":")[1]) for l in lines if l.startswith("content-length:"))
            while len(body) < length:
                body += sock.recv(65536)
            _, who, name, cell = head.decode().split(" ")[1].split("/")[:4]
            with lock:
                nth = counts[who, name, cell]
                counts[who, name, cell] += 1
            link = Link(sock, json.loads(body).get("stream", False))
            if who == "b":
                link.answer("b")
                link.end()
            else:
                FAULTS[name][0](link, nth)
        except OSError:
            pass


def upstream():
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def address(port, closed, name, cell):
    special = {"dns": "http://no-such-host.invalid", "refused": f"http://127.0.0.1:{closed}", "tls": f"https://127.0.0.1:{port}"}
    return special.get(name, f"http://127.0.0.1:{port}") + f"/a/{name}/{cell}/v1"


def cells():
    for name, (_, wants) in FAULTS.items():
        for (stream, other), want in wants.items():
            yield name, f"{'s' if stream else 'w'}{'b' if other else 'o'}", stream, other, want


def configuration(port, closed):
    """A model and its providers for every cell, so that none knows of another's faults."""
    text = ["[catalog]\nbundled = false\n[routing]\nsort = 'price'\n"
            "[timeouts]\nfirst_byte = 2000\nfirst_token = 2500\nidle = 2000\nwhole = 2500\n"]
    for name, cell, _, other, _ in cells():
        providers = [("a", address(port, closed, name, cell))]
        if other:
            providers.append(("b", f"http://127.0.0.1:{port}/b/{name}/{cell}/v1"))
        model = f"[[models]]\nid = 'acme/{name}-{cell}'\n"
        for price, (who, base) in enumerate(providers, 1):
            slug = f"{who}-{name}-{cell}"
            text.append(f"[providers.{slug}]\nname = '{slug}'\ndialect = 'openai-chat'\nbase_url = '{base}'\n"
                        f"api_key = 'key-{slug}-do-not-tell'\n")
            model += (f"[[models.endpoints]]\nprovider = '{slug}'\nmodel = 'm'\n"
                      f"price = {{ prompt = '{price}', completion = '{price}' }}\n")
        text.append(model)
    return "".join(text)


def seen(status, head, body):
    """What a client takes a reply for; anything not well-formed raises."""
    if status != 200:
        error = json.loads(body)["error"]
        assert error["code"] == status and error["message"], error
        return status, error["error_type"]
    if head["content-type"] != "text/event-stream":
        reply = json.loads(body)
        choice = reply["choices"][0]
        assert choice["finish_reason"] == "stop", reply
        return choice["message"]["content"]
    chunks = events(body)
    assert chunks.count("[DONE]") == 1 and chunks[-1] == "[DONE]", chunks[-1]
    chunks = chunks[:-1]
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
    finish = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0]["finish_reason"]]
    if "error" in chunks[-1]:
        assert finish == ["error"], finish
        return "broken", text, chunks[-1]["error"]["metadata"]["error_type"]
    assert finish == ["stop"] and chunks[-1]["choices"] == [] and chunks[-1]["usage"], finish
    return text


def meant(want):
    if isinstance(want, str):
        return said(want)
    if want[0] == "broken":
        return "broken", said("a", want[1]), want[2]
    return want


def run(station, check, cell):
    name, cell, stream, _, (want, asked) = cell
    label = f"{name} ({'streamed' if stream else 'whole'}, {'with another' if cell[1] == 'b' else 'alone'})"
    ask = {"model": f"acme/{name}-{cell}", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    try:
        status, head, body = station.chat(ask)
        found = seen(status, head, body)
        got = "".join(who * counts[who, name, cell] for who in "ab")
        _, _, text = station.request("GET", f"/v1/generation?id={head['x-generation-id']}")
        record = json.loads(text)["data"]
        errs = isinstance(found, tuple)
        with lock:
            check.that(f"{label}: the reply", found == meant(want), f"{found!r} instead of {meant(want)!r}")
            check.that(f"{label}: who is asked", got == asked, f"{got!r} instead of {asked!r}")
            check.that(f"{label}: the record", (record["total_cost"] == 0) == errs and not record["cancelled"], text)
            check.that(f"{label}: no secret", b"do-not-tell" not in body, body)
    except Exception as error:  # a broken reply is a failed check, whatever is broken
        with lock:
            check.that(label, False, repr(error))


def ends(port, closed, check):
    """The gateway is stopped, and who does not end in time is told."""
    with Station(sys.argv[1], config="[server]\ndrain_ms = 300\n" + configuration(port, closed)) as station:
        def ask(name, stream):
            return station.chat({"model": f"acme/{name}-{'s' if stream else 'w'}o", "stream": stream,
                                 "messages": [{"role": "user", "content": "hi"}]})
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(ask, *wish) for wish in (("stall", True), ("silent", True), ("silent", False))]
            time.sleep(0.7)
            station.process.terminate()
            (status, head, body), *none = [one.result() for one in asked]
        found, error = seen(status, head, body), events(body)[-2]["error"]
        check.that("the end: an open stream is told", found == ("broken", said("a", 40), "provider_overloaded")
                   and error["code"] == 503 and "shutting down" in error["message"], (found, error))
        for status, head, body in none:
            check.that("the end: who has seen nothing gets a 503", status == 503 and b"shutting down" in body
                       and head["retry-after"] == "1", body)
        check.that("the end: 0", station.process.wait(10) == 0)


def main():
    port, closed, check = upstream(), free_port(), Checks()
    with Station(sys.argv[1], config=configuration(port, closed)) as station:
        with ThreadPoolExecutor(24) as pool:
            list(pool.map(lambda cell: run(station, check, cell), cells()))
        check.that("no secret is printed", "do-not-tell" not in station.printed())
    ends(port, closed, check)
    check.close()


if __name__ == "__main__":
    main()
