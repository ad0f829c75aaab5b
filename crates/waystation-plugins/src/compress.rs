//! Makes a conversation fit: into so many tokens, and into so many messages. What a request allows
//! and an endpoint needs is [`crate::ContextCompression`]'s business.

mod extract;
mod gap;
mod groups;
mod message;
mod middle;

use waystation_core::{Json, Kind, RawJson, Role, TokenCounter, Tokens};

use groups::Group;
use message::Item;

/// What a conversation has to fit into.
///
/// `tokens` bounds the estimate of [`size`], not what a provider will count; the estimate is the
/// larger of two, so that it rather errs towards too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The most tokens that all messages together may come to.
    pub tokens: Tokens,
    /// The most messages, where there is such a limit.
    pub messages: Option<usize>,
}

/// How to choose what goes.
///
/// Both keep what [`compress`] promises: neither cuts a system message, nor parts a call from its
/// results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// The middle goes first: whole turns, then the middle of a text.
    ///
    /// What was said first and last matters most: tasks are set at the beginning, and the last turns are
    /// what the next one answers. Source: API contract, section 7.4.
    #[default]
    MiddleOut,
    /// Sentences that share nothing with the last question go first.
    ///
    /// For long documents with a question behind them; sentences stay whole and in their order.
    Extract,
}

/// A conversation that fits now.
///
/// `before - after` messages were taken out whole; with `shortened` that is what the gateway reports as
/// compressed. Both counts include system messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The messages, a JSON array. Those that were not cut are the same, byte for byte.
    pub messages: RawJson,
    /// How many messages there were.
    pub before: usize,
    /// How many there are.
    pub after: usize,
    /// How many of those that are left were shortened.
    pub shortened: usize,
    /// The tokens before, as estimated.
    pub tokens_before: Tokens,
    /// The tokens now.
    pub tokens_after: Tokens,
}

/// What must stay does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "what must stay of the prompt is about {least} tokens in {messages} messages, and {room} tokens are free"
)]
/// ```
/// use waystation_core::{Json, Tokens};
/// use waystation_plugins::{Engine, Room, compress};
/// use waystation_tokens::ByteBounds;
///
/// let rules = "Never say more than you were asked. ".repeat(50);
/// let text = format!(r#"[{{"role": "system", "content": "{rules}"}}, {{"role": "user", "content": "Hi"}}]"#);
/// let room = Room { tokens: Tokens::new(100), messages: None };
/// let refused = compress(Json::parse(text.as_bytes())?, room, Engine::MiddleOut, &ByteBounds);
/// let refused = refused.expect_err("a system message is never cut");
/// assert_eq!((refused.messages, refused.room), (2, Tokens::new(100)));
/// # Ok::<(), waystation_core::ScanError>(())
/// ```
pub struct TooLong {
    /// The tokens of what must stay.
    pub least: Tokens,
    /// How many messages that is.
    pub messages: usize,
    /// The tokens that there is room for.
    pub room: Tokens,
}

/// A conversation at work.
#[derive(Clone, Debug)]
struct Conversation<'a> {
    /// The messages that are left, in their order.
    items: Vec<Item<'a>>,
    room: Room,
    /// How large a text is.
    counter: &'a dyn Counter,
}

/// A [`TokenCounter`] that can be shown.
trait Counter: std::fmt::Debug {
    /// The tokens of a text, as far as they can be guessed.
    fn count(&self, text: &str) -> u64;
}

/// The dearer of the two guesses: what is to fit should rather be smaller.
///
/// A text that is taken for too large loses a sentence; one that is taken for too small is refused by
/// the provider, after the wait.
struct Careful<'a>(&'a dyn TokenCounter);

