//! Amazon Bedrock's Converse: one wire for the models of many makers. Here is where requests go;
//! bodies are written in `request`, `turn`, `media` and `tool`, replies read in `reply`.
//!
//! Wire reference:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>
//! (2026-08-22), and recorded traffic.

mod block;
mod field;
mod media;
mod model;
mod reply;
mod request;
mod step;
mod tool;
mod turn;
mod usage;

use http::header::ACCEPT;
#[cfg(feature = "bedrock")]
use waystation_core::AuthScheme;
use waystation_core::{Call, ChatRequest, Codec, EncodeError, HttpRequest, Target};

use self::model::Family;
use crate::{
    address::{authorise, percent},
    demand::Demand,
    intake::Intake,
};

/// The id of this dialect, as catalogue rows and configs name it.
pub const BEDROCK_CONVERSE: &str = "bedrock-converse";

/// Members that the gateway answers for: neither unknown members nor a provider's options say them.
const RESERVED: &[&str] = &["model", "modelId", "messages", "stream", "stream_options"];

/// The codec of Amazon Bedrock's Converse.
///
/// # What leaves
/// - Instructions make `system`; the other messages make turns that alternate, results of tools at
///   the head of the user's. Blank texts, which the wire refuses, stay; a conversation that does not
///   begin with the user gets a beginning.
/// - Images, PDF, office and text files, and video leave as blocks with their data, or with their
///   place in S3. The host fetches no addresses.
/// - Tools make `toolConfig`; where only earlier calls speak of tools, their names do.
/// - Signed reasoning goes back before what it led to: Claude's is of the format
///   `anthropic-claude-v1`, like Anthropic's own. Sealed blocks of Bedrock are of the format
///   `bedrock-anthropic-claude-v1`, since their data are spelled in another way there.
/// - A schema becomes `outputConfig.textFormat`; bare JSON an instruction, with a note.
/// - Limits and sampling make `inferenceConfig`; what only some makers take, such as the wish to
///   reason, goes to `additionalModelRequestFields`, as their models spell it.
/// - `cache_control` becomes a `cachePoint` for models that cache: Claude and Nova.
/// - Members that no vocabulary knows go to `additionalModelRequestFields`, those of Converse itself
///   (`guardrailConfig`, `requestMetadata`) to where they belong; `provider.options[slug]` likewise.
///
/// # Where it goes
/// `{base_url}/model/{model}/converse`, or `/converse-stream`. The credential is a bearer key;
/// or, by the scheme `sigv4`, an access key written `id:key` or `id:key:token`, which signs the
/// request for the operator's region, else for the region in the address (feature `bedrock`).
///
/// # What comes back
/// Events in frames whose two checksums are checked. The end waits for the counts, which come behind
/// the stop reason. `prompt` counts what was read from and written to the cache too, which the wire
/// counts apart. Tools that the host runs are no calls. Citations are annotations of the block that
/// they stand in.
///
/// # Errors
/// Encoding fails for content that the wire cannot say (audio, images by address), an address that
/// is none, and a credential that does not fit.
///
/// # Limits
/// 16 MiB a frame, 64 MiB a whole reply, 64 KiB of a failure's body, 1024 citations a block.
///
/// # Example
/// A whole reply. What was read from the cache stands beside `inputTokens` on the wire and inside the
/// prompt here, as everywhere in the vocabulary.
///
/// ```
/// use bytes::Bytes;
/// use http::StatusCode;
/// use waystation_core::*;
/// use waystation_providers::{BEDROCK_CONVERSE, codec};
///
/// # let upstream = Upstream {
/// #     slug: "amazon-bedrock".parse()?,
/// #     name: "Amazon Bedrock".into(),
/// #     base_url: "https://bedrock-runtime.us-east-1.amazonaws.com".into(),
/// #     auth: AuthScheme::Bearer,
/// #     quirks: Quirks::default(),
/// #     settings: Settings::default(),
/// # };
/// # let model: ModelId = "amazon/nova-lite-v1".parse()?;
/// # let endpoint = Endpoint {
/// #     id: EndpointId::new(&model, &"amazon-bedrock".parse()?),
/// #     model,
/// #     provider: "amazon-bedrock".parse()?,
/// #     tag: "amazon-bedrock".parse()?,
/// #     dialect: BEDROCK_CONVERSE.parse()?,
/// #     upstream_model: "amazon.nova-lite-v1:0".into(),
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
/// let body = r#"{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "max_tokens": 9}"#;
/// let chat = ChatRequest::parse(&Bytes::from(body))?;
/// let mut call = codec(&endpoint.dialect).ok_or("no such dialect")?.encode(&chat, &to)?;
/// let url = "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse";
/// assert_eq!(call.request.url, url);
/// let sent = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"system":[{"text":"Be brief."}],"inferenceConfig":{"maxTokens":9}}"#;
/// assert_eq!(call.request.body, sent);
///
/// let reply = r#"{"output": {"message": {"role": "assistant", "content": [{"text": "Hello"}]}}, "stopReason": "max_tokens",
///     "usage": {"inputTokens": 2, "cacheReadInputTokens": 100, "outputTokens": 9, "totalTokens": 111}}"#;
/// let mut events = Vec::new();
/// call.reader.head(&ReplyHead { status: StatusCode::OK, headers: Headers::default() })?;
/// call.reader.push(&Bytes::from(reply), &mut events)?;
/// call.reader.finish(&mut events)?;
/// let answer = Answer::of(events);
/// assert_eq!(answer.choices[0].content().unwrap().decode(), "Hello");
/// assert_eq!(answer.choices[0].finish.as_ref().unwrap().reason, FinishReason::Length);
/// let usage = answer.usage.unwrap();
/// assert_eq!((usage.prompt.get(), usage.cached), (102, Some(Tokens::new(100))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BedrockConverse;

