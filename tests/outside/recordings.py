"""Replays every recorded openai-chat exchange through the running binary and compares what a client
sees with an independent reading of the recorded bytes. Standard library only."""
import argparse
import json
import os
import subprocess
import sys
import time

from station import Checks, Station, events, free_port, wait_for

FINISH = {"stop": "stop", "eos": "stop", "end_turn": "stop", "stop_sequence": "stop", "length": "length",
          "max_tokens": "length", "model_length": "length", "tool_calls": "tool_calls",
          "function_call": "tool_calls", "tool_use": "tool_calls", "content_filter": "content_filter"}


def texts(content):
    """Visible and thinking text of a content value, which may be a list of parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    seen, thought = "", ""
    for part in content:
        if part.get("type") == "thinking":
            thought += "".join(p.get("text", "") for p in part.get("thinking", []))
        else:
            seen += part.get("text", "") or ""
    return seen, thought


class Reading:
    """What a recorded (or returned) body says."""

    def __init__(self):
        self.text, self.calls, self.finish, self.usage, self.error = {}, {}, {}, None, None

    def take(self, chunk, streaming):
        if chunk.get("error"):
            self.error = chunk["error"]
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage")
        if usage:
            self.usage = usage
        for choice in chunk.get("choices") or []:
            index = choice.get("index") or 0
            piece = (choice.get("delta") if streaming else choice.get("message")) or {}
            seen, _ = texts(piece.get("content"))
            self.text[index] = self.text.get(index, "") + seen
            calls = list(piece.get("tool_calls") or [])
            if piece.get("function_call"):
                calls.append({"function": piece["function_call"]})
            for place, call in enumerate(calls):
                at = (index, call.get("index", place))
                name, args = self.calls.get(at, ("", ""))
                function = call.get("function") or {}
                self.calls[at] = (name or function.get("name") or "", args + (function.get("arguments") or ""))
            if choice.get("finish_reason"):
                self.finish[index] = choice["finish_reason"]

    def shown(self):
        """The comparable part."""
        calls = []
        for at in sorted(self.calls):
            name, args = self.calls[at]
            try:
                calls.append((name, json.loads(args or "{}")))
            except ValueError:
                calls.append((name, args))
        return {i: t for i, t in self.text.items() if t}, calls


def read(body, streaming):
    reading = Reading()
    if not streaming:
        reading.take(json.loads(body), False)
        return reading
    for line in body.decode("utf-8").replace("\r\n", "\n").split("\n"):
        data = line[5:].strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            reading.take(json.loads(data), True)
    return reading


def reason_of(body):
    """The upstream's own words of an error body, as far as they can be found."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    if isinstance(value, list):
        value = value[0]
    error = value.get("error", value)
    if isinstance(error, str):
        return error
    if isinstance(error.get("detail"), str):
        return error["detail"]
    raw = (error.get("metadata") or {}).get("raw")
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            pass
        return raw
    return error.get("message")