/// Makes `messages`, a JSON array of chat messages, fit into `room`.
///
/// `None` when they fit as they are. Otherwise the engine chooses what goes, and this holds:
/// - every system and developer message stays as it is, and so does the last message with the calls
///   that it answers, unless it alone is too long: then the middle of its text gives way to a
///   mark;
/// - the first user message stays, shortened when it is over a quarter of the room;
/// - a tool call and its results stay or go together; arguments, reasoning blocks and images of
///   what stays are not touched;
/// - where user and assistant took turns they still do, but for the first and the last message;
/// - the same input gives the same output, and compressing twice is compressing once.
///
/// Sizes are the larger of what `tokens` counts and estimates for each text, 4 for each message, 8
/// for each call and 765 for each image. Linear in the size of the texts.
///
/// ```
/// use waystation_core::{Json, Tokens};
/// use waystation_plugins::{Engine, Room, compress};
/// use waystation_tokens::ByteBounds;
///
/// let turn = |role, n| format!(r#"{{"role": "{role}", "content": "{} {n}"}}"#, "some words".repeat(9));
/// let turns: Vec<String> = (0..20).flat_map(|n| [turn("user", n), turn("assistant", n)]).collect();
/// let text = format!("[{}, {}]", turns.join(", "), turn("user", 99));
/// let messages = Json::parse(text.as_bytes())?;
/// let room = Room { tokens: Tokens::new(400), messages: None };
/// let fits = compress(messages, room, Engine::MiddleOut, &ByteBounds)?.expect("it was too long");
/// assert!(fits.after < 41 && fits.tokens_after <= room.tokens);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: API contract, section 7.4; the rule of two halves is OpenRouter's (guides, message
/// transforms, 2026-08-22).
///
/// # Errors
/// [`TooLong`] when what must stay does not fit.
pub fn compress(
    messages: Json<'_>,
    room: Room,
    engine: Engine,
    tokens: &dyn TokenCounter,
) -> Result<Option<Compressed>, TooLong> {
    let counter = Careful(tokens);
    let items = Item::all(messages, &counter);
    let whole = Conversation {
        items,
        room,
        counter: &counter,
    };
    if whole.fits() {
        return Ok(None);
    }
    let (before, tokens_before) = (whole.items.len(), whole.size());
    let fitted = match engine {
        Engine::MiddleOut => middle::out(whole)?,
        // Where the last sentence of a long question has no room, its two ends are better.
        Engine::Extract => match extract::out(whole.clone()) {
            Ok(talk) if talk.items.last().is_none_or(Item::keeps_end) => talk,
            _ => middle::out(whole)?,
        },
    };
    Ok(Some(Compressed {
        messages: fitted.written(),
        before,
        after: fitted.items.len(),
        shortened: fitted.items.iter().filter(|item| item.is_cut()).count(),
        tokens_before: Tokens::new(tokens_before),
        tokens_after: Tokens::new(fitted.size()),
    }))
}

/// The estimated size of `messages`, by the same measure as [`compress`]'s.
///
/// Anything that is no object is no message, and counts nothing.
///
/// ```
/// use waystation_core::Json;
/// use waystation_tokens::ByteBounds;
///
/// let empty = Json::parse(br#"[{"role": "user", "content": ""}]"#)?;
/// assert_eq!(waystation_plugins::size(empty, &ByteBounds).get(), 4); // what every message costs
/// # Ok::<(), waystation_core::ScanError>(())
/// ```
#[must_use]
pub fn size(messages: Json<'_>, tokens: &dyn TokenCounter) -> Tokens {
    let counter = Careful(tokens);
    let items = Item::all(messages, &counter);
    Tokens::new(items.iter().map(|item| item.tokens).sum())
}

// === impl Conversation ===

impl Conversation<'_> {
    /// The tokens of all messages together.
    fn size(&self) -> u64 {
        self.items.iter().map(|item| item.tokens).sum()
    }

    /// Whether both limits are kept.
    fn fits(&self) -> bool {
        self.size() <= self.room.tokens.get()
            && self
                .room
                .messages
                .is_none_or(|most| self.items.len() <= most)
    }

    /// The messages as a JSON array. Those that were not cut are copied, spaces and all.
    fn written(&self) -> RawJson {
        let mut out = vec![b'['];
        for (at, item) in self.items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            item.write(&mut out);
        }
        out.push(b']');
        RawJson::parse(&out.into()).unwrap_or_else(|_| RawJson::null())
    }

    /// The conversation in parts that stay or go as a whole.
    fn groups(&self) -> Vec<Group> {
        groups::of(&self.items)
    }

    /// Which messages stay when the marked groups and the operator's messages do.
    fn mask(&self, groups: &[Group], kept: &[bool]) -> Vec<bool> {
        let mut mask: Vec<bool> = self.items.iter().map(Item::is_fixed).collect();
        for (group, _) in groups.iter().zip(kept).filter(|(_, kept)| **kept) {
            if let Some(range) = mask.get_mut(group.range()) {
                range.fill(true);
            }
        }
        mask
    }

    /// Keeps the messages of the groups that are marked, and the operator's.
    fn keep(&mut self, groups: &[Group], kept: &[bool]) {
        let mut mask = self.mask(groups, kept).into_iter();
        self.items.retain(|_| mask.next().unwrap_or_default());
    }

    /// The refusal, with what the conversation comes to now.
    fn too_long(&self) -> TooLong {
        TooLong {
            least: Tokens::new(self.size()),
            messages: self.items.len(),
            room: self.room.tokens,
        }
    }
}

// === impl Careful ===

impl Counter for Careful<'_> {
    fn count(&self, text: &str) -> u64 {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let counted = self.0.count_till(text, Tokens::new(u64::MAX));
        self.0.estimate(bytes).max(counted).get()
    }
}

impl std::fmt::Debug for Careful<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Careful").finish_non_exhaustive()
    }
}

/// Whether the role is the operator's.
///
/// Such messages set the rules of a conversation; to drop one in silence would change them.
const fn is_operator(role: Option<Role>) -> bool {
    matches!(role, Some(Role::System | Role::Developer))
}

/// The elements of a list of messages; nothing for any other kind.
fn elements(messages: Json<'_>) -> impl Iterator<Item = Json<'_>> {
    messages
        .elements()
        .filter(|message| message.kind() == Kind::Object)
}
