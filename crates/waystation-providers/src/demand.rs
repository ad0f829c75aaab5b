//! What a request asks for, apart from any dialect: which parameters the endpoint takes, which tools
//! leave, what form the answer is to have, how much to think, and what goes through untouched. For
//! dialects that write a body of their own; how each thing is spelled is theirs to know.
//!
//! Three rules hold for all of them. A parameter of the vocabulary that the endpoint does not list is
//! left out, silently (API contract, section 1.1). A member that no vocabulary knows goes to the
//! provider as it came. What stands in `provider.options[slug]` is said instead of what would be
//! written, except for what the gateway answers for.

use std::borrow::Cow;

use waystation_core::{
    ChatRequest, Effort, Json, Kind, Note, ObjectWriter, Parameter, ParameterSet, Reasoning,
    ServiceTier, Target,
};

use crate::search::Search;

/// The answer length that budgets are reckoned against when neither the request nor the catalogue
/// gives one.
const USUAL_OUTPUT: u64 = 32_768;

/// Members of a chat request that mean the same everywhere. Other members are a provider's own and
/// go to it as they came.
const VOCABULARY: &[&str] = &[
    "model",
    "models",
    "route",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "usage",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "top_a",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "user",
    "session_id",
    "prompt_cache_key",
    "metadata",
    "trace",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "stop_server_tools_when",
    "deferred_tools",
    "functions",
    "function_call",
    "response_format",
    "structured_outputs",
    "reasoning",
    "reasoning_effort",
    "include_reasoning",
    "verbosity",
    "prediction",
    "modalities",
    "audio",
    "image_config",
    "web_search_options",
    "x_search_filter",
    "cache_control",
    "service_tier",
    "provider",
    "plugins",
    "transforms",
    "preset",
    "debug",
    "waystation",
];

/// What one request asks of one endpoint.
#[derive(Debug)]
pub(crate) struct Demand<'a> {
    /// The request.
    pub(crate) chat: &'a ChatRequest,
    /// The endpoint, and how it is reached.
    pub(crate) to: &'a Target<'a>,
    /// What the endpoint takes.
    pub(crate) takes: ParameterSet,
    /// What the client says about reasoning.
    pub(crate) reasoning: Option<Reasoning>,
    /// The search of the web that the provider is to run.
    pub(crate) search: Option<Search<'a>>,
    /// The members for this provider alone.
    options: Option<Json<'a>>,
    /// Members that no option can replace.
    reserved: &'static [&'static str],
}

/// The form that the answer is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// Text.
    Free,
    /// Any JSON object.
    Object,
    /// JSON of a schema: `json_schema` as the client sent it, with name, schema and strictness.
    Schema(Json<'a>),
}

