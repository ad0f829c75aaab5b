#!/usr/bin/env python3
"""What is promised beyond one fault and its status, over real sockets through the built binary: who is asked how often and
how long that takes, what is billed, what a client that goes away or is late comes to, going on and hedging, stop signals,
reloads, and metrics that agree with records. Usage: promises.py PATH_TO_WAYSTATION"""
import collections
import http.client
import json
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from faults import Link, chunk, said, texts
from station import Checks, Station, events, free_port

asked, closed, lock = collections.defaultdict(list), {}, threading.Lock()
LATE = 2.0


def good(link, who, _):
    link.answer(who[0])
    link.end()


def error(status, message="out of order", *more, **members):
    def fault(link, _who, _body):
        link.head(status, "application/json", *more)
        link.send(json.dumps({"error": {"message": message, **members}}))
        link.end()
    return fault


def silent(link, _who, _body):
    gone(link, _who, 8)


def gone(link, who, within):
    """Until the other side closes; notes when it did."""
    link.sock.settimeout(within)
    try:
        while link.sock.recv(1024):
            pass
        closed[who] = time.monotonic()
    except TimeoutError:
        pass
    except OSError:
        closed[who] = time.monotonic()


def started_then_watched(link, who, _body):
    try:
        if link.stream:
            link.answer(who[0], 20)
    except OSError:
        # It was let go before it had said all of it.
        closed[who] = time.monotonic()
        return
    gone(link, who, 8)


def cut(link, who, _body):
    link.answer(who[0], 21)


