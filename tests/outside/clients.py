"""The official `openai` and `openrouter` packages against the simulated gateway."""
import sys

import openai
from openrouter import OpenRouter

from station import Checks, Station

check = Checks()
MODEL = "openai/gpt-5.4"
ASK = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}

with Station(sys.argv[1], args=["--simulate"]) as station:
    base = f"http://127.0.0.1:{station.port}"
    client = openai.OpenAI(base_url=f"{base}/v1", api_key="unused", max_retries=0)
    reply = client.chat.completions.create(
        model=MODEL, messages=ASK, extra_body={"provider": {"sort": "throughput", "order": ["OpenAI", "Azure"]}})
    check.that("openai: whole", reply.choices[0].message.content and reply.choices[0].finish_reason == "stop", reply)
    check.that("openai: usage", reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens)
    text, last = "", None
    for chunk in client.chat.completions.create(model=MODEL, messages=ASK, stream=True):
        last = chunk
        for choice in chunk.choices:
            text += choice.delta.content or ""
    check.that("openai: streamed", text and last.usage is not None and not last.choices, last)
    call = client.chat.completions.create(model=MODEL, messages=ASK, tools=[WEATHER], tool_choice="required")
    message = call.choices[0].message
    check.that("openai: tool call", message.tool_calls and message.tool_calls[0].function.name == "get_weather", call)
    with client.chat.completions.stream(model=MODEL, messages=ASK, tools=[WEATHER], tool_choice="required") as stream:
        final = stream.get_final_completion()
    check.that("openai: streamed tool call", final.choices[0].message.tool_calls[0].function.arguments.startswith("{"))
    answer = client.chat.completions.create(
        model=MODEL, tools=[WEATHER],
        messages=[*ASK, message.model_dump(exclude_none=True),
                  {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "18 degrees, sun"}])
    check.that("openai: tool result", "18" in answer.choices[0].message.content, answer)
    shaped = client.chat.completions.create(
        model=MODEL, messages=ASK, response_format={"type": "json_schema", "json_schema": {
            "name": "w", "strict": True, "schema": {"type": "object", "additionalProperties": False,
            "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}}, "required": ["city", "degrees"]}}})
    check.that("openai: json_schema", '"degrees"' in shaped.choices[0].message.content, shaped)
    check.that("openai: models", len(list(client.models.list())) > 400)
    for model, kind in (("acme/none", openai.BadRequestError),):
        try:
            client.chat.completions.create(model=model, messages=ASK)
            check.that("openai: an unknown model is an error", False)
        except kind as error:
            check.that("openai: an unknown model is an error", error.status_code == 400)

    with OpenRouter(api_key="unused", server_url=f"{base}/api/v1") as router:
        reply = router.chat.send(model=MODEL, messages=ASK)
        check.that("openrouter: whole", reply.choices[0].message.content, reply)
        with router.chat.send(model=MODEL, messages=ASK, stream=True) as stream:
            text = ""
            for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
        check.that("openrouter: streamed", text)
        listed = router.models.list()
        check.that("openrouter: models", len(listed.result.data) > 400)
        endpoints = router.endpoints.list(author="openai", slug="gpt-5.4")
        check.that("openrouter: endpoints", len(endpoints.data.endpoints) > 1)
        check.that("openrouter: providers", len(router.providers.list().data) >= 60)
check.close()
