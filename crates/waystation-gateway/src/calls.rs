//! Whether the tool calls of an answer could be made: what one endpoint's reliability with tools is
//! known by. It keeps no call beyond the answer, and changes none.

use std::sync::Arc;

use waystation_core::{ChatRequest, Delta, FinishReason, Json, Kind, ToolCallDelta};

/// Arguments beyond this many bytes in one answer are not judged.
const LONGEST: usize = 256 * 1024;

/// Watches the tool calls of one answer. Without tools in the request it watches nothing.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls {
    /// Names of the functions that the request offers; `None` when it offers none.
    offered: Option<Arc<[String]>>,
    calls: Vec<Call>,
    bytes: usize,
}

/// One call as far as it has come.
#[derive(Debug)]
struct Call {
    /// Choice and place.
    at: (u32, u32),
    name: String,
    arguments: String,
}

// === impl ToolCalls ===

impl ToolCalls {
    /// Watches answers to `chat`.
    pub(crate) fn of(chat: &ChatRequest) -> Self {
        if chat.get("tools").is_none() {
            return Self::default();
        }
        let names = chat
            .tools()
            .filter_map(|tool| tool.at(&["function", "name"]));
        let offered: Vec<String> = names.filter_map(Json::string).map(Into::into).collect();
        Self {
            offered: (!offered.is_empty()).then(|| offered.into()),
            ..Self::default()
        }
    }

    /// These functions are offered too.
    pub(crate) fn offer<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        let mut names = names.peekable();
        if names.peek().is_none() {
            return;
        }
        let offered = self.offered.iter().flat_map(|names| names.iter().cloned());
        let offered: Vec<String> = offered.chain(names.map(str::to_owned)).collect();
        self.offered = (!offered.is_empty()).then(|| offered.into());
    }

    /// Forgets the calls of an attempt that failed.
    pub(crate) fn restart(&mut self) {
        self.calls.clear();
        self.bytes = 0;
    }

    /// Takes notice of one event.
    pub(crate) fn see(&mut self, delta: &Delta) {
        if self.offered.is_none() {
            return;
        }
        for call in &delta.tool_calls {
            self.bytes = self.bytes.saturating_add(call.arguments.len());
            if self.bytes <= LONGEST {
                self.take(delta.choice, call);
            }
        }
    }

    fn take(&mut self, choice: u32, delta: &ToolCallDelta) {
        let at = (choice, delta.index);
        let known = self.calls.iter().position(|call| call.at == at);
        let known = known.unwrap_or_else(|| {
            self.calls.push(Call {
                at,
                name: String::new(),
                arguments: String::new(),
            });
            self.calls.len() - 1
        });
        if let Some(call) = self.calls.get_mut(known) {
            if let Some(name) = &delta.name {
                call.name.push_str(&name.decode());
            }
            call.arguments.push_str(&delta.arguments.decode());
        }
    }

    /// Whether every call could be made: a function that was offered, and arguments that are a JSON
    /// object, or nothing. `None` for an answer without calls, and for one that was cut short, which
    /// says nothing of the endpoint.
    pub(crate) fn verdict(&self, finish: Option<FinishReason>) -> Option<bool> {
        let offered = self.offered.as_deref()?;
        match finish {
            // A call that the provider itself could not read ends an answer with this.
            Some(FinishReason::Error) => return Some(false),
            Some(FinishReason::Length | FinishReason::ContentFilter) | None => return None,
            Some(FinishReason::Stop | FinishReason::ToolCalls) => {}
        }
        if self.calls.is_empty() || self.bytes > LONGEST {
            return None;
        }
        let arguments = |text: &str| {
            let read = Json::parse(text.as_bytes());
            text.trim().is_empty() || read.is_ok_and(|json| json.kind() == Kind::Object)
        };
        let good = |call: &Call| offered.contains(&call.name) && arguments(&call.arguments);
        Some(self.calls.iter().all(good))
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::JsonText;

    use super::*;

    fn watching() -> ToolCalls {
        let body = br#"{"messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"type": "function", "function": {"name": "look"}}]}"#;
        ToolCalls::of(&ChatRequest::parse(&body.as_slice().into()).unwrap())
    }

    fn told(name: &str, pieces: &[&str], finish: FinishReason) -> Option<bool> {
        let mut calls = watching();
        for (place, piece) in pieces.iter().enumerate() {
            let mut delta = Delta::of(0);
            delta.tool_calls.push(ToolCallDelta {
                name: (place == 0).then(|| JsonText::of(name)),
                arguments: JsonText::of(piece),
                ..ToolCallDelta::default()
            });
            calls.see(&delta);
        }
        calls.verdict(Some(finish))
    }

    #[test]
    fn a_call_is_good_when_it_can_be_made() {
        use FinishReason as F;
        assert_eq!(
            told("look", &[r#"{"at""#, ": 1}"], F::ToolCalls),
            Some(true)
        );
        assert_eq!(told("look", &[""], F::ToolCalls), Some(true));
        assert_eq!(told("look", &[r#"{"at": "#], F::ToolCalls), Some(false));
        assert_eq!(told("look", &["[1]"], F::ToolCalls), Some(false));
        assert_eq!(told("jump", &["{}"], F::ToolCalls), Some(false));
    }

    #[test]
    fn what_was_cut_short_or_called_nothing_says_nothing() {
        use FinishReason as F;
        assert_eq!(told("look", &[r#"{"at": "#], F::Length), None);
        assert_eq!(watching().verdict(Some(F::Stop)), None);
        assert_eq!(watching().verdict(Some(F::Error)), Some(false));
        assert_eq!(ToolCalls::default().verdict(Some(F::Error)), None);
    }
}
