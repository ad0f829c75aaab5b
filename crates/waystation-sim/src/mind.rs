//! What a simulated model says: words, reasoning, tool calls or JSON, decided by the question's
//! hash alone. It never pretends: every text says that it is simulated.
//!
//! # How an answer comes about
//!
//! 1. The question's hash and the number of the choice start a [`Draw`]; every decision below takes its
//!    chance from there, in this order, so that equal questions get equal answers.
//! 2. Where reasoning is wanted, a line of thoughts about the prompt's start.
//! 3. Calls, if the person spoke last: never right after a tool's result, so that a loop of tools ends
//!    after one round.
//! 4. Only without calls, words: plain ones, or JSON as the format says. Where the host's own search is
//!    wished for, they tell of one ([`crate::search`]).
//! 5. The words end before the first stop text that stands in them; the earliest place counts, not the
//!    first of the list. Thoughts and arguments are not searched, as hosts do not.
//! 6. The limit breaks off what is too long, in the order thoughts, words, calls, and overrules the
//!    stop text: the reason is then the limit.
//!
//! # Which tools are called
//!
//! | choice | tools |
//! |---|---|
//! | none | none |
//! | auto | those whose name shares a telling word with the prompt; if none does, those whose description does |
//! | required | the same; the first tool where there is none |
//! | named | that one |
//!
//! At most four of them, and one where parallel calls are not wanted. Arguments are made from the
//! schema ([`crate::schema`]); a tool without one gets `{}`.

use waystation_core::{FinishReason, ObjectWriter};

use crate::{
    asked::{Asked, Choice, Format, Last, Tool, tokens},
    draw::Draw,
    prompt::Prompt,
    schema::{self, Wish},
    search::Search,
};

/// One answer of a simulated model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Thoughts before the answer; empty when none were wanted.
    pub(crate) reasoning: String,
    /// The words; `None` beside tool calls.
    pub(crate) text: Option<String>,
    /// Calls of tools.
    pub(crate) calls: Vec<Called>,
    /// The search that the host ran for the words.
    pub(crate) search: Option<Search>,
    /// Why it ended.
    pub(crate) finish: FinishReason,
    /// The stop text that it ended before, for wires that tell.
    pub(crate) stopped: Option<String>,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Called {
    /// The function's name.
    pub(crate) name: String,
    /// JSON text, broken off where the limit on output was met.
    pub(crate) arguments: String,
}

/// The most calls in one answer.
const MAX_CALLS: usize = 4;
/// The longest part of a prompt that an answer repeats, in characters.
const ECHO: usize = 160;