def went_on(link, who, body):
    """Goes on from what it is given, if it is given something."""
    last = body["messages"][-1]
    asked[who + " given"].append(last)
    link.head()
    for text in [chunk({"role": "assistant", "content": ""}), chunk({"content": " and on"}), chunk({}, "stop"),
                 json.dumps({"id": "x", "choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 3}}), "[DONE]"]:
        link.event(text)
    link.end()


def slow(seconds):
    def fault(link, who, body):
        time.sleep(seconds)
        good(link, who, body)
    return fault


def late_hedge(link, who, body):
    """Quick ten times, then silent: what is usual is known by then."""
    if len(asked[who]) <= 10:
        return good(link, who, body)
    return gone(link, who, 8)


def no_done(link, who, _body):
    link.head()
    for text in texts(who[0])[:-1]:
        link.event(text)
    link.end()


def split_utf8(link, _who, _body):
    link.head()
    data = "".join(f"data: {text}\n\n" for text in [chunk({"content": "żółw 🐢 "})] * 5 + [chunk({}, "stop"), "[DONE]"])
    data = json_unescaped(data)
    for at in range(len(data)):
        link.send(data[at:at + 1])
    link.end()


def json_unescaped(text):
    """As UTF-8 bytes in place of `\\u` escapes."""
    pairs = re.sub(r"(?:\\u[0-9a-f]{4})+", lambda found: json.loads(f'"{found.group()}"'), text)
    return pairs.encode()


def filtered(link, _who, _body):
    link.head()
    for text in [chunk({"role": "assistant", "content": "no"}), chunk({}, "content_filter"), "[DONE]"]:
        link.event(text)
    link.end()


OVERFLOW = error(400, "This model's maximum context length is 10 tokens", code="context_length_exceeded")
# Model: its endpoints, cheapest first, and what each of them does.
MODELS = {
    "limited": {"l1": error(429, "slow down", "retry-after: 77"), "l2": error(429, "slow down", "retry-after: 33")},
    "down": {"d1": error(500), "d2": error(503), "d3": silent},
    "dead": {"e1": silent, "e2": good},
    "billed": {"f1": error(500), "f2": good},
    "left": {"g1": started_then_watched, "g2": good},
    "long": {"h1": OVERFLOW, "h2": good},
    "short": {"i1": good},
    "filter": {"j1": filtered, "j2": good},
    "key": {"k1": error(401, "bad key sk-tell-nobody"), "k2": good},
    "keys": {"m1": error(401, "bad key sk-tell-nobody"), "m2": error(403, "no access")},
    "turtle": {"n1": split_utf8},
    "undone": {"o1": no_done},
    "on": {"p1": cut, "p2": went_on},
    "off": {"q1": cut, "q2": good},
    "hedge": {"r1": late_hedge, "r2": good},
    "slow": {"s1": slow(1.2)},
    "stop": {"t1": slow(1.5)},
    "reload": {"u1": slow(0.2)},
}
PLACE = {slug: act for endpoints in MODELS.values() for slug, act in endpoints.items()}


def serve(sock):
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
            length = int(re.search(rb"content-length: *(\d+)", head.lower()).group(1))
            while len(body) < length:
                body += sock.recv(65536)
            who, body = head.decode().split(" ")[1].split("/")[1], json.loads(body)
            with lock:
                asked[who].append(time.monotonic())
            PLACE[who](Link(sock, body.get("stream", False)), who, body)
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


def configuration(port, more=""):
    text = ["[server]\nmax_head_bytes = 65536\nkeepalive_first_ms = 300\nkeepalive_ms = 300\nhead_ms = 700\nbody_ms = 700\nidle_ms = 1500\n"
            "[catalog]\nbundled = false\n[routing]\nsort = 'price'\n"
            f"[timeouts]\nfirst_byte = {int(LATE * 1000)}\nfirst_token = 2500\nidle = 2000\nwhole = 2500\n{more}"]
    for model, endpoints in MODELS.items():
        text.append(f"[[models]]\nid = 'acme/{model}'\n")
        for price, slug in enumerate(endpoints, 1):
            text.append(f"[[models.endpoints]]\nprovider = '{slug}'\nmodel = 'm'\n"
                        f"price = {{ prompt = '{price}', completion = '{price}' }}\n")
        for slug in endpoints:
            text.append(f"[providers.{slug}]\nname = '{slug}'\ndialect = 'openai-chat'\n"
                        f"base_url = 'http://127.0.0.1:{port}/{slug}/v1'\napi_key = 'sk-tell-nobody'\n"
                        + ("quirks = { prefill = 'plain' }\n" if model == "on" else ""))
    return "".join(text)


def ask(station, model, stream=False, **more):
    body = {"model": f"acme/{model}", "stream": stream, "messages": [{"role": "user", "content": "hi"}], **more}
    begin = time.monotonic()
    status, head, text = station.chat(body)
    return status, head, text, time.monotonic() - begin


def record(station, head):
    return json.loads(station.request("GET", f"/v1/generation?id={head['x-generation-id']}")[2])["data"]


def told(text):
    """The text of a stream, and its last chunk with something in it."""
    found = events(text)
    assert found[-1] == "[DONE]" and found.count("[DONE]") == 1, found[-1]
    words = "".join(c["choices"][0]["delta"].get("content") or "" for c in found[:-1] if c["choices"])
    return words, found[-2]


def who_is_asked(station, check):
    status, head, text, took = ask(station, "limited")
    error = json.loads(text)["error"]
    check.that("all limited: 429 with the shortest wait", status == 429 and head.get("retry-after") == "33", (status, head, text))
    check.that("all limited: the wait in the body", error.get("metadata", {}).get("retry_after") in (33, "33", None), text)
    check.that("all limited: soon", took < 1.5, took)
    status, head, text, _ = ask(station, "down")
    error = json.loads(text)["error"]
    names = [e.get("provider_name") for e in error["metadata"]["previous_errors"]]
    check.that("all fail: 503 with every attempt", status == 503 and set(names) == {"d1", "d2", "d3"}, text)
    times = []
    for _ in range(15):
        status, _, text, took = ask(station, "dead", True)
        check.that("dead provider: served", status == 200 and told(text)[0] == said("e"), text[:200])
        times.append(took)
    check.that("dead provider: five waits, then none", sum(t > LATE * 0.9 for t in times) <= 6 and len(asked["e1"]) <= 6,
               (times, len(asked["e1"])))
    status, _, text, _ = ask(station, "long", models=["acme/short"])
    check.that("context overflow: the next model, never the same", status == 200 and json.loads(text)["model"] == "acme/short"
               and not asked["h2"] and len(asked["h1"]) == 1, (text, dict(asked)))
    status, _, text, _ = ask(station, "filter", True)
    check.that("a filter is an answer", status == 200 and b'"finish_reason":"content_filter"' in text and not asked["j2"], text)
    status, _, text, _ = ask(station, "key")
    check.that("a refused key: the next serves", status == 200 and asked["k2"], text)
    for stream in (False, True):
        status, _, text, _ = ask(station, "keys", stream)
        check.that("refused keys: 502, not the client's 401, no secret", status == 502 and b"sk-tell" not in text, (status, text))
    status, _, text, _ = ask(station, "billed", provider={"order": ["f2"]})
    check.that("pinned order", status == 200 and not asked["f1"], text)
    status, head, text, _ = ask(station, "billed")
    kept = record(station, head)
    cost = json.loads(text)["usage"]["cost"]
    check.that("only the answer is billed", abs(cost - 1060 * 2e-6) < 1e-12 and kept["total_cost"] == cost
               and [a["provider_name"] for a in kept["provider_responses"]] == ["f1", "f2"], (text, kept))


def what_is_shown(station, check):
    status, _, text, _ = ask(station, "turtle", True)
    check.that("split UTF-8", told(text)[0] == "żółw 🐢 " * 5, text)
    status, head, text, _ = ask(station, "undone", True)
    check.that("no [DONE] upstream", told(text)[0] == said("o") and told(text)[1]["usage"]["total_tokens"] == 1060, text[-300:])
    status, _, text, _ = ask(station, "slow", True)
    first, comments = text.find(b"data: "), text.count(b": WAYSTATION PROCESSING")
    check.that("comments before the first words", 2 <= comments <= 4 and text.find(b":") < first and told(text)[0] == said("s"), text[:200])
    status, _, text, _ = ask(station, "down", True)
    last = told(text)[1]
    check.that("a failure after the first comment is told in band", status == 200 and last["error"]["code"] == 503
               and last["choices"][0]["finish_reason"] == "error" and len(last["error"]["metadata"]["previous_errors"]) == 3, text)
    status, head, _, _ = ask(station, "limited", True)
    check.that("a failure before it keeps its status", status == 429 and 1 <= int(head["retry-after"]) < 33, (status, head))
    check.that("a limit that is known is waited for, not tried", len(asked["l1"]) == len(asked["l2"]) == 1, dict(asked))


def going_on_and_hedging(station, check):
    status, head, text, _ = ask(station, "on", True, waystation={"continue": True})
    words, last = told(text)
    kept = record(station, head)
    begun = said("p", 20).rstrip()
    check.that("continue: one text, marked", words.replace(begun, "", 1).strip() == "and on"
               and last["openrouter_metadata"]["continued_from"] and kept["continued_from"] == ["acme/on|p1"], text[-600:])
    check.that("continue: the words go along", asked["p2 given"] == [{"role": "assistant", "content": begun}], asked["p2 given"])
    check.that("continue: all parts are billed", kept["continued_cost"] > 0 and kept["total_cost"] > kept["continued_cost"], kept)
    status, _, text, _ = ask(station, "on", True)
    check.that("continue: off unless asked for", told(text)[1]["error"]["metadata"]["error_type"] == "provider_unavailable"
               and len(asked["p2"]) == 1, text[-300:])
    status, head, text, _ = ask(station, "off", True, waystation={"continue": True})
    check.that("continue: nobody known to go on, the first failure, and why", "error" in told(text)[1] and not asked["q2"]
               and told(text)[0] == said("q", 20), text[-300:])
    tool = {"type": "function", "function": {"name": "f"}}
    status, head, text, _ = ask(station, "on", True, waystation={"continue": True}, tools=[tool])
    check.that("continue: never with tools", "error" in told(text)[1] and len(asked["p2"]) == 1, text[-300:])
    for _ in range(10):
        ask(station, "hedge", True)
    status, head, text, took = ask(station, "hedge", True, waystation={"hedge": True})
    kept = record(station, head)
    check.that("hedge: the second serves, before any deadline", told(text)[0] == said("r") and took < LATE * 0.8, (took, text[:200]))
    check.that("hedge: the loser is let go and told", "r1" in closed and kept["hedge_cost"] > 0
               and {a["provider_name"] for a in kept["provider_responses"]} == {"r1", "r2"}, kept)


def clients_that_leave_or_are_late(station, check):
    for stream in (True, False):
        closed.clear()
        link = http.client.HTTPConnection("127.0.0.1", station.port, timeout=5)
        body = {"model": "acme/left", "stream": stream, "messages": [{"role": "user", "content": "hi"}], "provider": {"only": ["g1"]}}
        link.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        head = {}
        if stream:
            reply = link.getresponse()
            head = {k.lower(): v for k, v in reply.getheaders()}
            reply.read(10)
            reply.close()
        else:
            time.sleep(0.5)
        left = time.monotonic()
        link.close()
        time.sleep(1.1)
        check.that(f"a client that leaves (stream: {stream}) ends upstream within a second",
                   "g1" in closed and closed["g1"] - left < 1, (closed, left))
        if head:
            kept = record(station, head)
            check.that("what it had is counted", kept["cancelled"] and kept["tokens_prompt"] > 0 and kept["total_cost"] > 0, kept)

    def raw(text, wait=4):
        with socket.create_connection(("127.0.0.1", station.port)) as sock:
            sock.settimeout(wait)
            sock.sendall(text.encode())
            begin, seen = time.monotonic(), b""
            try:
                while piece := sock.recv(65536):
                    seen += piece
            except TimeoutError:
                return seen, None
            return seen, time.monotonic() - begin
    chat = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    seen, took = raw(chat)
    check.that("a head that never ends: 408", seen.startswith(b"HTTP/1.1 408 ") and took and took < 2, (seen, took))
    seen, took = raw(chat + "content-length: 100\r\n\r\n{")
    check.that("a body that never ends: 408", seen.startswith(b"HTTP/1.1 408 ") and b"body_ms" in seen and took and took < 2, (seen, took))
    seen, took = raw("")
    check.that("a client that says nothing is let go", seen == b"" and took and took < 2, (seen, took))
    seen, took = raw("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    check.that("a kept connection ends when it is idle", seen.startswith(b"HTTP/1.1 200 ") and took and 1 < took < 3, (seen, took))
    seen, _ = raw("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + "y" * 100_000 + "\r\n\r\n")
    check.that("a head that is too large: 431", seen.startswith(b"HTTP/1.1 431 "), seen[:100])


def metrics_agree(station, check):
    link = http.client.HTTPConnection("127.0.0.1", station.admin, timeout=5)
    link.request("GET", "/metrics")
    text = link.getresponse().read().decode()
    link.close()
    attempts = sum(float(v) for v in re.findall(r"^waystation_attempts_total\{[^}]*\} (\S+)", text, re.M))
    requests = sum(float(v) for v in re.findall(r"^waystation_requests_total\{[^}]*\} (\S+)", text, re.M))
    lines = [json.loads(l) for l in station.lines if l.startswith("{") and '"generation"' in l]
    sent = sum(len(v) for k, v in asked.items() if "given" not in k)
    check.that("requests: metrics and log agree", requests == len(lines) > 0, (requests, len(lines)))
    # The two that stand in the record of a request since their limits were known were not sent.
    check.that("attempts: metrics, log and upstreams agree", attempts == sum(l["attempts"] for l in lines) == sent + 2,
               (attempts, sum(l["attempts"] for l in lines), sent))
    check.that("no secret in metrics or log", "sk-tell" not in text and "sk-tell" not in station.printed())


def reloads(station, check, port):
    stop = threading.Event()

    def client(_):
        seen = []
        while not stop.is_set():
            seen.append(ask(station, "reload", True))
        return seen
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(client, n) for n in range(8)]
        for text in (configuration(port, "[retries]\nmax_attempts = 5\n"), "no toml [", configuration(port)) * 2:
            station.configure(text)
            station.process.send_signal(signal.SIGHUP)
            time.sleep(0.4)
        stop.set()
        seen = [reply for future in running for reply in future.result()]
    good = [told(text)[0] == said("u") for status, _, text, _ in seen if status == 200]
    check.that("reloads, right and wrong, lose nothing", len(seen) > 20 and len(good) == len(seen) and all(good), len(seen))
    check.that("a wrong file is told", "stays as it was" in station.printed())


def stop_signal(station, check):
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask, station, "stop", n % 2 == 0) for n in range(4)]
        time.sleep(0.5)
        station.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        try:
            socket.create_connection(("127.0.0.1", station.port), 1).close()
            refused = False
        except OSError:
            refused = True
        replies = [future.result() for future in running]
    check.that("SIGTERM: no new connections", refused)
    check.that("SIGTERM: streams end well", all(told(text)[0] == said("t") for _, _, text, _ in replies[::2]), replies)
    check.that("SIGTERM: whole answers too", all(status == 200 and json.loads(text) for status, _, text, _ in replies[1::2]), replies)
    check.that("SIGTERM: exit 0", station.stop() == 0)


def main():
    port, check = upstream(), Checks()
    with Station(sys.argv[1], config=configuration(port), admin=free_port()) as station:
        for part in (who_is_asked, what_is_shown, going_on_and_hedging, clients_that_leave_or_are_late, metrics_agree):
            try:
                part(station, check)
            except Exception as error:  # a broken reply is a failed check, whatever is broken
                check.that(part.__name__, False, repr(error))
        reloads(station, check, port)
        stop_signal(station, check)
    check.close()


if __name__ == "__main__":
    main()
