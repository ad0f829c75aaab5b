//! The ids by which parts of an answer are found again when it is sent back: of calls that came
//! without one, and of the places that a signature belongs to.
//!
//! A signature travels to the client and back in `reasoning_details`, where its `id` says what it
//! stood on: a call's id for a call, `text-3-9` for the bytes 3 to 9 of the visible text, `image-0`
//! for the first image.

use waystation_core::JsonText;

/// The format of reasoning details that this dialect writes and takes back.
pub(super) const FORMAT: &str = "google-gemini-v1";

/// How made ids begin.
const MADE: &str = "gcall_";

/// What a signature stood on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// These bytes of the visible text; none of them for an empty part behind it.
    Text(usize, usize),
    /// This image of the answer, counted from 0.
    Image(usize),
}

/// An id for a call that came without one: from the reply's own id, and from a `salt` that differs
/// between the turns of a conversation, for replies without an id. The same whenever the same reply
/// to the same request is read.
pub(super) fn made_id(reply: &[u8], salt: u64, at: usize) -> JsonText {
    let hash = fnv(reply, salt);
    JsonText::of(&format!("{MADE}{hash:016x}_{at}"))
}

/// Whether an id was made here: the host that made the call never saw it.
pub(super) fn is_made(id: &str) -> bool {
    let hash = id.strip_prefix(MADE).and_then(|rest| rest.split_once('_'));
    hash.is_some_and(|(hash, at)| {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) && number(at)
    })
}

// === impl Mark ===

impl Mark {
    /// The mark as the `id` of a reasoning detail.
    pub(super) fn id(self) -> String {
        match self {
            Self::Text(start, end) => format!("text-{start}-{end}"),
            Self::Image(at) => format!("image-{at}"),
        }
    }

    /// Reads such an id.
    pub(super) fn of(id: &str) -> Option<Self> {
        if let Some(at) = id.strip_prefix("image-") {
            return at.parse().ok().map(Self::Image);
        }
        let (start, end) = id.strip_prefix("text-")?.split_once('-')?;
        let (start, end) = (start.parse().ok()?, end.parse().ok()?);
        (start <= end).then_some(Self::Text(start, end))
    }
}

/// The 64-bit FNV-1a hash, started at `salt`: spreads, hides nothing.
fn fnv(bytes: &[u8], salt: u64) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let start = (0xcbf2_9ce4_8422_2325 ^ salt).wrapping_mul(PRIME);
    bytes.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_and_marks_are_known_again() {
        let id = made_id(b"reply", 3, 12).decode().into_owned();
        assert!(is_made(&id), "{id}");
        assert_ne!(id, made_id(b"reply", 4, 12).decode());
        for other in [
            "call_1",
            "gcall_1_0",
            "gcall_0123456789abcdef_",
            "gcall_0123456789abcdef",
            "",
        ] {
            assert!(!is_made(other), "{other}");
        }
        for mark in [Mark::Text(3, 9), Mark::Text(0, 0), Mark::Image(2)] {
            assert_eq!(Mark::of(&mark.id()), Some(mark));
        }
        for other in ["text-9-3", "text-", "image-x", "call_1"] {
            assert_eq!(Mark::of(other), None);
        }
    }
}
