//! The public vocabulary of failure, with two total functions: what status it is, and what the
//! gateway does next. Adding a type means answering both.
#![warn(clippy::wildcard_enum_match_arm)]

use std::{fmt, str::FromStr};

use http::StatusCode;

/// What went wrong, in the words that clients may switch on.
///
/// Source: API contract, section 2.2 (`error_type` of OpenRouter's availability page, 2026-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Prompt and wanted output do not fit the context window.
    ContextLengthExceeded,
    /// More output was asked for than the endpoint gives.
    MaxTokensExceeded,
    /// Some other limit on tokens.
    TokenLimitExceeded,
    /// A single text is too long.
    StringTooLong,
    /// The request is malformed, or asks for something that does not exist.
    InvalidRequest,
    /// The prompt cannot be used as it is.
    InvalidPrompt,
    /// The prompt or the answer offends a content policy.
    ContentPolicyViolation,
    /// The model refuses.
    Refusal,
    /// An image cannot be read.
    InvalidImage,
    /// An image is too large.
    ImageTooLarge,
    /// An image is too small.
    ImageTooSmall,
    /// An image format that is not supported.
    UnsupportedImageFormat,
    /// An image could not be fetched.
    ImageDownloadFailed,
    /// The client's key is missing or wrong.
    Authentication,
    /// Credits or a budget are used up.
    PaymentRequired,
    /// The client may not do this.
    PermissionDenied,
    /// The model is known but nothing can serve the request, or the thing does not exist.
    NotFound,
    /// A referenced image does not exist.
    ImageNotFound,
    /// A condition of the request does not hold.
    PreconditionFailed,
    /// The body is too large.
    PayloadTooLarge,
    /// Well-formed and yet impossible.
    Unprocessable,
    /// Too many requests.
    RateLimitExceeded,
    /// A fault of the gateway.
    Server,
    /// An upstream failure that fits no other type.
    Unmapped,
    /// The provider is down, or answered garbage, or refused the gateway's credential.
    ProviderUnavailable,
    /// The provider has no capacity.
    ProviderOverloaded,
    /// The provider did not answer in time.
    Timeout,
}

/// What the gateway does after an attempt failed this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The next endpoint of the plan; the same one again only when there is no other.
    Next,
    /// The next endpoint; never the same one, since it would answer the same.
    Elsewhere,
    /// The next *model*: every endpoint of this one would answer the same.
    NextModel,
    /// Nothing: the failure is the answer.
    Stop,
}

// === impl ErrorType ===

impl ErrorType {
    /// Every type.
    pub const ALL: [Self; 27] = [
        Self::ContextLengthExceeded,
        Self::MaxTokensExceeded,
        Self::TokenLimitExceeded,
        Self::StringTooLong,
        Self::InvalidRequest,
        Self::InvalidPrompt,
        Self::ContentPolicyViolation,
        Self::Refusal,
        Self::InvalidImage,
        Self::ImageTooLarge,
        Self::ImageTooSmall,
        Self::UnsupportedImageFormat,
        Self::ImageDownloadFailed,
        Self::Authentication,
        Self::PaymentRequired,
        Self::PermissionDenied,
        Self::NotFound,
        Self::ImageNotFound,
        Self::PreconditionFailed,
        Self::PayloadTooLarge,
        Self::Unprocessable,
        Self::RateLimitExceeded,
        Self::Server,
        Self::Unmapped,
        Self::ProviderUnavailable,
        Self::ProviderOverloaded,
        Self::Timeout,
    ];

    /// The HTTP status that a client sees.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::ContextLengthExceeded
            | Self::MaxTokensExceeded
            | Self::TokenLimitExceeded
            | Self::StringTooLong
            | Self::InvalidRequest
            | Self::InvalidPrompt
            | Self::ContentPolicyViolation
            | Self::Refusal
            | Self::InvalidImage
            | Self::ImageTooLarge
            | Self::ImageTooSmall
            | Self::UnsupportedImageFormat
            | Self::ImageDownloadFailed => StatusCode::BAD_REQUEST,
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::NotFound | Self::ImageNotFound => StatusCode::NOT_FOUND,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            Self::Server | Self::Unmapped => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ProviderUnavailable => StatusCode::BAD_GATEWAY,
            Self::ProviderOverloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What to do when an *upstream* failed this way before anything reached the client.
    ///
    /// `Authentication`, `PaymentRequired` and `PermissionDenied` from an upstream speak of the
    /// gateway's credential there, so another endpoint may well serve. A request that one provider
    /// calls malformed is not replayed on its neighbours, and neither is one that a content filter
    /// refuses: the next *model* may try (API contract, section 5 and statement 89).
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::ContextLengthExceeded
            | Self::TokenLimitExceeded
            | Self::StringTooLong
            | Self::InvalidRequest
            | Self::InvalidPrompt
            | Self::Unprocessable
            | Self::ContentPolicyViolation
            | Self::Refusal => Retry::NextModel,
            Self::MaxTokensExceeded
            | Self::InvalidImage
            | Self::ImageTooLarge
            | Self::ImageTooSmall
            | Self::UnsupportedImageFormat
            | Self::ImageDownloadFailed
            | Self::Authentication
            | Self::PaymentRequired
            | Self::PermissionDenied
            | Self::NotFound
            | Self::ImageNotFound
            | Self::PayloadTooLarge
            | Self::RateLimitExceeded => Retry::Elsewhere,
            Self::Server
            | Self::Unmapped
            | Self::ProviderUnavailable
            | Self::ProviderOverloaded
            | Self::Timeout => Retry::Next,
            Self::PreconditionFailed => Retry::Stop,
        }
    }

    /// The type as clients see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::MaxTokensExceeded => "max_tokens_exceeded",
            Self::TokenLimitExceeded => "token_limit_exceeded",
            Self::StringTooLong => "string_too_long",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidPrompt => "invalid_prompt",
            Self::ContentPolicyViolation => "content_policy_violation",
            Self::Refusal => "refusal",
            Self::InvalidImage => "invalid_image",
            Self::ImageTooLarge => "image_too_large",
            Self::ImageTooSmall => "image_too_small",
            Self::UnsupportedImageFormat => "unsupported_image_format",
            Self::ImageDownloadFailed => "image_download_failed",
            Self::Authentication => "authentication",
            Self::PaymentRequired => "payment_required",
            Self::PermissionDenied => "permission_denied",
            Self::NotFound => "not_found",
            Self::ImageNotFound => "image_not_found",
            Self::PreconditionFailed => "precondition_failed",
            Self::PayloadTooLarge => "payload_too_large",
            Self::Unprocessable => "unprocessable",
            Self::RateLimitExceeded => "rate_limit_exceeded",
            Self::Server => "server",
            Self::Unmapped => "unmapped",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderOverloaded => "provider_overloaded",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no error type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no error type")]
pub struct UnknownErrorType(String);

impl FromStr for ErrorType {
    type Err = UnknownErrorType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownErrorType(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_name_and_an_error_status() {
        for kind in ErrorType::ALL {
            assert_eq!(kind.as_str().parse::<ErrorType>().unwrap(), kind);
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
    }
}
