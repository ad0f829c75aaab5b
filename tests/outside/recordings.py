"""Replays recorded exchanges of every wire through the running binary and compares what a client sees
with an independent reading of the recorded bytes. Standard library only."""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import time

import wires
from station import Checks, Station, events, free_port, wait_for

KEY = "recordings-client-key"
# What a client of chat completions may send beside messages and model, of what recordings hold.
OWN = ("provider", "models", "route", "plugins", "transforms")


def compare(check, name, meta, recorded, status, reply):
    if meta["status"] != 200:
        error = json.loads(reply)["error"]
        check.that(f"{name}: status", status == error["code"] and status >= 400, f"{status} {error}")
        reason = wires.reason_of(recorded)
        # A refused credential is the gateway's own matter: its text may quote the key.
        hidden = meta["status"] in (401, 402, 403) or "API key" in (reason or "")
        # What the gateway refuses by itself, it refuses in its own words.
        own = status == 400 and error.get("param")
        if reason and not hidden and not own:
            check.that(f"{name}: reason", reason.strip()[:60] in error["message"],
                       f"{reason!r} in {error['message']!r}")
        return
    want = wires.read(meta["protocol"], recorded, meta["streaming"])
    if want.error:
        check.that(f"{name}: an error in band is told", b'"error"' in reply, reply[:200])
        return
    check.that(f"{name}: status", status == 200, f"{status} {reply[:300]}")
    if status != 200:
        return
    if meta["streaming"]:
        check.that(f"{name}: ends with [DONE]", events(reply)[-1] == "[DONE]")
    got = wires.chat(reply, meta["streaming"])
    check.that(f"{name}: text, reasoning and calls", got.shown() == want.shown(),
               f"\n  got  {got.shown()}\n  want {want.shown()}")
    check.that(f"{name}: finish", got.finish == want.ends(), f"{got.finish} {want.ends()}")
    if want.prompt is not None:
        tokens = (got.prompt, got.completion)
        check.that(f"{name}: tokens", tokens == (want.prompt, want.completion or 0),
                   f"{tokens} {(want.prompt, want.completion)}")


def cases_of(root, protocols):
    """Name, folder and meta of every recorded exchange of these protocols."""
    for provider in sorted(os.listdir(root)):
        folder = os.path.join(root, provider)
        for case in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, case)
            with open(os.path.join(path, "meta.json"), encoding="utf-8") as file:
                meta = json.load(file)
            if meta["protocol"] in protocols:
                yield f"{provider}/{case}", path, meta


def config_of(cases, port):
    lines = [f'[auth]\nkeys = ["{KEY}"]\n']
    for number, (name, _, meta) in enumerate(cases):
        dialect, auth = wires.DIALECTS[meta["protocol"]]
        lines.append(f'[providers.case-{number}]\nname = "Case {number}"\ndialect = "{dialect}"\nauth = "{auth}"\n'
                     f'api_key = "not-a-real-key-{number}"\nbase_url = "http://127.0.0.1:{port}/case/dev/{name}"\n'
                     f'[[models]]\nid = "replay/case-{number}"\n[[models.endpoints]]\nprovider = "case-{number}"\n'
                     f'model = "recorded"\n')
    return "\n".join(lines)


def ask(station, number, case):
    """What the gateway answers for one case."""
    _, path, meta = case
    body = {"messages": [{"role": "user", "content": "hi"}]}
    recorded = os.path.join(path, "request.json")
    if meta["protocol"] == "openai-chat" and os.path.exists(recorded):
        with open(recorded, encoding="utf-8") as file:
            body = json.load(file)
    for routing in OWN:
        body.pop(routing, None)
    body["model"], body["stream"] = f"replay/case-{number}", meta["streaming"]
    status, _, reply = station.chat(body, {"authorization": f"Bearer {KEY}"})
    return status, reply


def run(options, protocols, pieces, check):
    """Every case of these protocols, its reply in pieces of so many bytes."""
    root = os.path.join(options.shared, "wire")
    cases = list(cases_of(os.path.join(root, "dev"), protocols))
    port = free_port()
    replay = subprocess.Popen(
        [sys.executable, os.path.join(options.shared, "wire-tools", "replay.py"), "--root", root, "--port",
         str(port), "--chunk-bytes", str(pieces)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    started = time.monotonic()
    try:
        wait_for(port)
        with Station(options.binary, config=config_of(cases, port)) as station:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                replies = pool.map(lambda at: ask(station, at, cases[at]), range(len(cases)))
                for (name, path, meta), (status, reply) in zip(cases, replies):
                    with open(os.path.join(path, meta["response_file"]), "rb") as file:
                        compare(check, f"{name} by {pieces}", meta, file.read(), status, reply)
    finally:
        replay.terminate()
        replay.wait()
    size = "as recorded" if pieces == 0 else f"in pieces of {pieces}"
    print(f"{len(cases)} exchanges {size}: {time.monotonic() - started:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("shared")
    options = parser.parse_args()
    options.binary = os.path.realpath(options.binary)
    check = Checks()
    for pieces in (0, 1, 7):
        run(options, set(wires.DIALECTS), pieces, check)
    for pieces in (3, 64):
        run(options, {"openai-chat"}, pieces, check)
    check.close()


if __name__ == "__main__":
    main()
