"""Starts the binary under test on a free port, and stops it. Standard library only."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, within=10):
    """Until somebody listens at the port."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"nobody listens at port {port}")


class Station:
    """One running gateway. `config` is TOML text or None; `env` replaces the environment. The admin plane is off unless
    it is given a port. `files` is how many it may have open."""

    def __init__(self, binary, config=None, args=(), env=None, admin=None, files=None):
        self.port, self.admin = free_port(), admin
        self.home = tempfile.TemporaryDirectory()
        command = [os.path.realpath(binary), "serve", "--listen", f"127.0.0.1:{self.port}", "--admin-listen",
                   "off" if admin is None else f"127.0.0.1:{admin}", *args]
        if config is not None:
            self.file = os.path.join(self.home.name, "waystation.toml")
            self.configure(config)
            command += ["--config", self.file]
        if files is not None:
            command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
        clean = {"PATH": os.environ["PATH"], "HOME": self.home.name}
        self.process = subprocess.Popen(
            command, cwd=self.home.name, env={**clean, **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()
        self._await()

    def configure(self, config):
        """Writes the config file anew; SIGHUP, or two seconds, make it count."""
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(config)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def _await(self):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                status, _, _ = self.request("GET", "/health")
                if status == 200:
                    return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError("the gateway did not start:\n" + "".join(self.lines))

    def request(self, method, path, body=None, headers=None, timeout=30):
        """Status, headers and body of one request."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            sent = {"content-type": "application/json"} if data is not None else {}
            link.request(method, path, body=data, headers={**sent, **(headers or {})})
            reply = link.getresponse()
            return reply.status, dict((k.lower(), v) for k, v in reply.getheaders()), reply.read()
        finally:
            link.close()

    def chat(self, body, headers=None):
        status, head, text = self.request("POST", "/v1/chat/completions", body, headers)
        return status, head, text

    def printed(self):
        return "".join(self.lines)

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def stop(self, how=signal.SIGTERM, within=10):
        """Sends a signal and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None
        finally:
            self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def events(text):
    """The data of a stream's events, parsed; `[DONE]` stays a string."""
    found = []
    for block in text.decode("utf-8").split("\n\n"):
        for line in block.split("\n"):
            if line.startswith("data: "):
                data = line[6:]
                found.append(data if data == "[DONE]" else json.loads(data))
            elif line and not line.startswith(":"):
                raise AssertionError(f"neither data nor comment: {line!r}")
    return found


class Checks:
    """Counts checks and prints those that fail."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {what} {detail}")

    def close(self):
        print(f"{self.passed} passed, {self.failed} failed")
        raise SystemExit(1 if self.failed else 0)
