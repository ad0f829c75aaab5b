//! `generationConfig`: sampling, limits, the form of the answer. A parameter that the endpoint does
//! not list stays, silently; numbers leave as the client wrote them.
//!
//! | of the request | in `generationConfig` |
//! |---|---|
//! | `temperature`, `top_p`, `frequency_penalty`, `presence_penalty` | `temperature`, `topP`, `frequencyPenalty`, `presencePenalty` |
//! | `top_k` above 0 | `topK` |
//! | `max_completion_tokens`, else `max_tokens` | `maxOutputTokens`, thoughts included |
//! | `stop` | `stopSequences` |
//! | `seed` | `seed`, of which the wire takes 32 bits |
//! | `n` | `candidateCount` |
//! | `logprobs`, `top_logprobs` | `responseLogprobs`, `logprobs` |
//! | `modalities`, `audio.voice`, `image_config` | `responseModalities`, `speechConfig`, `imageConfig` |
//! | `response_format` | `responseMimeType`, `responseJsonSchema` |
//! | `reasoning` and its older spellings | `thinkingConfig`, written in `thinking` |
//! | `min_p`, `top_a`, `repetition_penalty`, `logit_bias`, `verbosity`, `prediction` | nothing: the wire has no word for them |
//!
//! Source: <https://ai.google.dev/api/generate-content#GenerationConfig> (2026-08-22).

use waystation_core::{
    ChatRequest, EncodeError, Json, JsonText, Kind, Note, ObjectWriter, Parameter, Target,
};

use super::{draft::Draft, note, site::Family, thinking};

/// Parameters that leave under another name and otherwise as they came.
const RENAMED: &[(Parameter, &str)] = &[
    (Parameter::Temperature, "temperature"),
    (Parameter::TopP, "topP"),
    (Parameter::FrequencyPenalty, "frequencyPenalty"),
    (Parameter::PresencePenalty, "presencePenalty"),
];

/// The configuration of a request. `tools` says whether functions leave beside it; what can only be
/// said in words is put into `words`, for the instruction, and what was changed into `notes`.
///
/// # Errors
/// [`EncodeError::Unsupported`] when reasoning is to be off and the model cannot do without.
pub(super) fn config(
    chat: &ChatRequest,
    to: &Target<'_>,
    tools: bool,
    (words, notes): (&mut Vec<String>, &mut Vec<Note>),
) -> Result<Draft, EncodeError> {
    let takes = to.endpoint.parameters;
    let taken = |parameter: Parameter| {
        let value = chat.get(parameter.as_str());
        value.filter(|_| takes.takes(parameter))
    };
    let mut config = Draft::default();
    for (parameter, name) in RENAMED {
        if let Some(value) = taken(*parameter) {
            config.set(name, value.bytes());
        }
    }
    // 0 is no limit, which the wire says by saying nothing.
    if let Some(count) = taken(Parameter::TopK).filter(|count| count.u64() != Some(0)) {
        config.set("topK", count.bytes());
    }
    if let Some(limit) = chat
        .max_output()
        .filter(|_| takes.takes(Parameter::MaxTokens))
    {
        config.set("maxOutputTokens", limit.get().to_string());
    }
    if let Some(stop) = taken(Parameter::Stop) {
        config.set("stopSequences", list(stop));
    }
    if let Some(seed) = taken(Parameter::Seed) {
        config.set("seed", self::seed(seed, notes));
    }
    if let Some(count) = chat.get("n") {
        config.set("candidateCount", count.bytes());
    }
    if taken(Parameter::Logprobs).and_then(Json::bool) == Some(true) {
        config.set("responseLogprobs", *b"true");
        if let Some(count) = taken(Parameter::TopLogprobs) {
            config.set("logprobs", count.bytes());
        }
    }
    output(chat, &mut config);
    format(chat, to, tools, &mut config, (words, notes));
    if takes.takes(Parameter::Reasoning)
        && let Some(thinking) = thinking::config(chat, to, notes)?
    {
        config.set("thinkingConfig", thinking);
    }
    Ok(config)
}