def compare(check, name, meta, recorded, status, reply):
    if meta["status"] != 200:
        error = json.loads(reply)["error"]
        check.that(f"{name}: status", status == error["code"] and status >= 400, f"{status} {error}")
        reason = reason_of(recorded)
        # A refused credential is the gateway's own matter: its text may quote the key.
        hidden = meta["status"] in (401, 402, 403)
        # What the gateway refuses by itself, it refuses in its own words.
        own = status == 400 and error.get("param")
        if reason and not hidden and not own:
            check.that(f"{name}: reason", reason.strip()[:60] in error["message"], f"{reason!r} in {error['message']!r}")
        return
    want = read(recorded, meta["streaming"])
    if want.error:
        check.that(f"{name}: an error in band is told", b'"error"' in reply, reply[:200])
        return
    check.that(f"{name}: status", status == 200, f"{status} {reply[:300]}")
    if status != 200:
        return
    got = Reading()
    if meta["streaming"]:
        parsed = events(reply)
        check.that(f"{name}: ends with [DONE]", parsed[-1] == "[DONE]")
        for chunk in parsed[:-1]:
            got.take(chunk, True)
    else:
        got.take(json.loads(reply), False)
    check.that(f"{name}: text and calls", got.shown() == want.shown(), f"\n  got  {got.shown()}\n  want {want.shown()}")
    for index, native in want.finish.items():
        expected = FINISH.get(native, native)
        if expected == "stop" and any(at[0] == index for at in want.calls):
            expected = "tool_calls"
        check.that(f"{name}: finish", got.finish.get(index) == expected, f"{got.finish} {want.finish}")
    if want.usage:
        for key in ("prompt_tokens", "completion_tokens"):
            counted = want.usage.get(key)
            details = want.usage.get("completion_tokens_details") or {}
            # Some hosts count reasoning beside the answer and not in it; the total tells.
            beside = want.usage.get("total_tokens") == (want.usage.get("prompt_tokens", 0)
                     + want.usage.get("completion_tokens", 0) + (details.get("reasoning_tokens") or 0))
            if key == "completion_tokens" and beside and counted is not None:
                counted += details.get("reasoning_tokens") or 0
            prompt = want.usage.get("prompt_tokens_details") or {}
            audio = prompt.get("audio_tokens") or 0
            if key == "prompt_tokens" and audio and want.usage["total_tokens"] == (
                    counted + audio + want.usage["completion_tokens"]):
                counted += audio
            if counted is not None:
                check.that(f"{name}: {key}", got.usage and got.usage.get(key) == counted, f"{got.usage} {want.usage}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("shared")
    parser.add_argument("--chunk-bytes", default="0")
    options = parser.parse_args()
    options.binary = os.path.realpath(options.binary)
    root = os.path.join(options.shared, "wire", "dev")
    cases = []
    for provider in sorted(os.listdir(root)):
        folder = os.path.join(root, provider)
        for case in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            path = os.path.join(folder, case)
            with open(os.path.join(path, "meta.json"), encoding="utf-8") as file:
                meta = json.load(file)
            if meta["protocol"] == "openai-chat":
                cases.append((f"{provider}/{case}", path, meta))
    port = free_port()
    replay = subprocess.Popen(
        [sys.executable, os.path.join(options.shared, "wire-tools", "replay.py"), "--root",
         os.path.join(options.shared, "wire"), "--port", str(port), "--chunk-bytes", options.chunk_bytes],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(port)
    config = ['[auth]\nkeys = ["recordings-client-key"]\n']
    for number, (name, _, _) in enumerate(cases):
        config.append(f'[providers.case-{number}]\nname = "Case {number}"\ndialect = "openai-chat"\n'
                      f'api_key = "not-a-real-key-{number}"\nbase_url = "http://127.0.0.1:{port}/case/dev/{name}"\n'
                      f'[[models]]\nid = "replay/case-{number}"\n[[models.endpoints]]\nprovider = "case-{number}"\n'
                      f'model = "recorded"\n')
    check = Checks()
    started = time.monotonic()
    try:
        with Station(options.binary, config="\n".join(config)) as station:
            for number, (name, path, meta) in enumerate(cases):
                body = {"messages": [{"role": "user", "content": "hi"}]}
                recorded_request = os.path.join(path, "request.json")
                if os.path.exists(recorded_request):
                    with open(recorded_request, encoding="utf-8") as file:
                        body = json.load(file)
                with open(os.path.join(path, meta["response_file"]), "rb") as file:
                    recorded = file.read()
                for routing in ("provider", "models", "route", "plugins", "transforms"):
                    body.pop(routing, None)
                body["model"], body["stream"] = f"replay/case-{number}", meta["streaming"]
                status, _, reply = station.chat(body, {"authorization": "Bearer recordings-client-key"})
                compare(check, name, meta, recorded, status, reply)
    finally:
        replay.terminate()
    print(f"{len(cases)} recorded exchanges in {time.monotonic() - started:.1f} s")
    check.close()


main()
