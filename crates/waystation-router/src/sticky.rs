//! Which endpoint a conversation was served by, so that its next turn finds the prompt in a cache. The
//! table remembers and forgets; whether an endpoint still goes first is the plan's to decide. It
//! reads no clock: every call says when it happens.

mod memory;
mod slot;

use std::{
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use rustc_hash::FxHasher;
use waystation_core::{Ask, ChatRequest, Endpoint, EndpointId, Json, Kind, Tick, Tokens, Usage};

use memory::Memory;

/// How long a conversation is remembered after its last success. Source: API contract, section 9.3.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// The longest time that a request may ask a prompt to be cached for.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);

/// The endpoints of recent conversations.
///
/// Bounded: at most 65,536 conversations, in 2 MB. They lie in sets of eight; where a ninth comes into a
/// set, it takes the place of one whose time is over, else of the one that was quiet for longest: with
/// 32,768 alive, of less than one in a hundred. At most [`MAX_ENDPOINTS`](crate::MAX_ENDPOINTS) endpoints are
/// told apart; with one more all is forgotten.
///
/// There is no lock: words of memory are read and written as they are, and those that do not belong
/// together are not taken for a conversation. When two requests of one conversation end at the same moment,
/// either is remembered, or neither. Times are kept to the millisecond.
///
/// ```
/// use waystation_core::{ChatRequest, Tick};
/// use waystation_router::{Conversation, StickyTable};
///
/// let body = br#"{"session_id": "s", "messages": [{"role": "user", "content": "Hi"}]}"#;
/// let chat = ChatRequest::parse(&body.as_slice().into())?;
/// let conversation = Conversation::of(&chat, None, ("key-1", "acme/fast")).ok_or("none")?;
/// let table = StickyTable::default();
/// table.remember(&conversation, &"acme/fast|a".parse()?, None, Tick::default());
/// let remembered = table.recall(&conversation, Tick::from_micros(599_000_000));
/// assert_eq!(remembered.map(|stuck| stuck.endpoint.to_string()).as_deref(), Some("acme/fast|a"));
/// assert_eq!(table.recall(&conversation, Tick::from_micros(600_000_000)), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct StickyTable(ArcSwapOption<Memory>);

/// What is known of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The endpoint that served it last.
    pub endpoint: EndpointId,
    /// How much of the prompt that endpoint had in its cache; `None` where the client named the
    /// conversation.
    pub cached: Option<Tokens>,
}

/// One conversation: by the name that the client gives it, else by how it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    key: u64,
    /// The client named it.
    named: bool,
    idle: Duration,
}

// === impl Conversation ===

impl Conversation {
    /// The conversation that `chat` belongs to: by `session_id`, else by `header` (`x-session-id`),
    /// else by `prompt_cache_key`, else by its first instruction and its first other message. A
    /// client's conversations about one model are apart from those of other clients and models.
    /// `None` for a request without messages.
    #[must_use]
    pub fn of(
        chat: &ChatRequest,
        header: Option<&str>,
        (client, model): (&str, &str),
    ) -> Option<Self> {
        let text = |key| chat.get(key).and_then(Json::string);
        let name = text("session_id")
            .or_else(|| header.map(Into::into))
            .or_else(|| text("prompt_cache_key"));
        let named = name.is_some();
        let read = Messages::of(chat);
        // Whoever makes two conversations collide, and knows every word of the other's opening for it,
        // makes them share a memory of where a cache is warm, and nothing else.
        let mut whole = FxHasher::default();
        (named, client, model).hash(&mut whole);
        match &name {
            Some(name) => name.hash(&mut whole),
            None => read.opening(&mut whole)?,
        }
        Some(Self {
            key: whole.finish(),
            named,
            idle: idle(chat, read.cached_for),
        })
    }
}

/// What a conversation is known by among its messages, read in one pass.
#[derive(Default)]
struct Messages<'a> {
    /// The first instruction.
    system: Option<Json<'a>>,
    /// The first message that is none.
    other: Option<Json<'a>>,
    /// The longest time that any part asks to be cached for.
    cached_for: Option<Duration>,
}

// === impl Messages ===

impl<'a> Messages<'a> {
    fn of(chat: &'a ChatRequest) -> Self {
        let mut read = Self::default();
        let parts = chat.may_have_parts();
        for message in chat.get("messages").into_iter().flat_map(Json::elements) {
            let mut instructs = false;
            for (key, value) in message.members() {
                if key.is("role") {
                    instructs = value.is("system") || value.is("developer");
                    if !parts {
                        break;
                    }
                } else if value.kind() == Kind::Array && key.is("content") {
                    let longest = value.elements().filter_map(ttl).max();
                    read.cached_for = read.cached_for.max(longest);
                }
            }
            let first = if instructs {
                &mut read.system
            } else {
                &mut read.other
            };
            first.get_or_insert(message);
            if !parts && read.system.is_some() && read.other.is_some() {
                break;
            }
        }
        read
    }