/// The tool that is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    /// As the model likes; what hosts do unasked.
    Auto,
    /// None.
    None,
    /// Some.
    Required,
    /// This function.
    Function(Cow<'a, str>),
    /// A choice of another type, for the host to judge.
    Other(Json<'a>),
}

// === impl Demand ===

impl<'a> Demand<'a> {
    /// Looks at a request on its way to `to`. The provider's own options replace what is written,
    /// except for `reserved`; one that tries is noted.
    pub(crate) fn of(
        chat: &'a ChatRequest,
        to: &'a Target<'a>,
        reserved: &'static [&'static str],
        notes: &mut Vec<Note>,
    ) -> Self {
        let provider = to.endpoint.provider.as_str();
        let options = chat
            .get("provider")
            .and_then(|preferences| preferences.at(&["options", provider]))
            .filter(|options| options.kind() == Kind::Object);
        for (key, _) in options.into_iter().flat_map(Json::members) {
            if reserved.contains(&&*key.name()) {
                let field = format!("provider.options.{provider}.{}", key.name());
                note(notes, &field, "left out: the gateway sets this member");
            }
        }
        let takes = to.endpoint.parameters;
        let reasoning = chat.reasoning();
        Self {
            chat,
            to,
            takes,
            reasoning: reasoning.filter(|_| takes.takes(Parameter::Reasoning)),
            search: Search::of(chat, takes),
            options,
            reserved,
        }
    }

    /// The value of a parameter that was sent and that the endpoint takes.
    pub(crate) fn get(&self, parameter: Parameter) -> Option<Json<'a>> {
        self.chat
            .get(parameter.as_str())
            .filter(|_| self.takes.takes(parameter))
    }

    /// The limit on the answer, in tokens, if the client sets one and the endpoint takes it.
    pub(crate) fn limit(&self) -> Option<u64> {
        let limit = self.chat.max_output()?;
        self.takes
            .takes(Parameter::MaxTokens)
            .then_some(limit.get())
    }

    /// The answer length that budgets are reckoned against, in tokens.
    pub(crate) fn output(&self) -> u64 {
        let known = self.chat.max_output().or(self.to.endpoint.max_output);
        known.map_or(USUAL_OUTPUT, |tokens| tokens.get())
    }

    /// The level of reasoning asked for; a budget becomes the nearest level, a bare switch the
    /// usual one.
    pub(crate) fn effort(&self) -> Option<Effort> {
        let wish = self.reasoning?;
        match (wish.wanted()?, wish.effort, wish.max_tokens) {
            (false, _, _) => Some(Effort::None),
            (true, Some(effort), _) => Some(effort),
            (true, None, Some(budget)) => Some(Effort::nearest(budget, self.output())),
            (true, None, None) => Some(Effort::Medium),
        }
    }

    /// The thinking budget asked for, in tokens; a level becomes its share of the answer, a bare
    /// switch the usual one. Zero where no reasoning is wanted.
    pub(crate) fn budget(&self) -> Option<u64> {
        let wish = self.reasoning?;
        if !wish.wanted()? {
            return Some(0);
        }
        let level = wish.effort.unwrap_or(Effort::Medium);
        Some(
            wish.max_tokens
                .unwrap_or_else(|| level.budget(self.output())),
        )
    }

    /// Whether the client does not want to see reasoning.
    pub(crate) fn hides_reasoning(&self) -> bool {
        self.chat.reasoning().is_some_and(|wish| wish.exclude)
    }

    /// The tools that leave: all but those that the gateway runs itself.
    pub(crate) fn tools(&self) -> impl Iterator<Item = Json<'a>> + use<'a> {
        let takes = self.takes.takes(Parameter::Tools);
        let tools = self.chat.get("tools").filter(|_| takes);
        tools
            .into_iter()
            .flat_map(Json::elements)
            .filter(|tool| !is_server_tool(*tool))
    }

    /// Which tool is to be called; `None` when nothing is said, or no tool leaves.
    pub(crate) fn tool_choice(&self) -> Option<Choice<'a>> {
        let choice = self.get(Parameter::ToolChoice)?;
        if is_server_tool(choice) || self.tools().next().is_none() {
            return None;
        }
        Some(match choice.string().as_deref() {
            Some("none") => Choice::None,
            Some("required" | "any") => Choice::Required,
            Some(_) => Choice::Auto,
            None => match choice.at(&["function", "name"]).and_then(Json::string) {
                Some(name) => Choice::Function(name),
                None => Choice::Other(choice),
            },
        })
    }

    /// Whether several tools may be called at once; `None` when nothing is said, or no tool leaves.
    pub(crate) fn parallel(&self) -> Option<bool> {
        self.tools().next()?;
        self.get(Parameter::ParallelToolCalls)?.bool()
    }

    /// The form that the answer is to have. One that the endpoint does not have is left out, with a
    /// note, as the contract wants it (section 1.5).
    pub(crate) fn form(&self, notes: &mut Vec<Note>) -> Form<'a> {
        let Some(format) = self.chat.get("response_format") else {
            return Form::Free;
        };
        let kind = format.get("type").and_then(Json::string);
        let takes = |parameter| self.takes.takes(parameter);
        let form = match (kind.as_deref(), format.get("json_schema")) {
            (Some("text"), _) => return Form::Free,
            (Some("json_schema"), Some(schema)) if takes(Parameter::StructuredOutputs) => {
                Some(Form::Schema(schema))
            }
            (Some("json_object"), _) if takes(Parameter::ResponseFormat) => Some(Form::Object),
            _ => None,
        };
        form.unwrap_or_else(|| {
            let what = "left out: the endpoint has no such formats";
            note(notes, "response_format", what);
            Form::Free
        })
    }

    /// The tier that is to serve, in the word of the endpoint, or the host's own word that the
    /// client knows and routing does not.
    pub(crate) fn service_tier(&self) -> Option<Cow<'a, str>> {
        if let Some(tier) = self.to.endpoint.service_tier {
            return Some(Cow::Borrowed(tier.as_str()));
        }
        let word = self.chat.get("service_tier")?.string()?;
        word.parse::<ServiceTier>().is_err().then_some(word)
    }

    /// Whether a member is said already: by the provider's own options.
    pub(crate) fn overridden(&self, name: &str) -> bool {
        !self.reserved.contains(&name)
            && self
                .options
                .is_some_and(|options| options.get(name).is_some())
    }

    /// A member that means something to this provider alone: an option of its own, else a member of
    /// the request that no vocabulary knows.
    pub(crate) fn own(&self, name: &str) -> Option<Json<'a>> {
        let option = self.options.and_then(|options| options.get(name));
        let option = option.filter(|_| !self.reserved.contains(&name));
        // What the gateway knows is in the vocabulary; more is.
        let unknown = || self.chat.get_unknown(name);
        option.or_else(|| unknown().filter(|_| !VOCABULARY.contains(&name)))
    }

    /// Members for the provider as they came, key and value: those of the request that no vocabulary
    /// knows, then the provider's own options, which win.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = (Cow<'a, str>, Json<'a>)> + '_ {
        let unknown = self
            .chat
            .unknown()
            .filter(|(name, _)| !VOCABULARY.contains(&&**name) && !self.overridden(name));
        let options = self.options.into_iter().flat_map(Json::members);
        let options = options.map(|(key, value)| (key.name(), value));
        unknown
            .chain(options)
            .filter(|(name, _)| !self.reserved.contains(&&**name))
    }

    /// Writes a member, unless the client says it in the provider's own words, as an option or as a
    /// member that no vocabulary knows: no member leaves twice.
    pub(crate) fn put(&self, object: &mut ObjectWriter<'_>, name: &str, value: &[u8]) {
        if self.own(name).is_none() {
            object.raw(name, value);
        }
    }

    /// Writes a parameter under another name, if it was sent and the endpoint takes it.
    pub(crate) fn pass(&self, object: &mut ObjectWriter<'_>, from: Parameter, name: &str) {
        if let Some(value) = self.get(from) {
            self.put(object, name, value.bytes());
        }
    }
}

