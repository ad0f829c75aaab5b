"""Holds what the gateway sends to each wire against the types that the vendors publish: the Python
clients' own, and the service model of the AWS client. Run by schemas.sh in an environment that has
them; needs nothing else but the binary."""
import argparse
import http.server
import json
import os
import threading
import urllib.parse

import anthropic.types
import botocore.session
import botocore.validate
import cohere
import google.genai.types as genai
import openai.types.chat
import openai.types.responses
import pydantic

from recordings import OWN, cases_of
from station import Checks, Station, free_port

KEY = "schemas-client-key"
PIXEL = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
         "awAAAABJRU5ErkJggg==")
PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city.", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                   "additionalProperties": False}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": {
    "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}}}
SEARCH = {"type": "openrouter:web_search", "parameters": {
    "engine": "native", "max_uses": 2, "search_context_size": "low",
    "user_location": {"type": "approximate", "city": "Oslo", "country": "NO"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Oslo\"}"}}


def user(content):
    return {"role": "user", "content": content}


LOOP = [{"role": "system", "content": "Be brief."}, user("And Oslo?"),
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain."}]
# What a client may ask, each once.
ASKED = {
    "words": {"messages": [{"role": "developer", "content": "Be brief."}, user("Hi")], "max_tokens": 100},
    "sampling": {"messages": [user("Hi")], "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "seed": 7,
                 "stop": ["END"], "frequency_penalty": 0.1, "presence_penalty": 0.1},
    "stream": {"messages": [user("Hi")], "stream": True, "max_completion_tokens": 100},
    "picture": {"messages": [user([{"type": "text", "text": "What?"},
                                   {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}])],
                "max_tokens": 100},
    "document": {"messages": [user([{"type": "text", "text": "What?"},
                                    {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}}])],
                 "max_tokens": 100},
    "tools": {"messages": [user("Weather?")], "tools": [WEATHER], "tool_choice": "auto",
              "parallel_tool_calls": False, "max_tokens": 100},
    "required": {"messages": [user("Weather?")], "tools": [WEATHER], "tool_choice": "required", "max_tokens": 100},
    "named": {"messages": [user("Weather?")], "tools": [WEATHER], "max_tokens": 100,
              "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "loop": {"messages": LOOP, "tools": [WEATHER], "max_tokens": 100},
    "prefill": {"messages": [user("Count."), {"role": "assistant", "content": "One, two,"}], "max_tokens": 100},
    "schema": {"messages": [user("A number?")], "response_format": SCHEMA, "max_tokens": 100},
    "object": {"messages": [user("JSON?")], "response_format": {"type": "json_object"}, "max_tokens": 100},
    "effort": {"messages": [user("Think.")], "reasoning": {"effort": "high"}, "max_tokens": 8000},
    "budget": {"messages": [user("Think.")], "reasoning": {"max_tokens": 2000}, "max_tokens": 8000},
    "search": {"messages": [user("News?")], "tools": [SEARCH], "max_tokens": 100},
    "marked": {"messages": [{"role": "system", "content": [{"type": "text", "text": "Long.",
                                                            "cache_control": {"type": "ephemeral"}}]}, user("Hi")],
               "max_tokens": 100},
}


def walk(value):
    """Looks at everything: pydantic checks what may be iterated only when somebody does."""
    if isinstance(value, dict):
        for part in value.values():
            walk(part)
    elif not isinstance(value, (str, bytes, int, float)) and hasattr(value, "__iter__"):
        for part in value:
            walk(part)


def typed(kind, alternatives=(), also=()):
    """Validates a body by a client's typed dictionary, and that it has no member of another name."""
    adapters = [pydantic.TypeAdapter(one) for one in (kind, *alternatives)]
    def check(body):
        last = None
        for adapter in adapters:
            try:
                walk(adapter.validate_python(body))
                last = None
                break
            except pydantic.ValidationError as error:
                last = error
        if last:
            raise last
        unknown = set(body) - {key for one in (kind, *alternatives) for key in annotations(one)} - set(also)
        if unknown:
            raise ValueError(f"unknown members: {sorted(unknown)}")
    return check


def annotations(kind):
    """The members of a typed dictionary, those of its bases among them."""
    return set(kind.__required_keys__) | set(kind.__optional_keys__)


def gemini(body):
    pydantic.TypeAdapter(list[genai.Content]).validate_python(body["contents"])
    for name, kind in (("systemInstruction", genai.Content), ("generationConfig", genai.GenerationConfig),
                       ("toolConfig", genai.ToolConfig)):
        if name in body:
            kind.model_validate(body[name])
    pydantic.TypeAdapter(list[genai.Tool]).validate_python(body.get("tools", []))
    known = {"contents", "systemInstruction", "generationConfig", "toolConfig", "tools", "safetySettings",
             "cachedContent", "labels", "serviceTier"}
    if set(body) - known:
        raise ValueError(f"unknown members: {sorted(set(body) - known)}")


def cohere_chat(body):
    pydantic.TypeAdapter(list[cohere.ChatMessageV2]).validate_python(body["messages"])
    pydantic.TypeAdapter(list[cohere.ToolV2]).validate_python(body.get("tools", []))
    if "response_format" in body:
        pydantic.TypeAdapter(cohere.ResponseFormatV2).validate_python(body["response_format"])
    if "thinking" in body:
        pydantic.TypeAdapter(cohere.Thinking).validate_python(body["thinking"])
    known = {"model", "messages", "stream", "max_tokens", "temperature", "k", "p", "seed", "stop_sequences",
             "frequency_penalty", "presence_penalty", "logprobs", "tools", "tool_choice", "strict_tools",
             "response_format", "thinking", "documents", "citation_options", "safety_mode", "priority"}
    if set(body) - known:
        raise ValueError(f"unknown members: {sorted(set(body) - known)}")


def bedrock():
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = model.operation_model("Converse").input_shape

    def blobs(value):
        """Bytes travel as base64; the service model wants bytes."""
        if isinstance(value, dict):
            return {key: part.encode() if key in ("bytes", "redactedContent") and isinstance(part, str)
                    else blobs(part) for key, part in value.items()}
        return [blobs(part) for part in value] if isinstance(value, list) else value

    def check(body):
        report = botocore.validate.ParamValidator().validate({"modelId": "m", **blobs(body)}, shape)
        if report.has_errors():
            raise ValueError(report.generate_report())
    return check


def checks():
    chat, responses = openai.types.chat.completion_create_params, openai.types.responses.response_create_params
    claude = anthropic.types.message_create_params
    return {
        "openai-chat": typed(chat.CompletionCreateParamsNonStreaming, [chat.CompletionCreateParamsStreaming]),
        "openai-responses": typed(responses.ResponseCreateParamsNonStreaming,
                                  [responses.ResponseCreateParamsStreaming]),
        # The newest client has no sampling any more; models before Opus 4.7 take it.
        "anthropic-messages": typed(claude.MessageCreateParamsNonStreaming, [claude.MessageCreateParamsStreaming],
                                    ["temperature", "top_p", "top_k"]),
        "gemini": gemini,
        "cohere-chat": cohere_chat,
        "bedrock-converse": bedrock(),
    }


# The name of a model of each wire's maker, since some spellings follow it.
MODELS = {"openai-chat": "gpt-5.4", "openai-responses": "gpt-5.4", "anthropic-messages": "claude-sonnet-4-5",
          "gemini": "gemini-3.1-pro-preview", "cohere-chat": "command-a-03-2025",
          "bedrock-converse": "anthropic.claude-sonnet-4-5-20250929-v1:0"}


# The wires of models that do not search: they are not asked to.
NO_SEARCH = ("cohere-chat", "bedrock-converse")
# What a model that searches lists, beside what the others do.
TAKES = ["max_tokens", "temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias",
         "logprobs", "top_logprobs", "tools", "tool_choice", "parallel_tool_calls", "response_format",
         "structured_outputs", "reasoning", "verbosity", "prediction", "web_search_options"]


class Capture(http.server.BaseHTTPRequestHandler):
    """Keeps bodies, and refuses every request in a way that nobody tries again."""
    bodies = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        Capture.bodies.append(json.loads(body))
        answer = b'{"error":{"message":"captured","type":"invalid_request_error"},"message":"captured"}'
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def config(port):
    lines = [f'[auth]\nkeys = ["{KEY}"]\n']
    for dialect, model in MODELS.items():
        quirks = 'quirks = { max_tokens = "max_completion_tokens" }\n' if dialect == "openai-chat" else ""
        lines.append(f'[providers.p-{dialect}]\nname = "{dialect}"\ndialect = "{dialect}"\napi_key = "not-a-real-key"\n'
                     f'auth = "bearer"\nbase_url = "http://127.0.0.1:{port}"\n{quirks}'
                     f'[[models]]\nid = "schema/{dialect}"\ninput_modalities = ["text", "image", "file", "audio"]\n'
                     f'supported_parameters = {json.dumps(TAKES)}\n'
                     f'[[models.endpoints]]\nprovider = "p-{dialect}"\nmodel = "{model}"\n')
    return "\n".join(lines)


def requests(shared):
    """Everything that is asked: the list above, and what recorded clients of chat completions sent."""
    for name, body in ASKED.items():
        yield name, body
    root = os.path.join(shared or "", "wire", "dev")
    if not shared or not os.path.isdir(root):
        return
    for name, path, meta in cases_of(root, {"openai-chat"}):
        recorded = os.path.join(path, "request.json")
        if meta["status"] == 200 and meta["provider"] == "openai" and os.path.exists(recorded):
            with open(recorded, encoding="utf-8") as file:
                body = json.load(file)
            yield name, {key: value for key, value in body.items() if key not in OWN}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("shared", nargs="?")
    options = parser.parse_args()
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Capture)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    check, held = Checks(), 0
    with Station(options.binary, config=config(port)) as station:
        for dialect, valid in checks().items():
            for name, body in requests(options.shared):
                if name == "search" and dialect in NO_SEARCH:
                    continue
                Capture.bodies.clear()
                asked = {**body, "model": f"schema/{dialect}"}
                status, _, reply = station.chat(asked, {"authorization": f"Bearer {KEY}"})
                if not Capture.bodies:
                    # What a wire cannot say is refused before anything leaves, with the part that it is.
                    check.that(f"{dialect} {name}: refused by name", status == 400 and b"messages[" in reply,
                               f"{status} {reply[:300]}")
                    continue
                for sent in Capture.bodies:
                    held += 1
                    try:
                        valid(sent)
                        check.that(name, True)
                    except Exception as error:  # whatever a vendor's code says of it is shown
                        check.that(f"{dialect} {name}", False, f"{error}\n  {json.dumps(sent)[:700]}")
    server.shutdown()
    print(f"{held} requests held against the published types of {len(MODELS)} wires")
    check.close()


main()
