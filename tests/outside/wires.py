"""An independent reading of recorded replies: what each wire's bytes say, by the shortest way and by
nothing of the gateway's code. Standard library only."""
import json
import struct

# The dialect of a provider's row for each protocol that recordings name, and how its key travels there.
DIALECTS = {
    "openai-chat": ("openai-chat", "bearer"),
    "openai-responses": ("openai-responses", "bearer"),
    "anthropic-messages": ("anthropic-messages", "x-api-key"),
    "gemini-generate-content": ("gemini", "x-goog-api-key"),
    "bedrock-converse": ("bedrock-converse", "bearer"),
    "cohere-v2-chat": ("cohere-chat", "bearer"),
}
# What the native words for an end come to, where a word that is not here means `stop`.
ENDS = {
    "length": ("length", "max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded",
               "MAX_TOKENS"),
    "tool_calls": ("tool_calls", "function_call", "tool_use", "TOOL_CALL"),
    "content_filter": ("content_filter", "refusal", "guardrail_intervened", "content_filtered", "SAFETY",
                       "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR",
                       "ERROR_TOXIC"),
    "error": ("error", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"),
}


def end_of(native, called):
    for end, words in ENDS.items():
        if native in words:
            return end
    return "tool_calls" if called else "stop"


class Reading:
    """What a body says: texts and ends by choice, calls in their order, tokens, or an error."""

    def __init__(self):
        self.text, self.reasoning, self.calls, self.finish = {}, "", {}, {}
        self.prompt = self.completion = self.error = None

    def say(self, text, choice=0):
        self.text[choice] = self.text.get(choice, "") + (text or "")

    def call(self, at, name, arguments, choice=0):
        known, so_far = self.calls.get((choice, at), ("", ""))
        self.calls[(choice, at)] = (known or name or "", so_far + (arguments or ""))

    def end(self, native, choice=0):
        if native:
            self.finish[choice] = native

    def ends(self):
        """The ends in the words of chat completions."""
        called = {choice for choice, _ in self.calls}
        return {choice: end_of(native, choice in called) for choice, native in self.finish.items()}

    def shown(self):
        calls = []
        for at in sorted(self.calls):
            name, arguments = self.calls[at]
            try:
                calls.append((name, json.loads(arguments or "{}")))
            except ValueError:
                calls.append((name, arguments))
        return {choice: text for choice, text in self.text.items() if text}, self.reasoning, calls


def data_lines(body):
    """The data of an event stream, parsed; `[DONE]` and what is no JSON are left out."""
    for line in body.decode("utf-8").replace("\r\n", "\n").split("\n"):
        data = line[5:].strip() if line.startswith("data:") else ""
        if data and data != "[DONE]":
            try:
                yield json.loads(data)
            except ValueError:
                continue


# --- openai-chat, which is also what the gateway answers


def parts(content):
    """Visible and thinking text of a content value, which may be a list of parts."""
    if content is None or isinstance(content, str):
        return content or "", ""
    seen, thought = "", ""
    for part in content:
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thought += "".join(piece.get("text", "") for piece in thinking)
        elif thinking:
            thought += thinking
        else:
            seen += part.get("text") or ""
    return seen, thought


def chat_chunk(reading, chunk, streaming):
    if chunk.get("error"):
        reading.error = chunk["error"]
    usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage")
    for choice in chunk.get("choices") or []:
        index = choice.get("index") or 0
        if choice.get("error"):
            reading.error = choice["error"]
        usage = usage or choice.get("usage")
        piece = (choice.get("delta") if streaming else choice.get("message")) or {}
        seen, thought = parts(piece.get("content"))
        reading.say(seen or (choice.get("text") if not piece else ""), index)
        reading.reasoning += piece.get("reasoning") or piece.get("reasoning_content") or thought
        calls = list(piece.get("tool_calls") or [])
        if piece.get("function_call"):
            calls.append({"function": piece["function_call"]})
        for place, call in enumerate(calls):
            function = call.get("function") or {}
            reading.call(call.get("index", place), function.get("name"), function.get("arguments"), index)
        reading.end(choice.get("finish_reason"), index)
    if usage and usage.get("prompt_tokens") is not None:
        chat_tokens(reading, usage)


def chat_tokens(reading, usage):
    """Some hosts count reasoning beside the answer, or audio beside the prompt; the total tells."""
    prompt, completion = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    total = usage.get("total_tokens")
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    audio = (usage.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
    if thought and total == prompt + completion + thought:
        completion += thought
    elif audio and total == prompt + completion + audio:
        prompt += audio
    reading.prompt, reading.completion = prompt, completion


def chat(body, streaming):
    reading = Reading()
    for chunk in data_lines(body) if streaming else [json.loads(body)]:
        chat_chunk(reading, chunk, streaming)
    return reading


# --- openai-responses


def responses(body, streaming):
    reading, told = Reading(), False
    if not streaming:
        response(reading, json.loads(body), True)
        return reading
    for event in data_lines(body):
        kind, delta = event.get("type", ""), event.get("delta")
        if kind == "response.output_text.delta":
            reading.say(delta)
        elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
            reading.reasoning += delta
        elif kind == "error" or kind == "response.failed":
            reading.error = event.get("error") or (event.get("response") or {}).get("error") or event
        elif kind in ("response.completed", "response.incomplete"):
            response(reading, event["response"], False)
    return reading


def response(reading, value, whole):
    """The end of a reply; all of it when it came whole."""
    for item in value["output"]:
        if item["type"] in ("function_call", "custom_tool_call"):
            reading.call(len(reading.calls), item["name"], item.get("arguments") or item.get("input"))
        elif whole and item["type"] == "message":
            for part in item["content"]:
                reading.say(part.get("text"))
        elif whole and item["type"] == "reasoning":
            for part in (item.get("summary") or []) + (item.get("content") or []):
                reading.reasoning += part.get("text") or ""
    why = (value.get("incomplete_details") or {}).get("reason")
    reading.end(why or value["status"])
    usage = value.get("usage") or {}
    reading.prompt, reading.completion = usage.get("input_tokens"), usage.get("output_tokens")


# --- anthropic-messages


def anthropic(body, streaming):
    reading, blocks, usage = Reading(), {}, {}
    if not streaming:
        message = json.loads(body)
        for index, block in enumerate(message["content"]):
            anthropic_block(reading, index, block, True)
        reading.end(message["stop_reason"])
        usage = message["usage"]
    else:
        for event in data_lines(body):
            delta = event.get("delta") or {}
            if event["type"] == "message_start":
                usage = dict(event["message"]["usage"])
            elif event["type"] == "content_block_start":
                blocks[event["index"]] = event["content_block"]["type"]
                anthropic_block(reading, event["index"], event["content_block"], False)
            elif event["type"] == "content_block_delta":
                reading.say(delta.get("text"))
                reading.reasoning += delta.get("thinking") or ""
                if blocks[event["index"]] == "tool_use":
                    reading.call(event["index"], None, delta.get("partial_json"))
            elif event["type"] == "message_delta":
                reading.end(delta.get("stop_reason"))
                usage.update({key: value for key, value in event["usage"].items() if value is not None})
            elif event["type"] == "error":
                reading.error = event["error"]
    cached = (usage.get("cache_read_input_tokens") or 0) + (usage.get("cache_creation_input_tokens") or 0)
    reading.prompt, reading.completion = usage["input_tokens"] + cached, usage["output_tokens"]
    return reading


def anthropic_block(reading, index, block, whole):
    if block["type"] == "text":
        reading.say(block["text"])
    elif block["type"] == "thinking":
        reading.reasoning += block["thinking"]
    elif block["type"] == "tool_use":
        reading.call(index, block["name"], json.dumps(block["input"]) if whole or block["input"] else "")


# --- gemini


def gemini(body, streaming):
    text = body.decode("utf-8").strip()
    chunks = list(data_lines(body))
    if text[:1] in "[{":
        chunks = json.loads(text)
        chunks = chunks if isinstance(chunks, list) else [chunks]
    reading, usage, partial = Reading(), {}, None
    for chunk in chunks:
        usage.update(chunk.get("usageMetadata") or {})
        reading.end((chunk.get("promptFeedback") or {}).get("blockReason") and "SAFETY")
        for candidate in (chunk.get("candidates") or [])[:1]:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thought") is True:
                    reading.reasoning += part.get("text") or ""
                else:
                    reading.say(part.get("text"))
                if "functionCall" in part:
                    partial = gemini_call(reading, part["functionCall"], partial)
            reading.end(candidate.get("finishReason"))
    if not reading.finish and reading.calls:
        reading.end("STOP")
    if "promptTokenCount" in usage:
        reading.prompt = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
        reading.completion = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return reading


def gemini_call(reading, call, partial):
    """One call, or a piece of one whose arguments come in pieces; gives what is still open."""
    if call.get("name"):
        if call.get("willContinue"):
            reading.call(len(reading.calls), call["name"], "")
            return {}
        reading.call(len(reading.calls), call["name"], json.dumps(call.get("args") or {}))
        return None
    for piece in call.get("partialArgs") or []:
        path = piece["jsonPath"].removeprefix("$.")
        partial[path] = partial.get(path, "") + piece["stringValue"]
    if call.get("willContinue"):
        return partial
    at = max(reading.calls)
    reading.calls[at] = (reading.calls[at][0], json.dumps(partial))
    return None


# --- cohere-chat


def cohere(body, streaming):
    reading = Reading()
    if not streaming:
        reply = json.loads(body)
        message = reply["message"]
        reading.say(message.get("tool_plan"))
        for block in message.get("content") or []:
            reading.say(block.get("text"))
            reading.reasoning += block.get("thinking") or ""
        for at, call in enumerate(message.get("tool_calls") or []):
            reading.call(at, call["function"]["name"], call["function"]["arguments"])
        cohere_end(reading, reply)
        return reading
    for event in data_lines(body):
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        content = message.get("content") or {}
        reading.say(message.get("tool_plan"))
        reading.say(content.get("text"))
        reading.reasoning += content.get("thinking") or ""
        if event["type"] in ("tool-call-start", "tool-call-delta"):
            function = message["tool_calls"]["function"]
            reading.call(event.get("index", 0), function.get("name"), function.get("arguments"))
        if event["type"] == "message-end":
            if delta.get("error"):
                reading.error = delta["error"]
            cohere_end(reading, delta)
    return reading


def cohere_end(reading, value):
    reading.end(value.get("finish_reason"))
    usage = value.get("usage") or {}
    tokens = usage.get("tokens") or usage.get("billed_units") or {}
    reading.prompt, reading.completion = tokens.get("input_tokens"), tokens.get("output_tokens")


# --- bedrock-converse


def frames(body):
    """Event type and payload of each frame, without a look at the checksums."""
    at = 0
    while at < len(body):
        size, headers = struct.unpack(">II", body[at:at + 8])
        head, place = {}, at + 12
        while place < at + 12 + headers:
            length = body[place]
            name = body[place + 1:place + 1 + length].decode()
            place += 2 + length
            (length,) = struct.unpack(">H", body[place:place + 2])
            head[name] = body[place + 2:place + 2 + length].decode()
            place += 2 + length
        yield head.get(":event-type"), json.loads(body[at + 12 + headers:at + size - 4])
        at += size


def bedrock(body, streaming):
    reading, usage, blocks = Reading(), {}, {}
    if not streaming:
        reply = json.loads(body)
        for at, block in enumerate(reply["output"]["message"]["content"]):
            reading.say(block.get("text"))
            thought = block.get("reasoningContent") or {}
            reading.reasoning += (thought.get("reasoningText") or {}).get("text") or ""
            for part in (block.get("citationsContent") or {}).get("content") or []:
                reading.say(part.get("text"))
            tool = block.get("toolUse")
            if tool and tool.get("type") != "server_tool_use":
                reading.call(at, tool["name"], json.dumps(tool["input"]))
        reading.end(reply["stopReason"])
        usage = reply["usage"]
    else:
        for kind, payload in frames(body):
            index, delta = payload.get("contentBlockIndex"), payload.get("delta") or {}
            if kind == "contentBlockStart":
                tool = (payload.get("start") or {}).get("toolUse") or {}
                blocks[index] = bool(tool) and tool.get("type") != "server_tool_use"
                if blocks[index]:
                    reading.call(index, tool["name"], "")
            elif kind == "contentBlockDelta":
                reading.say(delta.get("text"))
                reading.reasoning += (delta.get("reasoningContent") or {}).get("text") or ""
                if "toolUse" in delta and blocks.get(index):
                    reading.call(index, None, delta["toolUse"].get("input"))
            elif kind == "messageStop":
                reading.end(payload["stopReason"])
            elif kind == "metadata":
                usage = payload["usage"]
    cached = (usage.get("cacheReadInputTokens") or 0) + (usage.get("cacheWriteInputTokens") or 0)
    if "inputTokens" in usage:
        reading.prompt, reading.completion = usage["inputTokens"] + cached, usage["outputTokens"]
    return reading


READERS = {"openai-chat": chat, "openai-responses": responses, "anthropic-messages": anthropic,
           "gemini-generate-content": gemini, "bedrock-converse": bedrock, "cohere-v2-chat": cohere}


def read(protocol, body, streaming):
    """What a recorded reply says."""
    return READERS[protocol](body, streaming)


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
    return error.get("message") or error.get("Message")
