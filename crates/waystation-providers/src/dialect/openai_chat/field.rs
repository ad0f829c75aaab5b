//! The members of a reply that are read, found in one walk over each object. Members under other
//! names are passed by; `null` is absence.

use waystation_core::Json;

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> { $(pub(super) $field: Option<Json<'a>>),* }

        impl<'a> $name<'a> {
            /// Finds the members of `object`.
            pub(super) fn of(object: Json<'a>) -> Self {
                let mut found = Self::default();
                for (key, value) in object.members() {
                    let field = match key.escaped() {
                        $(key if key == stringify!($field).as_bytes() => &mut found.$field,)*
                        _ => continue,
                    };
                    *field = Some(value).filter(|value| !value.is_null());
                }
                found
            }
        }
    };
}

fields! {
    /// A chunk of a stream, or a whole reply.
    Chunk {
        id, object, created, model, choices, usage, system_fingerprint, service_tier, error, x_groq,
        search_results, citations,
    }
}

fields! {
    /// One element of `choices`.
    ChoiceFields {
        index, delta, message, text, logprobs, finish_reason, native_finish_reason, usage, error,
    }
}

fields! {
    /// A delta or a message.
    Said {
        content, reasoning, reasoning_content, reasoning_details, refusal, tool_calls,
        function_call, annotations, images, audio,
    }
}

/// The first element of a list, if there is one.
pub(super) fn first(list: Option<Json<'_>>) -> Option<Json<'_>> {
    list?.elements().next()
}