impl Codec for BedrockConverse {
    fn encode(&self, chat: &ChatRequest, to: &Target<'_>) -> Result<Call, EncodeError> {
        let mut notes = Vec::new();
        let demand = Demand::of(chat, to, RESERVED, &mut notes);
        let family = Family::of(to.endpoint);
        let body = request::write(&demand, family, &mut notes)?;
        let accept = if chat.stream() {
            "application/vnd.amazon.eventstream"
        } else {
            "application/json"
        };
        let request = HttpRequest::post_json(&url(chat, to), body)?.header(ACCEPT, accept);
        let request = credential(request, to)?;
        let reply = reply::Reply::expecting(family, demand.hides_reasoning());
        let reader = Intake::new(reply, chat.stream(), to.lease.secret.clone());
        Ok(Call {
            request,
            reader: Box::new(reader),
            notes,
        })
    }
}

/// The address. The model is one segment of it, colons and slashes of its name encoded.
fn url(chat: &ChatRequest, to: &Target<'_>) -> String {
    let mut url = to.upstream.base_url.trim_end_matches('/').to_owned();
    url.push_str("/model/");
    percent(&to.endpoint.upstream_model, &mut url);
    url.push_str(if chat.stream() {
        "/converse-stream"
    } else {
        "/converse"
    });
    url
}

/// Adds the credential: a key as a header, or a signature over everything that was written. Without
/// the feature `bedrock`, schemes that sign are refused.
fn credential(request: HttpRequest, to: &Target<'_>) -> Result<HttpRequest, EncodeError> {
    #[cfg(feature = "bedrock")]
    let scheme = to.lease.scheme_or(to.upstream.auth);
    #[cfg(feature = "bedrock")]
    if let (AuthScheme::Sigv4, Some(secret)) = (scheme, &to.lease.secret) {
        let region = region(to).ok_or(EncodeError::Address {
            setting: "region",
            reason: "expected an AWS region such as \"us-east-1\", found none".into(),
        })?;
        let scope = crate::sigv4::Scope {
            region,
            service: SERVICE,
            now: to.now,
        };
        return crate::sigv4::sign(request, secret, scope);
    }
    authorise(request, to.upstream.auth, to.lease)
}

/// The name under which Bedrock checks signatures.
#[cfg(feature = "bedrock")]
const SERVICE: &str = "bedrock";

/// The region that a signature is for: the operator's, else the one in the address,
/// `bedrock-runtime.{region}.amazonaws.com`.
#[cfg(feature = "bedrock")]
fn region<'a>(to: &Target<'a>) -> Option<&'a str> {
    if let Some(region) = to.upstream.settings.region.as_deref() {
        return Some(region);
    }
    let (_, host) = to.upstream.base_url.split_once("://")?;
    let mut labels = host.split(['/', ':']).next()?.split('.');
    let service = labels.next()?;
    let region = labels.next()?;
    (service.starts_with("bedrock") && labels.next() == Some("amazonaws")).then_some(region)
}
