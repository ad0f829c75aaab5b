//! The members of a JSON object that somebody reads, found in one walk over it. Members under other
//! names are passed by; `null` is absence. Which members there are is each dialect's to say.

/// Makes a struct of optional JSON values, one for each member that is read.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident $(= $key:literal)?),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> { $(pub(super) $field: Option<waystation_core::Json<'a>>),* }

        impl<'a> $name<'a> {
            /// Finds the members of `object`.
            #[inline]
            pub(super) fn of(object: waystation_core::Json<'a>) -> Self {
                let mut found = Self::default();
                for (key, value) in object.members() {
                    let field = match key.escaped() {
                        $(key if key == crate::field::key!($field $($key)?).as_bytes() => &mut found.$field,)*
                        _ => continue,
                    };
                    *field = Some(value).filter(|value| !value.is_null());
                }
                found
            }
        }
    };
}

/// The name of a member: as the field is called, or as it is spelled beside it.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use {fields, key};
