"""What a new user does first, and what goes wrong first: the printed curl, a stream, a wrong key, a
wrong config, a dead upstream, signals. Standard library only."""
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time

from station import Checks, Station, events, free_port, wait_for

binary = os.path.realpath(sys.argv[1])
check = Checks()
HELLO = {"model": "openai/gpt-5.4-mini", "messages": [{"role": "user", "content": "Say hello"}]}


def simulated():
    with Station(binary) as station:
        resident = station.resident_kb()
        printed = station.printed()
        curl = re.search(r"curl (?:.*\\\n)*.*", printed)
        check.that("the banner prints a curl line", curl is not None, printed)
        if curl:
            words = shlex.split(curl.group(0).replace("\\\n", " "))
            words[1:1] = ["-sS", "--max-time", "30"]
            out = subprocess.run(words, capture_output=True, text=True, timeout=40)
            reply = json.loads(out.stdout)
            check.that("the printed curl is answered", reply["choices"][0]["message"]["content"], out.stdout)
            check.that("it says that it is simulated", reply["provider"].endswith("(simulated)"), out.stdout)
            check.that("it costs nothing", reply["usage"]["cost"] == 0, out.stdout)
        status, head, body = station.chat({**HELLO, "stream": True})
        parsed = events(body)
        text = "".join(c["delta"].get("content") or "" for e in parsed[:-1] for c in e["choices"])
        check.that("a stream is answered", status == 200 and text, body[:300])
        check.that("it is marked", head.get("x-waystation-simulated") == "true", head)
        check.that("its last chunk has usage", parsed[-2]["choices"] == [] and "usage" in parsed[-2], parsed[-2])
        check.that("it ends", parsed[-1] == "[DONE]")
        status, _, body = station.request("GET", "/ready")
        check.that("/ready says simulated", status == 200 and json.loads(body)["status"] == "simulated", body)
        status, _, body = station.request("GET", "/v1/models")
        check.that("all models are listed", status == 200 and len(json.loads(body)["data"]) > 400)
        for text in (b"{", b'{"messages": 7}', b"\xff\xfe", b"[" * 100_000, b""):
            status, _, body = station.chat(text)
            check.that(f"{text[:12]!r} is refused", status == 400 and json.loads(body)["error"]["message"], body)
        status, _, body = station.chat(b'{"x": "' + b"y" * (52428800) + b'"}')
        check.that("a body over the limit is 413", status == 413, body[:200])
        status, _, body = station.chat({**HELLO, "model": "openai/gpt-5.4-minni"})
        error = json.loads(body)["error"]
        check.that("a typo is 400 with the right id", status == 400 and "openai/gpt-5.4-mini" in error["message"], body)
        status, _, _ = station.request("POST", "/v1/chat/completions", HELLO, {"host": "evil.example"})
        check.that("a foreign Host is refused", status == 403, status)
        status, _, _ = station.request("POST", "/v1/chat/completions", HELLO, {"origin": "https://evil.example"})
        check.that("a foreign Origin is refused", status == 403, status)
        status, _, body = station.request("GET", "/v1/nothing")
        check.that("an unbuilt route is 404 with the envelope", status == 404 and json.loads(body)["error"], body)
        check.that("idle memory is below 25 MB", resident < 25 * 1024, f"{resident} kB")
        check.that("SIGTERM ends it with 0", station.stop() == 0)


def draining():
    """A stream that is open when SIGTERM comes is finished; a new connection is not accepted."""
    with Station(binary) as station:
        link = socket.create_connection(("127.0.0.1", station.port), 10)
        body = json.dumps({**HELLO, "stream": True}).encode()
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                     b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body))
        got = link.recv(65536)
        station.process.terminate()
        while piece := link.recv(65536):
            got += piece
        check.that("an open stream is finished", b"data: [DONE]" in got, got[-200:])
        check.that("then the process ends with 0", station.process.wait(10) == 0)