/// Answers `asked`; each `choice` (counted from 0) in other words.
pub(crate) fn answer(asked: &Asked<'_>, choice: u64) -> Said {
    let mut draw = Draw::new(asked.key ^ choice.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let reasoning = if asked.reasoning {
        think(asked, &mut draw)
    } else {
        String::new()
    };
    let calls = calls(asked, &mut draw);
    let search = Search::of(asked).filter(|_| calls.is_empty());
    let text = calls
        .is_empty()
        .then(|| text(asked, search.as_ref(), &mut draw));
    let finish = if calls.is_empty() {
        FinishReason::Stop
    } else {
        FinishReason::ToolCalls
    };
    let mut said = Said {
        reasoning,
        text,
        calls,
        search,
        finish,
        stopped: None,
    };
    said.stop_before(&asked.stop);
    if let Some(limit) = asked.limit {
        said.keep_within(limit);
    }
    said
}

// === impl Said ===

impl Said {
    /// Tokens of everything said.
    pub(crate) fn tokens(&self) -> u64 {
        let text = tokens(self.text.as_ref().map_or(0, String::len));
        let calls = self.calls.iter().map(Called::tokens).sum::<u64>();
        tokens(self.reasoning.len()) + text + calls
    }

    /// Ends the words before the first of `stop`.
    fn stop_before(&mut self, stop: &[String]) {
        let Some(text) = &mut self.text else {
            return;
        };
        let stops = stop.iter().filter(|stop| !stop.is_empty());
        let places = stops.filter_map(|stop| Some((text.find(&**stop)?, stop)));
        if let Some((first, stop)) = places.min_by_key(|(place, _)| *place) {
            text.truncate(first);
            self.stopped = Some(stop.clone());
        }
    }

    /// Breaks off after `limit` tokens, reasoning first, and says so.
    fn keep_within(&mut self, limit: u64) {
        if self.tokens() <= limit {
            return;
        }
        (self.finish, self.stopped) = (FinishReason::Length, None);
        let mut left = limit;
        keep(&mut self.reasoning, &mut left);
        if let Some(text) = &mut self.text {
            keep(text, &mut left);
        }
        self.calls.retain_mut(|call| {
            let name = tokens(call.name.len());
            if name > left {
                left = 0;
                return false;
            }
            left -= name;
            keep(&mut call.arguments, &mut left);
            true
        });
    }
}

impl Called {
    /// Tokens of name and arguments.
    fn tokens(&self) -> u64 {
        tokens(self.name.len()) + tokens(self.arguments.len())
    }
}

/// Keeps what `left` tokens hold of `text`, at a character boundary, and takes them off.
///
/// A text may lose up to three bytes more than the limit says: half a character is no text.
fn keep(text: &mut String, left: &mut u64) {
    let bytes = usize::try_from(left.saturating_mul(4)).unwrap_or(usize::MAX);
    text.truncate(text.floor_char_boundary(bytes));
    *left = left.saturating_sub(tokens(text.len()));
}

/// The thoughts before an answer.
fn think(asked: &Asked<'_>, draw: &mut Draw) -> String {
    let plans = [
        "No model runs here, so the answer has to say that it is simulated.",
        "There is nothing to look up; a short and honest simulated answer will do.",
        "I can reflect the request and say plainly that this is a simulation.",
    ];
    let plan = draw.pick(&plans).unwrap_or_default();
    let topic = excerpt(&asked.prompt);
    format!("The request is about \"{topic}\". {plan}")
}

/// The words of an answer, in the form that was asked for.
fn text(asked: &Asked<'_>, search: Option<&Search>, draw: &mut Draw) -> String {
    match asked.format {
        Format::Text => plain(asked, search, draw),
        Format::Object => {
            let mut out = Vec::new();
            let mut object = ObjectWriter::open(&mut out);
            object
                .bool("simulated", true)
                .string("model", &asked.model)
                .string("answer", &plain(asked, search, draw));
            object.close();
            String::from_utf8(out).unwrap_or_default()
        }
        Format::Schema(schema) => {
            let prompt = Prompt::of(&asked.prompt);
            schema::satisfy(schema, &Wish::whole(&prompt, draw.next()))
        }
    }
}

/// Plain words: that they are simulated, results of tools, the prompt's start, what else it holds,
/// what the host's own search found, and a closing line that the question's hash picks.
fn plain(asked: &Asked<'_>, search: Option<&Search>, draw: &mut Draw) -> String {
    let mut text = if let Last::Model = asked.last {
        String::from("... and, continuing: this is a simulated answer")
    } else {
        String::from("This is a simulated answer")
    };
    if !asked.model.is_empty() {
        text.push_str(" in place of ");
        text.push_str(&asked.model);
    }
    text.push_str("; no model was asked. ");
    if let Last::Tools(results) = &asked.last {
        for result in results {
            text.push_str(&reported(result));
            text.push(' ');
        }
    }
    if let Some((host, url)) = found(&asked.prompt) {
        text.push_str(&format!("A search found [{host}]({url}). "));
    }
    if !asked.prompt.trim().is_empty() {
        text.push_str(&format!("You wrote: \"{}\". ", excerpt(&asked.prompt)));
    }
    if let Some(media) = asked.media.words() {
        text.push_str(&format!("Your message also holds {media}. "));
    }
    if let Some(search) = search {
        text.push_str(&search.sentences());
    }
    let endings = [
        "Set a provider's key and the same request reaches the real model.",
        "Streaming, tools, JSON mode and usage work here as they do with a real provider.",
        "Everything around the words, from routing to token counts, is the real thing.",
        "The same request always gets the same simulated answer.",
    ];
    text.push_str(draw.pick(&endings).unwrap_or_default());
    text
}

/// The first result of a search that stands in the prompt: its host and its address.
fn found(prompt: &str) -> Option<(&str, &str)> {
    let (_, after) = prompt.split_once("<result url=\"")?;
    let (url, _) = after.split_once('"')?;
    let (_, rest) = url.split_once("://")?;
    Some((rest.split('/').next()?, url))
}

/// A tool's result as a sentence.
///
/// An object's first six members are told by name (`The tool says that city is Oslo and degrees is
/// 7.`); anything else as it is, shortened. Tests of tool loops look for these words: they show that
/// the result came back to the model.
fn reported(result: &str) -> String {
    let members = waystation_core::Json::parse(result.as_bytes()).ok();
    let pairs: Vec<String> = members
        .into_iter()
        .flat_map(waystation_core::Json::members)
        .take(6)
        .map(|(key, value)| {
            let value = value.string().unwrap_or_else(|| value.text());
            format!("{} is {}", key.name(), excerpt(&value))
        })
        .collect();
    match pairs.split_last() {
        None => format!("The tool says: {}.", excerpt(result)),
        Some((only, [])) => format!("The tool says that {only}."),
        Some((last, rest)) => format!("The tool says that {} and {last}.", rest.join(", ")),
    }
}

/// The start of `text` on one line.
pub(crate) fn excerpt(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(ECHO) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// The tools that the answer calls: none after a tool's result.
fn calls(asked: &Asked<'_>, draw: &mut Draw) -> Vec<Called> {
    if asked.last != Last::Person {
        return Vec::new();
    }
    let prompt = Prompt::of(&asked.prompt);
    let spoken_of = |asked: &Asked<'_>| -> Vec<usize> {
        let named = |tool: &Tool<'_>| prompt.speaks_of(&tool.name);
        let by_name = places(&asked.tools, named);
        if by_name.is_empty() {
            let described = |tool: &Tool<'_>| prompt.speaks_of(&tool.description);
            places(&asked.tools, described)
        } else {
            by_name
        }
    };
    let mut chosen = match &asked.choice {
        Choice::None => Vec::new(),
        Choice::Named(name) => places(&asked.tools, |tool| tool.name == **name),
        Choice::Auto => spoken_of(asked),
        Choice::Required => {
            let spoken_of = spoken_of(asked);
            if spoken_of.is_empty() && !asked.tools.is_empty() {
                vec![0]
            } else {
                spoken_of
            }
        }
    };
    chosen.truncate(if asked.parallel { MAX_CALLS } else { 1 });
    let tools = chosen.into_iter().filter_map(|at| asked.tools.get(at));
    tools
        .map(|tool| Called {
            name: tool.name.to_string(),
            arguments: match tool.parameters {
                Some(schema) => schema::satisfy(schema, &Wish::arguments(&prompt, draw.next())),
                None => "{}".into(),
            },
        })
        .collect()
}

/// Where in `tools` those stand for which `holds`.
fn places(tools: &[Tool<'_>], holds: impl Fn(&Tool<'_>) -> bool) -> Vec<usize> {
    let tools = tools.iter().enumerate();
    let held = tools.filter(|(_, tool)| holds(tool));
    held.map(|(at, _)| at).collect()
}

/// Cuts a text into the pieces that a stream of it has: about a word each, with the space before
/// it. The pieces together are the text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    /// Longer words are cut, so that scripts without spaces stream too.
    const LONGEST: usize = 12;
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut in_word = false;
        let end = rest
            .char_indices()
            .find(|(at, character)| {
                let ends = in_word && (character.is_whitespace() || *at >= LONGEST);
                in_word |= !character.is_whitespace();
                ends
            })
            .map_or(rest.len(), |(at, _)| at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests;
