//! The tasks that a prompt may be, and how one is told: by rules where rules are certain (kinds of
//! content, tools, length), by the learned head for the rest.

use std::fmt;

use waystation_core::{Ask, ChatRequest, Json, Modality, Parameter, Role, Tokens};

use crate::{
    Field, Weights,
    prompt::{FEATURES, Figures, Kind, Text},
    weights::Place,
};

/// From here on a prompt is long, in tokens.
const LONG: Tokens = Tokens::new(32_000);
/// A prompt is its last user message; when that is shorter than this, in bytes, the one before it is
/// part of it: "and in French?" says little alone.
const SHORT: usize = 40;

/// A sentence, with two words to choose from, is shorter than so many bits.
const SENTENCE: f32 = 8.3;
/// Below this confidence the output format says more than the words.
const DOUBTFUL: f32 = 0.7;

macro_rules! tasks {
    ($($(#[$doc:meta])* $name:ident $text:literal $answer:literal,)*) => {
        /// The task that a prompt is taken for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Task { $($(#[$doc])* $name,)* }

        impl Task {
            /// Every task.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The task's name in rankings, metadata and configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The length of a usual answer, in tokens: what costs are estimated with.
            #[must_use]
            pub const fn answer(self) -> u64 {
                match self { $(Self::$name => $answer,)* }
            }
        }
    };
}

tasks! {
    /// Code is to be written.
    CodeGeneration "code:generation" 900,
    /// Code does not do what it should.
    CodeDebugging "code:debugging" 700,
    /// Code is to be changed without changing what it does.
    CodeRefactoring "code:refactoring" 900,
    /// Code is to be judged.
    CodeReview "code:review" 700,
    /// What code does is asked.
    CodeExplanation "code:explanation" 500,
    /// Tests are to be written.
    CodeTesting "code:testing" 900,
    /// A database is to be asked.
    CodeSql "code:sql" 350,
    /// Machines, deployments and shells.
    CodeOperations "code:operations" 600,
    /// Pages and their styles.
    CodeWeb "code:web" 1_000,
    /// Systems are to be designed.
    CodeArchitecture "code:architecture" 1_200,
    /// Figures and data are to be read.
    DataAnalysis "data:analysis" 600,
    /// Something is to be calculated or proved.
    Math "math" 600,
    /// Something is to be worked out.
    Reasoning "reasoning" 500,
    /// Something is to be known.
    QaKnowledge "qa_knowledge" 200,
    /// The answer stands in the prompt.
    QaContext "qa_context" 200,
    /// Fields are to be taken out of a text.
    Extraction "extraction" 300,
    /// A text is to be put in a class.
    Classification "classification" 30,
    /// A text is to be made short.
    Summarisation "summarisation" 350,
    /// A text is to be in another language.
    Translation "translation" 350,
    /// A text is to be better.
    Rewriting "rewriting" 350,
    /// Stories, poems, songs.
    CreativeWriting "creative:writing" 900,
    /// Somebody is to be played.
    CreativeRoleplay "creative:roleplay" 300,
    /// Ideas are wanted.
    Brainstorming "creative:brainstorming" 450,
    /// Words that sell.
    Marketing "writing:marketing" 350,
    /// Letters and messages.
    Correspondence "writing:correspondence" 300,
    /// Essays, articles, speeches.
    Essay "writing:essay" 1_000,
    /// A plan for people.
    Planning "planning" 800,
    /// A report with sources.
    ResearchReport "research_report" 1_500,
    /// What to do is asked.
    Advice "advice" 500,
    /// A customer is to be helped.
    CustomerSupport "customer_support" 200,
    /// Something is to be understood.
    Tutoring "tutoring" 600,
    /// Talk.
    Chat "chat" 120,
    /// Many steps, some of them with tools that are to be described first.
    AgentPlanning "agent:multi_step_planning" 900,
    /// The model may call tools.
    AgentTools "agent:tool_use" 300,
    /// Pictures are part of the prompt.
    Vision "vision" 300,
    /// Sound is part of the prompt.
    Audio "audio" 300,
    /// Video is part of the prompt.
    Video "video" 400,
    /// Files are part of the prompt.
    Document "document" 500,
    /// A picture is wanted.
    ImageGeneration "image_generation" 1_300,
    /// A long text is to be read.
    LongContext "long_context" 700,
}

/// What is thought of a prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Features {
    /// The task.
    pub task: Task,
    /// How sure that is, from 0 to 1: 1 where a rule told it.
    pub confidence: f32,
    /// How sure the field of abilities is that the task needs: the confidence of all tasks of that field.
    pub field_confidence: f32,
    /// What the task needs beyond the usual prompt, in logits: the mean over the tasks that it may be, so that
    /// nothing jumps where two of them are as likely.
    pub need: f32,
    /// The length of the answer, in tokens, likewise.
    pub answer: u64,
    /// The estimated need for a strong model, from 0 to 1: roughly the share of prompts that need
    /// one less. It orders prompts; it is no probability.
    pub difficulty: f32,
    /// How much harder than the usual prompt it seems for every model, in logits.
    pub hardness: f32,
    /// How many words ask for care (proofs, designs, edge cases), from 0 towards 1.
    pub demands: f32,
    /// A hash of the prompt's figures. Prompts that look alike may share it; no word can be had from it.
    pub fingerprint: u64,
    /// A letter or a word is asked for, out of those that are given.
    pub(crate) brief: bool,
}

// === impl Task ===

impl Task {
    /// The tasks that the learned head tells apart, in its order.
    pub const LEARNED: [Self; 33] = [
        Self::CodeGeneration,
        Self::CodeDebugging,
        Self::CodeRefactoring,
        Self::CodeReview,
        Self::CodeExplanation,
        Self::CodeTesting,
        Self::CodeSql,
        Self::CodeOperations,
        Self::CodeWeb,
        Self::CodeArchitecture,
        Self::DataAnalysis,
        Self::Math,
        Self::Reasoning,
        Self::QaKnowledge,
        Self::QaContext,
        Self::Extraction,
        Self::Classification,
        Self::Summarisation,
        Self::Translation,
        Self::Rewriting,
        Self::CreativeWriting,
        Self::CreativeRoleplay,
        Self::Brainstorming,
        Self::Marketing,
        Self::Correspondence,
        Self::Essay,
        Self::Planning,
        Self::ResearchReport,
        Self::Advice,
        Self::CustomerSupport,
        Self::Tutoring,
        Self::Chat,
        Self::AgentPlanning,
    ];

    /// The task of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|task| task.as_str() == name)
    }

    /// What it needs beyond the usual prompt, in logits of ability. A rule: an estimate of ours, not learned.
    #[must_use]
    pub const fn need(self) -> f32 {
        match self {
            Self::CodeArchitecture | Self::AgentPlanning => 1.5,
            Self::CodeGeneration
            | Self::CodeDebugging
            | Self::CodeReview
            | Self::CodeRefactoring => 1.0,
            Self::Math | Self::Reasoning | Self::ResearchReport | Self::AgentTools => 1.0,
            Self::CodeTesting | Self::CodeExplanation | Self::CodeSql | Self::DataAnalysis => 0.5,
            Self::CodeOperations | Self::CodeWeb | Self::LongContext | Self::Planning => 0.5,
            Self::Extraction | Self::Summarisation | Self::Translation | Self::Rewriting => -0.5,
            Self::CustomerSupport
            | Self::Correspondence
            | Self::Brainstorming
            | Self::Marketing => -0.5,
            Self::Classification => -1.0,
            Self::Chat => -1.5,
            _ => 0.0,
        }
    }

    /// The length of a usual answer as a number.
    fn usual(self) -> f32 {
        f32::from(u16::try_from(self.answer()).unwrap_or(u16::MAX))
    }

    /// Whether it may be a question with answers to choose from.
    const fn is_question(self) -> bool {
        matches!(
            self,
            Self::Math
                | Self::Reasoning
                | Self::QaKnowledge
                | Self::QaContext
                | Self::CodeExplanation
        )
    }

    /// Whether code is read or written.
    #[must_use]
    pub fn is_code(self) -> bool {
        self.as_str().starts_with("code:")
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl Features ===

impl Features {
    /// Reads a request: the parts that routing knows of, and the bounded text of what the user asks.
    /// Takes time in proportion to that text.
    #[must_use]
    pub fn of(ask: &Ask, chat: &ChatRequest) -> Self {
        Self::read(ask, chat, Weights::bundled()).0
    }

    /// The same, and where the prompt lies for judgements of single models.
    pub(crate) fn read(ask: &Ask, chat: &ChatRequest, weights: &Weights) -> (Self, Place) {
        let (mut features, place) = Self::with_place(&asked(chat), weights);
        if let Some(task) = certain(ask, features.task) {
            (features.task, features.confidence) = (task, 1.0);
            features.field_confidence = 1.0;
            (features.need, features.answer) = (task.need(), task.answer());
        } else if chat.wants_json() && features.confidence < DOUBTFUL {
            features.task = Task::Extraction;
        }
        if thinks(chat) {
            // Who asks for much thinking knows why: half of the way to the hardest.
            features.difficulty = 0.5 + features.difficulty / 2.0;
        }
        (features, place)
    }

    /// Reads a prompt without anything around it.
    #[must_use]
    pub fn of_text(prompt: &str) -> Self {
        Self::with_place(prompt, Weights::bundled()).0
    }

    /// The same, and where the prompt lies.
    fn with_place(prompt: &str, weights: &Weights) -> (Self, Place) {
        let figures = Figures::of(&Text::of(prompt));
        let judged = weights.judge(&figures.values);
        // Where code stands in the prompt, it is about code; where answers to choose from, it is a question.
        let possible = |task: Task| match (figures.has_code, figures.has_options) {
            (true, true) => task == Task::CodeExplanation,
            (true, false) => task.is_code(),
            (false, true) => task.is_question(),
            (false, false) => true,
        };
        let shares = Task::LEARNED.into_iter().zip(judged.tasks);
        let shares = shares.filter(|(task, _)| possible(*task));
        let all = shares.clone().map(|(_, share)| share).sum::<f32>();
        let all = all.max(f32::MIN_POSITIVE);
        let shares = shares.map(|(task, share)| (task, share / all));
        let best = shares.clone().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let (task, confidence) = best.unwrap_or((Task::Chat, 0.0));
        let field = Field::of(task);
        let mean = |of: fn(Task) -> f32| {
            let weighed = shares.clone().map(|(task, share)| share * of(task));
            weighed.sum::<f32>()
        };
        let (need, answer) = (mean(Task::need), mean(Task::usual));
        let kin = shares.filter(|(task, _)| field.is_near(Field::of(*task)));
        let features = Self {
            task,
            confidence,
            need,
            answer: whole(answer),
            field_confidence: kin.map(|(_, share)| share).sum(),
            difficulty: judged.difficulty,
            hardness: judged.hardness,
            demands: figures.demands,
            fingerprint: fingerprint(&figures.values),
            brief: figures.brief || is_sentence_with_blank(&figures.values),
        };
        (features, judged.place)
    }
}

/// Tokens as a whole number of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the mean of answers' lengths"
)]
const fn whole(tokens: f32) -> u64 {
    tokens as u64
}