def reloading():
    """SIGHUP publishes a changed file, and a wrong one changes nothing."""
    config = """
[providers.one]
name = "One"
dialect = "openai-chat"
base_url = "http://127.0.0.1:9/v1"
api_key = "k"
[[models]]
id = "acme/first"
[[models.endpoints]]
provider = "one"
"""
    with Station(binary, config=config) as station:
        path = os.path.join(station.home.name, "waystation.toml")

        def listed(model):
            return station.request("GET", f"/v1/model/acme/{model}")[0] == 200

        def rewrite(text):
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
            station.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)

        check.that("the first model is there", listed("first") and not listed("second"))
        rewrite(config.replace("acme/first", "acme/second"))
        check.that("a reload replaces it", listed("second") and not listed("first"), station.printed())
        rewrite("[nonsense]\n")
        check.that("a wrong file keeps the last good one", listed("second"))
        check.that("and the log says why", "nonsense" in station.printed(), station.printed())


def reloading_under_load():
    """Requests under way and new ones are answered, however often the file changes, wrong ones included."""
    port = free_port()
    mock = subprocess.Popen([os.path.realpath(binary), "mock", "--listen", f"127.0.0.1:{port}"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = f"""
[providers.one]
name = "One"
dialect = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
[[models]]
id = "acme/m"
[[models.endpoints]]
provider = "one"
"""
    try:
        wait_for(port)
        with Station(binary, config=config) as station:
            path = os.path.join(station.home.name, "waystation.toml")
            over, seen = threading.Event(), []

            def client(stream):
                ask = {"model": "acme/m", "stream": stream, "max_tokens": 40, "messages": [{"role": "user", "content": "hi"}]}
                while not over.is_set():
                    try:
                        status, _, body = station.chat(ask)
                        whole = body.endswith(b"data: [DONE]\n\n") if stream else b'"finish_reason":"' in body
                        seen.append((status, whole and b'"finish_reason":"error"' not in body))
                    except Exception as error:
                        seen.append((repr(error), False))

            clients = [threading.Thread(target=client, args=(n % 2 == 0,)) for n in range(8)]
            for one in clients:
                one.start()
            for turn in range(24):
                text = "[nonsense]\n" if turn % 4 == 3 else config + f"[presets.p{turn}]\ntemperature = 0.5\n"
                with open(path + ".new", "w", encoding="utf-8") as out:
                    out.write(text)
                os.replace(path + ".new", path)
                station.process.send_signal(signal.SIGHUP)
                time.sleep(0.15)
            over.set()
            for one in clients:
                one.join()
            lost = [one for one in seen if one != (200, True)]
            check.that(f"24 reloads lose none of {len(seen)} requests", len(seen) > 8 and not lost, lost[:3])
            check.that("and were made", station.printed().count("was reloaded") >= 12, station.printed()[-400:])
    finally:
        mock.kill()
        mock.wait()


def refused():
    """Runs a command that must fail with exit code 1, and gives what it printed."""
    def run(args, env=None):
        out = subprocess.run([binary, *args], capture_output=True, text=True, timeout=20,
                             env={"PATH": "/usr/bin:/bin", **(env or {})}, cwd="/")
        return out.returncode, out.stdout + out.stderr

    code, text = run(["serve", "--listen", "0.0.0.0:0"])
    check.that("an open listener is refused", code == 1 and "key" in text.lower(), text)
    code, text = run(["--config", "/nonexistent.toml"])
    check.that("a missing config is refused", code != 0 and "nonexistent" in text, text)
    import tempfile
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('[server]\nlisten = "127.0.0.1:8080"\nmax_body_byte = 1\n')
        file.flush()
        code, text = run(["check", "--config", file.name])
        check.that("a wrong key names file, line and the right one",
                   code == 1 and f"{file.name}:3" in text and "max_body_bytes" in text, text)


def keys_and_dead_upstreams():
    dead = free_port()
    config = f"""
[auth]
keys = ["a-client-key-of-some-length"]
[providers.dead]
name = "Dead"
dialect = "openai-chat"
base_url = "http://127.0.0.1:{dead}/v1"
api_key = "sk-secret-of-dead"
[[models]]
id = "acme/dead"
[[models.endpoints]]
provider = "dead"
model = "m"
"""
    ask = {"model": "acme/dead", "messages": [{"role": "user", "content": "hi"}]}
    with Station(binary, config=config) as station:
        status, _, body = station.chat(ask)
        check.that("no key is 401", status == 401 and json.loads(body)["error"]["error_type"] == "authentication", body)
        status, _, body = station.chat(ask, {"authorization": "Bearer wrong-key-entirely"})
        check.that("a wrong key is 401", status == 401, body)
        good = {"authorization": "Bearer a-client-key-of-some-length"}
        status, _, body = station.chat(ask, good)
        error = json.loads(body)["error"]
        check.that("a dead upstream is 503 and named", status == 503 and "Dead" in error["message"], body)
        check.that("no secret is told", b"sk-secret" not in body and str(dead).encode() not in body, body)
        check.that("and none is printed", "sk-secret" not in station.printed())


def disconnects():
    """A client that goes away closes the upstream connection within a second."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    closed = threading.Event()

    def upstream():
        link, _ = listener.accept()
        link.recv(65536)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        link.sendall(head)
        event = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                link.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            except OSError:
                closed.set()
                return
            time.sleep(0.05)

    threading.Thread(target=upstream, daemon=True).start()
    config = f"""
[providers.slow]
name = "Slow"
dialect = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
[[models]]
id = "acme/slow"
[[models.endpoints]]
provider = "slow"
model = "m"
price = {{ prompt = "1", completion = "2" }}
"""
    with Station(binary, config=config) as station:
        body = json.dumps({"model": "acme/slow", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
        link = socket.create_connection(("127.0.0.1", station.port))
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                     b"content-length: %d\r\n\r\n%s" % (len(body), body))
        got = b""
        while b"word" not in got:
            got += link.recv(65536)
        generation = re.search(rb"x-generation-id: (\S+)", got, re.I).group(1).decode()
        link.close()
        check.that("the upstream is closed within a second", closed.wait(1.5))
        time.sleep(0.2)
        status, _, text = station.request("GET", f"/v1/generation?id={generation}")
        data = json.loads(text).get("data", {})
        check.that("the record says cancelled", status == 200 and data.get("cancelled") is True, text)
        check.that("and counts tokens", (data.get("tokens_completion") or 0) > 0, text)
        check.that("and is not free", (data.get("total_cost") or 0) > 0, text)
    listener.close()


def abandoned():
    """A client that gives up on a whole reply closes the upstream connection too."""
    listener = socket.create_server(("127.0.0.1", 0))
    port, asked, closed = listener.getsockname()[1], threading.Event(), threading.Event()

    def upstream():
        link, _ = listener.accept()
        link.recv(65536)
        asked.set()
        link.settimeout(10)
        try:
            closed.set() if link.recv(1) == b"" else None
        except OSError:
            closed.set()

    threading.Thread(target=upstream, daemon=True).start()
    config = f"""
[providers.slow]
name = "Slow"
dialect = "openai-chat"
base_url = "http://127.0.0.1:{port}/v1"
api_key = "k"
[[models]]
id = "acme/slow"
[[models.endpoints]]
provider = "slow"
"""
    with Station(binary, config=config) as station:
        body = json.dumps({"model": "acme/slow", "messages": [{"role": "user", "content": "hi"}]}).encode()
        link = socket.create_connection(("127.0.0.1", station.port))
        link.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                     b"content-length: %d\r\n\r\n%s" % (len(body), body))
        check.that("the upstream was asked", asked.wait(5))
        link.close()
        check.that("an abandoned whole request closes its upstream within a second", closed.wait(1.5))
        end = time.monotonic() + 2
        while '"cancelled":true' not in station.printed() and time.monotonic() < end:
            time.sleep(0.05)
        check.that("and is logged as cancelled", '"cancelled":true' in station.printed(), station.printed()[-500:])
    listener.close()


simulated()
draining()
reloading()
reloading_under_load()
refused()
keys_and_dead_upstreams()
disconnects()
abandoned()
check.close()
