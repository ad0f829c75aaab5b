//! Which of the gateway's error types an upstream's status, codes and words come to. A table of
//! codes, a table of phrases, and the plain meaning of the status; no reading of bodies.
//!
//! | what an upstream says | comes to |
//! |---|---|
//! | 401; a refused key in 400 or 403 | `authentication` |
//! | 402; a used-up balance in 403 or 429 | `payment_required` |
//! | 403 | `permission_denied`, or `content_policy_violation` where a code says so |
//! | 404 | `not_found` |
//! | 408, 504, 524 | `timeout` |
//! | 429 | `rate_limit_exceeded` |
//! | 503, 529 | `provider_overloaded` |
//! | 400, 413, 422 and other 4xx | by code, then by phrase, else by the status |
//! | 5xx | `provider_unavailable`, unless it speaks of the context's length or of load |
//! | in band, without a status | by code, then by phrase, else `provider_unavailable` |
//!
//! Names of AWS's exceptions are codes like others.

use waystation_core::ErrorType;

/// Codes and types that say what happened, in lower case.
const CODES: &[(&str, ErrorType)] = &[
    ("context_length_exceeded", ErrorType::ContextLengthExceeded),
    (
        "exceed_context_size_error",
        ErrorType::ContextLengthExceeded,
    ),
    ("too_many_prompt_tokens", ErrorType::ContextLengthExceeded),
    ("too_many_tokens", ErrorType::ContextLengthExceeded),
    ("string_above_max_length", ErrorType::StringTooLong),
    ("insufficient_quota", ErrorType::PaymentRequired),
    ("insufficient_balance", ErrorType::PaymentRequired),
    ("insufficient_credits", ErrorType::PaymentRequired),
    ("billing_hard_limit_reached", ErrorType::PaymentRequired),
    ("billing_not_active", ErrorType::PaymentRequired),
    ("rate_limit_exceeded", ErrorType::RateLimitExceeded),
    ("rate_limit_error", ErrorType::RateLimitExceeded),
    ("ratelimitreached", ErrorType::RateLimitExceeded),
    ("resource_exhausted", ErrorType::RateLimitExceeded),
    (
        "responsibleaipolicyviolation",
        ErrorType::ContentPolicyViolation,
    ),
    ("content_filter", ErrorType::ContentPolicyViolation),
    (
        "content_policy_violation",
        ErrorType::ContentPolicyViolation,
    ),
    ("data_inspection_failed", ErrorType::ContentPolicyViolation),
    ("datainspectionfailed", ErrorType::ContentPolicyViolation),
    ("moderation_blocked", ErrorType::ContentPolicyViolation),
    ("invalid_api_key", ErrorType::Authentication),
    ("api_key_invalid", ErrorType::Authentication),
    ("authentication_error", ErrorType::Authentication),
    ("billing_error", ErrorType::PaymentRequired),
    ("permission_error", ErrorType::PermissionDenied),
    ("model_not_found", ErrorType::NotFound),
    ("not_found_error", ErrorType::NotFound),
    ("request_too_large", ErrorType::PayloadTooLarge),
    ("timeout_error", ErrorType::Timeout),
    ("invalid_model", ErrorType::NotFound),
    ("deploymentnotfound", ErrorType::NotFound),
    ("invalid_image_url", ErrorType::ImageDownloadFailed),
    ("invalid_image_format", ErrorType::UnsupportedImageFormat),
    (
        "unsupported_image_format",
        ErrorType::UnsupportedImageFormat,
    ),
    ("invalid_image", ErrorType::InvalidImage),
    ("image_parse_error", ErrorType::InvalidImage),
    ("image_too_large", ErrorType::ImageTooLarge),
    ("image_too_small", ErrorType::ImageTooSmall),
    ("overloaded_error", ErrorType::ProviderOverloaded),
    ("unavailable", ErrorType::ProviderOverloaded),
    ("deadline_exceeded", ErrorType::Timeout),
    ("engine_overloaded_error", ErrorType::ProviderOverloaded),
    ("server_overloaded", ErrorType::ProviderOverloaded),
    ("service_unavailable", ErrorType::ProviderOverloaded),
    ("unrecognizedclientexception", ErrorType::Authentication),
    ("invalidsignatureexception", ErrorType::Authentication),
    ("expiredtokenexception", ErrorType::Authentication),
    (
        "missingauthenticationtokenexception",
        ErrorType::Authentication,
    ),
    ("throttlingexception", ErrorType::RateLimitExceeded),
    (
        "servicequotaexceededexception",
        ErrorType::RateLimitExceeded,
    ),
    ("modelnotreadyexception", ErrorType::ProviderOverloaded),
    ("serviceunavailableexception", ErrorType::ProviderOverloaded),
    ("modelerrorexception", ErrorType::ProviderUnavailable),
    ("modelstreamerrorexception", ErrorType::ProviderUnavailable),
    ("internalserverexception", ErrorType::ProviderUnavailable),
    ("modeltimeoutexception", ErrorType::Timeout),
];

