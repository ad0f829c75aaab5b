//! The request parameters that endpoints list as supported, as a set of bits.

use std::fmt;

macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// A request parameter that an endpoint may or may not support.
        ///
        /// Source: API contract, section 3.4 (the Parameter vocabulary).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Parameter { $(#[doc = concat!("`", $text, "`.")] $name),* }

        impl Parameter {
            /// Every parameter.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The member's name in a request.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The parameter called `text`.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

// === impl Parameter ===

impl Parameter {
    /// The same as [`named`](Self::named), for tables that are made at build.
    #[expect(
        clippy::indexing_slicing,
        reason = "checked by the compiler: this runs at build"
    )]
    pub(crate) const fn at_build(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let mut at = 0;
        while at < Self::ALL.len() {
            let name = Self::ALL[at].as_str().as_bytes();
            let mut same = 0;
            while same < name.len() && same < text.len() && name[same] == text[same] {
                same += 1;
            }
            if same == name.len() && same == text.len() {
                return Some(Self::ALL[at]);
            }
            at += 1;
        }
        None
    }
}

parameters! {
    Temperature = "temperature",
    TopP = "top_p",
    TopK = "top_k",
    MinP = "min_p",
    TopA = "top_a",
    FrequencyPenalty = "frequency_penalty",
    PresencePenalty = "presence_penalty",
    RepetitionPenalty = "repetition_penalty",
    MaxTokens = "max_tokens",
    MaxCompletionTokens = "max_completion_tokens",
    LogitBias = "logit_bias",
    Logprobs = "logprobs",
    TopLogprobs = "top_logprobs",
    Prediction = "prediction",
    Seed = "seed",
    ResponseFormat = "response_format",
    StructuredOutputs = "structured_outputs",
    Stop = "stop",
    Tools = "tools",
    ToolChoice = "tool_choice",
    ParallelToolCalls = "parallel_tool_calls",
    IncludeReasoning = "include_reasoning",
    Reasoning = "reasoning",
    ReasoningEffort = "reasoning_effort",
    WebSearchOptions = "web_search_options",
    Verbosity = "verbosity",
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ParameterSet(u32);

// === impl ParameterSet ===

impl ParameterSet {
    /// No parameter.
    pub const EMPTY: Self = Self(0);
    /// Every parameter: what an endpoint of unknown abilities is taken to support.
    pub const ALL: Self = Self((1 << Parameter::ALL.len()) - 1);

    /// The set with `parameter` in it.
    #[must_use]
    pub const fn with(self, parameter: Parameter) -> Self {
        Self(self.0 | 1 << parameter as u8)
    }

    /// The set without `parameter`.
    #[must_use]
    pub const fn without(self, parameter: Parameter) -> Self {
        Self(self.0 & !(1 << parameter as u8))
    }

    /// Whether `parameter` itself is in the set.
    #[must_use]
    pub const fn has(self, parameter: Parameter) -> bool {
        self.0 >> parameter as u8 & 1 == 1
    }

    /// Whether an endpoint with this set takes `parameter`: it lists it, or lists its other
    /// spelling (`max_tokens` and `max_completion_tokens`; the three reasoning switches), or the
    /// parameter it belongs to (`top_logprobs` to `logprobs`, `parallel_tool_calls` to `tools`).
    #[must_use]
    pub const fn takes(self, parameter: Parameter) -> bool {
        use Parameter as P;
        match parameter {
            P::MaxTokens | P::MaxCompletionTokens => {
                self.has(P::MaxTokens) || self.has(P::MaxCompletionTokens)
            }
            P::Reasoning | P::ReasoningEffort | P::IncludeReasoning => {
                self.has(P::Reasoning)
                    || self.has(P::ReasoningEffort)
                    || self.has(P::IncludeReasoning)
            }
            P::TopLogprobs => self.has(P::TopLogprobs) || self.has(P::Logprobs),
            P::ToolChoice | P::ParallelToolCalls => self.has(parameter) || self.has(P::Tools),
            P::ResponseFormat => self.has(P::ResponseFormat) || self.has(P::StructuredOutputs),
            other => self.has(other),
        }
    }

    /// The parameters in the set, in the vocabulary's order.
    pub fn iter(self) -> impl Iterator<Item = Parameter> {
        Parameter::ALL
            .iter()
            .copied()
            .filter(move |parameter| self.has(*parameter))
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Parameter> for ParameterSet {
    fn from_iter<I: IntoIterator<Item = Parameter>>(parameters: I) -> Self {
        parameters.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ParameterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Parameter::as_str))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits_agree() {
        for parameter in Parameter::ALL {
            assert_eq!(Parameter::named(parameter.as_str()), Some(*parameter));
            assert!(ParameterSet::ALL.has(*parameter));
        }
        let set: ParameterSet = [Parameter::MaxTokens].into_iter().collect();
        assert!(
            set.takes(Parameter::MaxCompletionTokens) && !set.has(Parameter::MaxCompletionTokens)
        );
    }
}
