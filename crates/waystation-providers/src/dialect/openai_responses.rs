//! OpenAI Responses: OpenAI itself, Azure, xAI, DeepSeek and Bedrock's OpenAI host. Here is where
//! requests go and whose sealed reasoning is whose; bodies are written in `request` and `input`,
//! replies read in `reply`.
//!
//! Wire reference: <https://platform.openai.com/docs/api-reference/responses> (2026-08-22), and
//! recorded traffic of five hosts. State on the host is not used: every request carries the whole
//! conversation, and nothing is stored there unless the client's own members say so.

mod field;
mod finished;
mod input;
mod item;
mod reply;
mod request;
mod tool;
mod usage;

use http::header::ACCEPT;
use waystation_core::{Call, ChatPath, ChatRequest, Codec, EncodeError, HttpRequest, Target};

use crate::{
    address::{authorise, percent},
    demand::Demand,
    intake::Intake,
};

/// The id of this dialect, as catalogue rows and configs name it.
pub const OPENAI_RESPONSES: &str = "openai-responses";

/// Members that the gateway answers for: neither unknown members nor a provider's options say them.
const RESERVED: &[&str] = &["model", "messages", "input", "stream", "stream_options"];

/// The codec of OpenAI Responses.
///
/// # What leaves
/// - Messages become items: texts, images, files and audio as input parts, calls and their results
///   as items of their own. Sealed reasoning of the same format goes back before what it led to;
///   that of other formats stays, since only its maker can open it.
/// - `store` is false, and sealed reasoning is asked for, unless the client sends those members.
/// - `response_format` and `verbosity` become `text`, `web_search_options` the host's own tool.
/// - What the dialect has no member for is left out: `stop`, `seed`, `n`, penalties, `logit_bias`,
///   `prediction`; likewise what only a gateway understands. Other members go through as they came,
///   and `provider.options[slug]` is merged in over all but `model`, `input` and `stream`.
///
/// # Where it goes
/// `{base_url}/responses`; on Azure `{base_url}/openai/v1/responses`, or with an API version that
/// version's address, with the deployment as model.
///
/// # What comes back
/// Text, reasoning, refusals and calls as they arrive, whichever of deltas, finished items and the
/// final response carries them first; each thing once. Reasoning comes as text and, with its seal,
/// in `reasoning_details`, whose format names host and family: `openai-responses-v1`,
/// `azure-openai-responses-v1`, `xai-responses-v1`. Tools that the host runs itself are no calls;
/// their citations are `url_citation` annotations whose indices count characters of the whole
/// content. A stream ends with its terminal event; one that ends before it is an error.
///
/// # Errors
/// Encoding fails for content that the dialect cannot say (video), an address that is none, and a
/// credential that no header can carry.
///
/// # Limits
/// 64 MiB a whole reply, 64 KiB of a failure's body; 4096 items of a reply, and 4096 parts of an item,
/// behind which further ones are passed by.
///
/// # Example
/// A call that a stream tells three times: as an item that begins, as a delta, and once more in the
/// final response. The client hears it once, with the id that its result has to name.
///
/// ```
/// use bytes::Bytes;
/// use http::StatusCode;
/// use waystation_core::*;
/// use waystation_providers::{OPENAI_RESPONSES, codec};
///
/// # let upstream = Upstream {
/// #     slug: "openai".parse()?,
/// #     name: "OpenAI".into(),
/// #     base_url: "https://api.openai.com/v1".into(),
/// #     auth: AuthScheme::Bearer,
/// #     quirks: Quirks::default(),
/// #     settings: Settings::default(),
/// # };
/// # let model: ModelId = "openai/gpt-5-nano".parse()?;
/// # let endpoint = Endpoint {
/// #     id: EndpointId::new(&model, &"openai".parse()?),
/// #     model,
/// #     provider: "openai".parse()?,
/// #     tag: "openai".parse()?,
/// #     dialect: OPENAI_RESPONSES.parse()?,
/// #     upstream_model: "gpt-5-nano".into(),
/// #     price: Price::default(),
/// #     context_length: None,
/// #     max_output: None,
/// #     parameters: ParameterSet::ALL,
/// #     input: Modalities::TEXT,
/// #     output: Modalities::TEXT,
/// #     quantization: None,
/// #     trust: Trust::Firm,
/// #     policy: DataPolicy::default(),
/// #     variant: None,
/// #     service_tier: None,
/// #     billed_by_upstream: false,
/// #     search: None,
/// # };
/// # let lease = Lease::new("main".parse()?, Some(Secret::new("key-1234")));
/// # let to = Target { upstream: &upstream, endpoint: &endpoint, lease: &lease, now: UnixMs::new(0) };
/// let body = r#"{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99, "stream": true, "stop": "END"}"#;
/// let chat = ChatRequest::parse(&Bytes::from(body))?;
/// let mut call = codec(&endpoint.dialect).ok_or("no such dialect")?.encode(&chat, &to)?;
/// assert_eq!(call.request.url, "https://api.openai.com/v1/responses");
/// let sent = r#"{"model":"gpt-5-nano","input":[{"role":"user","content":"Hi"}],"stream":true,"store":false,"include":["reasoning.encrypted_content"],"max_output_tokens":99}"#;
/// assert_eq!(call.request.body, sent);
///
/// let stream = r#"data: {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5-nano"}}
///
/// data: {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now"}}
///
/// data: {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}
///
/// data: {"type": "response.output_item.done", "output_index": 1, "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now", "arguments": "{}"}}
///
/// data: {"type": "response.completed", "response": {"status": "completed", "output": [], "usage": {"input_tokens": 7, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 4}}}}
///
/// "#;
/// let mut events = Vec::new();
/// call.reader.head(&ReplyHead { status: StatusCode::OK, headers: Headers::default() })?;
/// call.reader.push(&Bytes::from(stream), &mut events)?;
/// call.reader.finish(&mut events)?;
/// let told: Vec<_> = events
///     .iter()
///     .filter_map(|event| match event {
///         ChatEvent::Delta(delta) => delta.tool_calls.first(),
///         _ => None,
///     })
///     .collect();
/// assert_eq!(told.len(), 2);
/// assert_eq!((told[0].index, &*told[0].id.as_ref().unwrap().decode()), (0, "call_1"));
/// assert_eq!(told[1].arguments.decode(), "{}");
/// let answer = Answer::of(events);
/// assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
/// assert_eq!(answer.usage.unwrap().reasoning, Some(Tokens::new(4)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