    /// How the conversation opens; `None` without a message that is no instruction.
    fn opening(&self, into: &mut FxHasher) -> Option<()> {
        let other = self.other?;
        self.system.map(|system| edges(system.bytes())).hash(into);
        edges(other.bytes()).hash(into);
        Some(())
    }
}

/// A message's length, its beginning and its end: all of a short one. Of a long one the middle is left
/// out, since hashing hundreds of kilobytes would cost more than everything else about a request.
fn edges(bytes: &[u8]) -> (usize, &[u8], &[u8]) {
    match (bytes.first_chunk::<EDGE>(), bytes.last_chunk::<EDGE>()) {
        (Some(first), Some(last)) if bytes.len() > 2 * EDGE => (bytes.len(), first, last),
        _ => (bytes.len(), bytes, &[]),
    }
}

/// How much of a long message's beginning, and of its end, tells it from others.
const EDGE: usize = 2 * 1024;

/// As long as the longest time that the request, or one of its `messages`, asks its prompt to be cached
/// for, at least ten minutes: a shorter memory would pay for the cache again.
fn idle(chat: &ChatRequest, messages: Option<Duration>) -> Duration {
    let own = chat.get("cache_control").and_then(|c| c.get("ttl"));
    let options = chat.get("prompt_cache_options").and_then(|o| o.get("ttl"));
    let top = [own, options].into_iter().flatten().filter_map(duration);
    let tools = chat.tools().filter_map(ttl);
    let longest = top.chain(messages).chain(tools).max().unwrap_or_default();
    longest.clamp(IDLE, LONGEST)
}

/// How long a part or a tool asks to be cached for.
fn ttl(holder: Json<'_>) -> Option<Duration> {
    holder.at(&["cache_control", "ttl"]).and_then(duration)
}

/// `5m`, `1h`.
fn duration(text: Json<'_>) -> Option<Duration> {
    let text = text.string()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let number: u32 = number.parse().ok()?;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

// === impl StickyTable ===

impl StickyTable {
    /// Where the conversation was served, unless that is too long ago.
    #[must_use]
    pub fn recall(&self, conversation: &Conversation, now: Tick) -> Option<Stuck> {
        self.0.load().as_ref()?.recall(conversation.key, now)
    }

    /// Puts what is remembered of the conversation into a question.
    pub fn ask(&self, conversation: &Conversation, ask: &mut Ask, now: Tick) {
        if let Some(stuck) = self.recall(conversation, now) {
            (ask.sticky, ask.cached) = (Some(stuck.endpoint), stuck.cached);
        }
    }

    /// Notes a success. It counts only where reading from the cache is cheaper than reading anew
    /// and, for a conversation that the client did not name, where the answer shows that the cache
    /// was used.
    pub fn served(&self, conversation: &Conversation, by: &Endpoint, usage: &Usage, now: Tick) {
        let rates = by.price.at(usage.prompt);
        let cheaper = rates
            .cache_read
            .is_some_and(|read| Some(read) < rates.prompt);
        let used = usage.cached.unwrap_or_default() + usage.cache_write.unwrap_or_default();
        if cheaper && (conversation.named || used > Tokens::ZERO) {
            let cached = (!conversation.named).then_some(used);
            self.remember(conversation, &by.id, cached, now);
        }
    }

    /// Remembers the endpoint of a conversation from `now` on.
    pub fn remember(
        &self,
        conversation: &Conversation,
        endpoint: &EndpointId,
        cached: Option<Tokens>,
        now: Tick,
    ) {
        let stuck = Stuck {
            endpoint: endpoint.clone(),
            cached,
        };
        let done = || {
            let memory = self.0.load();
            let memory = memory.as_deref();
            memory.is_some_and(|memory| memory.remember(conversation, &stuck, now))
        };
        if !done() {
            self.0.rcu(|memory| {
                let memory = memory.as_deref().cloned().unwrap_or_default();
                Some(Arc::new(memory.with(endpoint)))
            });
            done();
        }
    }

    /// How many conversations are remembered, those included that are about to be forgotten; for
    /// metrics, since it counts them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.load().as_ref().map_or(0, |memory| memory.len())
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