/// The hash of Fowler, Noll and Vo over the bits of the figures.
fn fingerprint(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The task, where a rule is certain of it. Planning with tools stays planning.
fn certain(ask: &Ask, learned: Task) -> Option<Task> {
    let has = |kind| ask.input.has(kind);
    if ask.output.has(Modality::Image) {
        Some(Task::ImageGeneration)
    } else if has(Modality::Video) {
        Some(Task::Video)
    } else if has(Modality::Audio) {
        Some(Task::Audio)
    } else if has(Modality::Image) {
        Some(Task::Vision)
    } else if has(Modality::File) {
        Some(Task::Document)
    } else if ask.parameters.has(Parameter::Tools) {
        let plans = matches!(learned, Task::Planning | Task::AgentPlanning);
        Some(if plans {
            Task::AgentPlanning
        } else {
            Task::AgentTools
        })
    } else if ask.prompt_at_least > LONG {
        Some(Task::LongContext)
    } else {
        None
    }
}

/// The last user message, with the one before it where it is short.
fn asked(chat: &ChatRequest) -> String {
    let (mut before, mut last) = (None, None);
    for message in chat
        .messages()
        .filter(|message| message.role() == Role::User)
    {
        before = last.replace(message);
    }
    let text = last.map(|message| message.text()).unwrap_or_default();
    match before {
        Some(before) if text.len() < SHORT => format!("{}\n{text}", before.text()),
        _ => text.into_owned(),
    }
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

/// Whether a sentence has a blank, or two words to choose from. What fills it is a word, also where nobody says so; of a longer
/// text with a blank that is not certain.
fn is_sentence_with_blank(figures: &[f32; FEATURES]) -> bool {
    let [length, ..] = *figures;
    length < SENTENCE && Kind::of(figures) == Kind::Cloze
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for task in Task::ALL {
            assert_eq!(Task::named(task.as_str()), Some(*task));
        }
        assert_eq!(Task::named("nonsense"), None);
    }

    #[test]
    fn an_answer_is_brief_where_it_is_chosen_and_nothing_else_is_asked_for() {
        let question = "Which metal is liquid at room temperature?\nA) iron\nB) mercury\nC) tin";
        let ends = [
            "\nAnswer:",
            "\nPrint only a single choice from \"A\" or \"B\" without explanation.\nAnswer:",
            "\nGive the letter only.",
        ];
        for end in ends {
            assert!(
                Features::of_text(&format!("{question}{end}")).brief,
                "{end}"
            );
        }
        assert!(!Features::of_text(question).brief);
        assert!(
            !Features::of_text("Mia has 3 bags of 12 marbles. How many is that?\nAnswer:").brief
        );
        assert!(Features::of_text("The box fits the bag because the _ is small.").brief);
    }
}