/// One string or several, as an array.
fn list(value: Json<'_>) -> Vec<u8> {
    if value.kind() == Kind::Array {
        return value.bytes().to_vec();
    }
    [b"[", value.bytes(), b"]"].concat()
}

/// Seeds have 32 bits on this wire: the low ones of a longer seed are as good.
fn seed(seed: Json<'_>, notes: &mut Vec<Note>) -> Vec<u8> {
    let fits = seed.i64().is_some_and(|seed| i32::try_from(seed).is_ok());
    let whole = seed.i64().map(i64::cast_unsigned).or_else(|| seed.u64());
    match whole.filter(|_| !fits) {
        None => seed.bytes().to_vec(),
        Some(whole) => {
            let low = whole & 0x7fff_ffff;
            note(notes, "seed", format!("{low}: the wire takes 32 bits"));
            low.to_string().into_bytes()
        }
    }
}

/// Kinds of output, the voice and the shape of images. The wire spells kinds in capitals; the
/// members of `image_config` are the host's own and leave as they came.
fn output(chat: &ChatRequest, config: &mut Draft) {
    if let Some(kinds) = chat.get("modalities") {
        let kinds = kinds.elements().filter_map(Json::string);
        let kinds = kinds.map(|kind| JsonText::of(&kind.to_uppercase()).quoted());
        let kinds: Vec<Vec<u8>> = kinds.map(|kind| kind.bytes().to_vec()).collect();
        config.set(
            "responseModalities",
            [b"[", kinds.join(&b","[..]).as_slice(), b"]"].concat(),
        );
    }
    let voice = chat.get("audio").and_then(|audio| audio.get("voice"));
    if let Some(voice) = voice.filter(|voice| voice.kind() == Kind::String) {
        let mut out = Vec::new();
        let mut speech = ObjectWriter::open(&mut out);
        let mut config_of = speech.object("voiceConfig");
        let mut prebuilt = config_of.object("prebuiltVoiceConfig");
        prebuilt.raw("voiceName", voice.bytes());
        prebuilt.close();
        config_of.close();
        speech.close();
        config.set("speechConfig", out);
    }
    if let Some(image) = chat.get("image_config") {
        config.set("imageConfig", image.bytes());
    }
}

/// The form of the answer. The schema leaves as the client wrote it: the host takes JSON Schema and
/// passes by what it does not know of it. Models before the third generation refuse a format beside
/// functions: they are told it in words, which is noted. A form that the endpoint does not list, or
/// that the wire does not have (`grammar`, `python`), is left out with a note, as the contract wants
/// it (section 1.5).
fn format(
    chat: &ChatRequest,
    to: &Target<'_>,
    tools: bool,
    config: &mut Draft,
    (words, notes): (&mut Vec<String>, &mut Vec<Note>),
) {
    let takes = to.endpoint.parameters;
    let Some(wish) = chat.get("response_format") else {
        return;
    };
    let is = |kind: &str| wish.get("type").is_some_and(|found| found.is(kind));
    let schema = wish
        .at(&["json_schema", "schema"])
        .filter(|_| is("json_schema"));
    let able = if is("json_schema") {
        takes.takes(Parameter::StructuredOutputs)
    } else {
        is("text") || (is("json_object") && takes.takes(Parameter::ResponseFormat))
    };
    if !able {
        let what = "left out: the endpoint has no such formats";
        note(notes, "response_format", what);
        return;
    }
    if is("text") {
        return;
    }
    if tools && !Family::of(&to.endpoint.upstream_model).is_third() {
        note(
            notes,
            "response_format",
            "said in words: the model takes no format beside tools",
        );
        words.push(match schema {
            Some(schema) => format!(
                "When you do not call a tool, answer with one JSON value that fits this JSON Schema, and with nothing else:\n{}",
                schema.text()
            ),
            None => "When you do not call a tool, answer with one JSON object and nothing else.".into(),
        });
        return;
    }
    config.text("responseMimeType", "application/json");
    if let Some(schema) = schema {
        config.set("responseJsonSchema", schema.bytes());
    }
}
