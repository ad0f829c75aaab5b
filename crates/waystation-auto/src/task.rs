//! What a request asks for, by what can be seen with certainty: kinds of content, tools, formats,
//! code, length, and a few telling words. It understands nothing.

use std::fmt;

use waystation_core::{Ask, ChatRequest, Json, Modality, Parameter, Role, Tokens};

/// No more of a prompt is searched for words: what it asks for stands at its start or its end.
const SEARCHED: usize = 8_192;
/// From here on a prompt is long, in tokens.
const LONG: Tokens = Tokens::new(16_000);

/// The task that a prompt is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Task {
    /// Pictures, sound, video or files are part of the prompt.
    Multimodal,
    /// The model may call tools.
    Agent,
    /// Code is in the prompt, or asked for.
    Code,
    /// A calculation or a proof.
    Math,
    /// The answer is to be JSON.
    Extraction,
    /// A long text is to be read.
    LongContext,
    /// Anything else.
    Chat,
}

/// What the rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The task.
    pub task: Task,
    /// The estimated need for a strong model, from 0 to 1,000.
    pub difficulty: u16,
}

/// Words of people who want code. Found anywhere in the text, so stems will do; English, as most
/// words of programming are in any language.
const CODE: &[&str] = &[
    "function",
    "compile",
    "refactor",
    "debug",
    "stack trace",
    "unit test",
    "algorithm",
    "regex",
    "sql",
    "python",
    "rust",
    "javascript",
    "typescript",
    "java ",
    "c++",
    "golang",
    "leetcode",
    "implement",
    "codebase",
    "segfault",
    "api endpoint",
];
/// Words of people who want a calculation or a proof.
const MATH: &[&str] = &[
    "prove",
    "proof",
    "theorem",
    "lemma",
    "integral",
    "derivative",
    "equation",
    "polynomial",
    "probability",
    "eigenvalue",
    "solve for",
    "\\frac",
    "\\sum",
    "modulo",
];
/// Words of tasks that weak models do badly.
const HARD: &[&str] = &[
    "step by step",
    "trade-off",
    "tradeoff",
    "optimi",
    "concurren",
    "distributed",
    "lock-free",
    "deadlock",
    "complexity",
    "rigorous",
    "architecture",
    "race condition",
    "np-hard",
    "formal",
    "in depth",
    "edge cases",
    "prove",
    "analyze",
    "analyse",
    "compare",
];

// === impl Task ===

impl Task {
    /// The task's name in rankings and metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Multimodal => "multimodal",
            Self::Agent => "agent",
            Self::Code => "code",
            Self::Math => "math",
            Self::Extraction => "extraction",
            Self::LongContext => "long_context",
            Self::Chat => "chat",
        }
    }

    /// The need for a strong model before anything else is known, from 0 to 1,000.
    const fn base(self) -> u16 {
        match self {
            Self::Math => 600,
            Self::Code | Self::Agent => 500,
            Self::LongContext => 400,
            Self::Multimodal => 350,
            Self::Extraction => 250,
            Self::Chat => 150,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Features ===

impl Features {
    /// Reads a request: the parts that routing knows of, and the words of the last user message.
    /// Takes time in proportion to the prompt.
    #[must_use]
    pub fn of(ask: &Ask, chat: &ChatRequest) -> Self {
        let asked = chat
            .messages()
            .filter(|message| message.role() == Role::User)
            .last();
        let text = asked.map(|message| message.text()).unwrap_or_default();
        let words = ends(&text).to_lowercase();
        let count = |list: &[&str]| list.iter().filter(|word| words.contains(**word)).count();
        let fenced = words.contains("```");
        let task = if ask.input.iter().any(|kind| kind != Modality::Text) {
            Task::Multimodal
        } else if ask.parameters.has(Parameter::Tools) {
            Task::Agent
        } else if fenced || count(CODE) > 0 {
            Task::Code
        } else if count(MATH) > 0 {
            Task::Math
        } else if chat.wants_json() {
            Task::Extraction
        } else if ask.prompt_at_least > LONG {
            Task::LongContext
        } else {
            Task::Chat
        };
        let mut difficulty = task.base();
        difficulty += bounded(count(HARD), 3, 100);
        difficulty += bounded(count(CODE) + count(MATH), 4, 40);
        difficulty += bounded(text.len() / 1_000, 3, 50);
        if thinks(chat) {
            difficulty += 200;
        }
        Self {
            task,
            difficulty: difficulty.min(1_000),
        }
    }
}

/// `each` for every one of `count`, at most `most` times.
fn bounded(count: usize, most: u16, each: u16) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX).min(most) * each
}

/// Whether the request asks for much reasoning.
fn thinks(chat: &ChatRequest) -> bool {
    let effort = chat.get("reasoning_effort").or_else(|| {
        chat.get("reasoning")
            .and_then(|object| object.get("effort"))
    });
    let effort = effort.and_then(Json::string);
    matches!(effort.as_deref(), Some("high" | "xhigh" | "max"))
}

/// The start and the end of a long text, whole of a short one.
fn ends(text: &str) -> String {
    if text.len() <= 2 * SEARCHED {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(SEARCHED);
    let tail = text.ceil_char_boundary(text.len() - SEARCHED);
    let (head, tail) = (text.get(..head), text.get(tail..));
    format!("{}\n{}", head.unwrap_or_default(), tail.unwrap_or_default())
}
