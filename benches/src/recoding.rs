//! A stream of each dialect, as the simulator sends it, read event by event and written again as
//! chunks for the client. Measures nothing itself.

use bytes::Bytes;
use serde_json::json;
use waystation_core::{
    Call, ChatEvent, ChatRequest, ChunkHead, ChunkWriter, Codec, GenerationId, ReplyHead, UnixMs,
};
use waystation_sim::{Pacing, Simulator, fixtures::M};

use crate::{Host, chat};

/// One stream, and the call that it answers.
pub struct Recoding {
    codec: &'static dyn Codec,
    host: Host,
    ask: ChatRequest,
    head: ReplyHead,
    pieces: Vec<Bytes>,
    id: GenerationId,
}

impl Recoding {
    /// A stream of `dialect` of about 200 events.
    ///
    /// # Panics
    /// When the simulator does not answer what the codec sends.
    #[must_use]
    pub fn of(dialect: &str) -> Self {
        let codec = waystation_providers::codec(&dialect.parse().unwrap()).unwrap();
        let host = Host::new().speaking(dialect);
        let ask = chat(M, 2_000, json!({"stream": true, "max_tokens": 2_000}));
        let ask = ChatRequest::parse(&ask).unwrap();
        let sent = codec.encode(&ask, &host.target()).unwrap().request;
        let reply = Simulator::new(1).with_pacing(Pacing::Instant).handle(&sent);
        assert!(reply.head.status.is_success(), "{dialect}");
        let pieces = reply.pieces.iter().map(|(_, piece)| piece.clone());
        Self {
            codec,
            host,
            ask,
            pieces: pieces.collect(),
            head: reply.head,
            id: "gen-1767225600-0123456789abcdefghij".parse().unwrap(),
        }
    }

    /// How many events the upstream sends.
    #[must_use]
    pub const fn events(&self) -> usize {
        self.pieces.len()
    }

    /// The call, with its reader.
    ///
    /// # Panics
    /// Never: the request was encoded before.
    #[must_use]
    pub fn call(&self) -> Call {
        self.codec.encode(&self.ask, &self.host.target()).unwrap()
    }

    /// Reads the stream, and writes what each event comes to; how many bytes that are.
    ///
    /// # Panics
    /// When the stream is not read.
    #[must_use]
    pub fn run(&self, mut call: Call) -> usize {
        let written = self.events_of(&mut call, self.pieces.len());
        call.reader.finish(&mut Vec::new()).unwrap();
        written
    }

    /// What an event allocates: what the second half of the stream takes, by its events. The request and
    /// the reply's beginning are no event's.
    ///
    /// `counted` says how often what it is given allocates. Counting is the caller's: a program that holds
    /// a counting allocator pays for it with every allocation, and those of `instructions.rs` are counted.
    ///
    /// # Panics
    /// When the stream is not read.
    #[must_use]
    pub fn allocations(&self, counted: impl Fn(&mut dyn FnMut()) -> u64) -> f64 {
        let half = self.pieces.len() / 2;
        let of = |count| {
            let mut call = self.call();
            let work = &mut || {
                std::hint::black_box(self.events_of(&mut call, count));
            };
            counted(work) as f64
        };
        (of(self.pieces.len()) - of(half)) / (self.pieces.len() - half) as f64
    }

    /// Reads and writes the first `count` events.
    fn events_of(&self, call: &mut Call, count: usize) -> usize {
        let head = ChunkHead {
            id: &self.id,
            provider: "Acme",
            model: M,
            created: UnixMs::new(1_767_225_600_000),
        };
        let mut writer = ChunkWriter::new(&head);
        let mut events: Vec<ChatEvent> = Vec::with_capacity(8);
        let mut written = 0;
        call.reader.head(&self.head).unwrap();
        for piece in self.pieces.iter().take(count) {
            call.reader.push(piece, &mut events).unwrap();
            // As the server does: a frame for what one read brought.
            let mut frame = Vec::with_capacity(512);
            for event in events.drain(..) {
                writer.event(&event, &mut frame);
            }
            written += frame.len();
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::Recoding;

    #[test]
    fn an_event_of_any_wire_takes_two_allocations_at_most() {
        for (name, _) in waystation_providers::DIALECTS {
            let allocations = Recoding::of(name)
                .allocations(|work| allocation_counter::measure(work).count_total);
            println!("{name}: {allocations:.2}");
            assert!(allocations <= 2.0, "{name}: {allocations:.2} an event");
        }
    }
}