/// Phrases, in lower case, that hosts without useful codes use.
const PHRASES: &[(&str, ErrorType)] = &[
    ("maximum context length", ErrorType::ContextLengthExceeded),
    ("max context length", ErrorType::ContextLengthExceeded),
    ("context length exceeded", ErrorType::ContextLengthExceeded),
    (
        "exceeds the context length",
        ErrorType::ContextLengthExceeded,
    ),
    ("available context size", ErrorType::ContextLengthExceeded),
    ("context window", ErrorType::ContextLengthExceeded),
    (
        "exceeds the maximum number of tokens",
        ErrorType::ContextLengthExceeded,
    ),
    ("prompt is too long", ErrorType::ContextLengthExceeded),
    ("prompt too long", ErrorType::ContextLengthExceeded),
    ("input is too long", ErrorType::ContextLengthExceeded),
    ("exceed context limit", ErrorType::ContextLengthExceeded),
    (
        "total length of all messages is too long",
        ErrorType::ContextLengthExceeded,
    ),
    (
        "reduce the length of the messages",
        ErrorType::ContextLengthExceeded,
    ),
    ("valid range of max_tokens", ErrorType::MaxTokensExceeded),
    ("max_tokens is too large", ErrorType::MaxTokensExceeded),
    (
        "maximum allowed number of output tokens",
        ErrorType::MaxTokensExceeded,
    ),
    (
        "max_tokens` must be less than",
        ErrorType::MaxTokensExceeded,
    ),
    (
        "content management policy",
        ErrorType::ContentPolicyViolation,
    ),
    ("incorrect api key", ErrorType::Authentication),
    ("invalid api key", ErrorType::Authentication),
    ("api key not valid", ErrorType::Authentication),
    ("insufficient balance", ErrorType::PaymentRequired),
    ("credit balance is too low", ErrorType::PaymentRequired),
    ("exceeded your current quota", ErrorType::PaymentRequired),
];

/// The type of a failure with this status, these codes and these words.
///
/// - Statuses that mean one thing only (401, 402, 404, 408, 412, 503, 504, 529) are believed.
/// - 403 and 429 mean two: a filter or a used-up balance hides behind them, and codes tell.
/// - 400, 413 and 422 are told apart by code, then by phrase. A bad key is a 400 at xAI and Gemini.
/// - Other 5xx are the provider's fault, unless it speaks of the context's length: some servers
///   fail with 500 when a prompt does not fit.
/// - In band there may be no status at all: codes, phrases, and else the provider's fault.
pub(super) fn of(status: Option<u16>, codes: [Option<&str>; 3], message: &str) -> ErrorType {
    let coded = coded(codes);
    let told = || told(message);
    let is = |found: Option<ErrorType>, wanted: ErrorType| found.filter(|kind| *kind == wanted);
    match status {
        Some(401) => ErrorType::Authentication,
        Some(402) => ErrorType::PaymentRequired,
        Some(403) => is(coded, ErrorType::ContentPolicyViolation)
            .or_else(|| is(coded, ErrorType::Authentication))
            .or_else(|| is(told(), ErrorType::PaymentRequired))
            .unwrap_or(ErrorType::PermissionDenied),
        Some(404) => ErrorType::NotFound,
        Some(408 | 504 | 524) => ErrorType::Timeout,
        Some(412) => ErrorType::PreconditionFailed,
        // Google says "exceeded your current quota" of limits that a minute lifts: its code tells.
        Some(429) => is(coded, ErrorType::PaymentRequired)
            .or_else(|| is(coded, ErrorType::RateLimitExceeded))
            .or_else(|| is(told(), ErrorType::PaymentRequired))
            .unwrap_or(ErrorType::RateLimitExceeded),
        Some(status @ 400..500) => coded.or_else(told).unwrap_or(match status {
            413 => ErrorType::PayloadTooLarge,
            422 => ErrorType::Unprocessable,
            _ => ErrorType::InvalidRequest,
        }),
        Some(503 | 529) => ErrorType::ProviderOverloaded,
        Some(_) => is(told(), ErrorType::ContextLengthExceeded)
            .or_else(|| is(coded, ErrorType::ProviderOverloaded))
            .unwrap_or(ErrorType::ProviderUnavailable),
        None => coded
            .or_else(told)
            .unwrap_or(ErrorType::ProviderUnavailable),
    }
}

/// What the first known code says.
fn coded(codes: [Option<&str>; 3]) -> Option<ErrorType> {
    codes.into_iter().flatten().find_map(|code| {
        CODES
            .iter()
            .find(|(known, _)| code.eq_ignore_ascii_case(known))
            .map(|(_, kind)| *kind)
    })
}

/// What the first known phrase says.
fn told(message: &str) -> Option<ErrorType> {
    let message = message.to_ascii_lowercase();
    PHRASES
        .iter()
        .find(|(phrase, _)| message.contains(phrase))
        .map(|(_, kind)| *kind)
}
