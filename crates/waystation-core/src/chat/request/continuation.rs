//! A request that goes on from given words: what a second endpoint is asked when the first broke off.
//! Which hosts can do that is not known here.

use super::{ChatRequest, MESSAGES};
use crate::{Kind, RawJson};

// === impl ChatRequest ===

impl ChatRequest {
    /// The same request with `text` as words of the assistant that the answer is to go on from:
    /// behind a prefill of the client's own, else as a further message. `None` when the client's own is
    /// not plain text.
    ///
    /// ```
    /// use waystation_core::ChatRequest;
    ///
    /// let body = br#"{"messages": [{"role": "user", "content": "Count"}]}"#;
    /// let chat = ChatRequest::parse(&body.as_slice().into())?;
    /// let on = chat.going_on_from("1, 2,").unwrap().going_on_from(" 3").unwrap();
    /// assert_eq!(on.messages().count(), 2);
    /// assert_eq!(on.messages().last().unwrap().text(), "1, 2, 3");
    /// # Ok::<(), waystation_core::InvalidRequest>(())
    /// ```
    #[must_use]
    pub fn going_on_from(&self, text: &str) -> Option<Self> {
        let messages = self.get(MESSAGES)?;
        let count = messages.elements().count();
        let kept = if self.has_prefill() { count - 1 } else { count };
        let mut out = Vec::with_capacity(messages.bytes().len() + text.len() + 64);
        for message in messages.elements().take(kept) {
            out.push(if out.is_empty() { b'[' } else { b',' });
            out.extend_from_slice(message.bytes());
        }
        out.push(if out.is_empty() { b'[' } else { b',' });
        let mut object = crate::ObjectWriter::open(&mut out);
        match messages.elements().nth(kept) {
            None => {
                object.string("role", "assistant").string("content", text);
            }
            Some(own) => {
                let begun = own
                    .get("content")
                    .filter(|content| content.kind() == Kind::String)?;
                let whole = format!("{}{text}", begun.string()?);
                for (key, value) in own.members() {
                    if key.is("content") {
                        object.string("content", &whole);
                    } else {
                        let out = object.escaped_key(key.escaped());
                        out.extend_from_slice(value.bytes());
                    }
                }
            }
        }
        object.close();
        out.push(b']');
        let mut chat = self.clone();
        chat.set("messages", RawJson::checked(out.into()));
        Some(chat)
    }
}