impl Codec for OpenAiResponses {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let mut notes = Vec::new();
        let demand = Demand::of(chat, to, RESERVED, &mut notes);
        let format = reasoning_format(to);
        let body = request::write(&demand, upstream_model(to), &format, &mut notes)?;
        let accept = if chat.stream() {
            "text/event-stream"
        } else {
            "application/json"
        };
        let request = HttpRequest::post_json(&url(to), body)?.header(ACCEPT, accept);
        let request = authorise(request, to.upstream.auth, to.lease)?;
        let reply = reply::Reply::expecting(format, demand.hides_reasoning());
        let reader = Intake::new(reply, chat.stream(), to.lease.secret.clone());
        Ok(Call {
            request,
            reader: Box::new(reader),
            notes,
        })
    }
}

/// What the host calls the model: on Azure, the operator's deployment of it.
fn upstream_model<'a>(to: &Target<'a>) -> &'a str {
    let named = &*to.endpoint.upstream_model;
    let deployments = &to.upstream.settings.deployments;
    deployments
        .get(to.endpoint.model.as_str())
        .or_else(|| deployments.get(named))
        .map_or(named, String::as_str)
}

/// The address. A trailing slash of the base is nothing, and a path prefix in it stays.
fn url(to: &Target<'_>) -> String {
    let base = to.upstream.base_url.trim_end_matches('/');
    let mut url = base.to_owned();
    let version = to.upstream.settings.api_version.as_deref();
    match (to.upstream.quirks.chat_path, version) {
        (ChatPath::Azure, version) if !base.ends_with("/openai/v1") => match version {
            None => url.push_str("/openai/v1/responses"),
            Some(version) => {
                url.push_str("/openai/responses?api-version=");
                percent(version, &mut url);
            }
        },
        _ => url.push_str("/responses"),
    }
    url
}

/// Whose sealed reasoning this is: the host, and the model's family where the vocabulary tells
/// families of a host apart. Another host could not open it, another family not use it. Source: API
/// contract, section 1.4.
///
/// The host is the last word of the provider's slug (`bedrock` of `amazon-bedrock`), the family the
/// author of the model's id without dashes.
fn reasoning_format(to: &Target<'_>) -> String {
    const OF_FAMILIES: &[&str] = &[
        "azure-openai-responses-v1",
        "bedrock-openai-responses-v1",
        "bedrock-xai-responses-v1",
    ];
    let slug = to.endpoint.provider.as_str();
    let host = slug.rsplit('-').next().unwrap_or(slug);
    let family = to.endpoint.model.author().replace('-', "");
    let told_apart = format!("{host}-{family}-responses-v1");
    if OF_FAMILIES.contains(&&*told_apart) {
        told_apart
    } else {
        format!("{host}-responses-v1")
    }
}