// === impl Form ===

impl<'a> Form<'a> {
    /// The schema itself; `None` when any JSON will do, or none is wanted.
    pub(crate) fn schema(self) -> Option<Json<'a>> {
        match self {
            Self::Schema(named) => named.get("schema").filter(|schema| !schema.is_null()),
            Self::Free | Self::Object => None,
        }
    }

    /// The form as an instruction, for endpoints that have no such formats.
    pub(crate) fn instruction(self) -> Option<String> {
        if self == Self::Free {
            return None;
        }
        let mut told =
            "Answer with one JSON object and nothing else: no prose, no code fence.".to_owned();
        if let Some(schema) = self.schema() {
            told.push_str(" It must be valid by this JSON Schema: ");
            told.push_str(&schema.text());
        }
        Some(told)
    }
}

/// Whether a tool, or a choice of one, names a tool that the gateway runs itself.
pub(crate) fn is_server_tool(tool: Json<'_>) -> bool {
    tool.get("type")
        .and_then(Json::string)
        .is_some_and(|kind| kind.starts_with("openrouter:") || kind.starts_with("waystation:"))
}

/// Says in a note what encoding changed.
pub(crate) fn note(notes: &mut Vec<Note>, field: &str, what: impl Into<String>) {
    notes.push(Note {
        field: field.into(),
        what: what.into(),
    });
}
