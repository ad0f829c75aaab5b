//! How questions and plans are written for another process: the types of which a derive cannot know
//! how. What they mean is said where they are.

use std::{fmt, marker::PhantomData, str::FromStr};

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use crate::{EndpointId, Modalities, Modality, ModelRef, Parameter, ParameterSet, RawJson};

/// A type that is written as its `Display` and read through its `FromStr`.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                parsed(from)
            }
        }
    )*};
}
as_text!(EndpointId, ModelRef);

fn parsed<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(from)?;
    text.parse().map_err(de::Error::custom)
}

impl Serialize for Parameter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::named(&text).ok_or_else(|| {
            de::Error::custom(format!("expected the name of a parameter, found {text:?}"))
        })
    }
}

/// A set that is written as the list of its members.
macro_rules! as_list {
    ($($name:ident of $member:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_seq(self.iter())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_seq(List::<$member, Self>(PhantomData))
            }
        }
    )*};
}
as_list!(Modalities of Modality, ParameterSet of Parameter);

/// Reads a list of `T` into a collection.
struct List<T, C>(PhantomData<(T, C)>);

impl<'de, T: Deserialize<'de>, C: FromIterator<T>> Visitor<'de> for List<T, C> {
    type Value = C;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<C, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = list.next_element()? {
            members.push(member);
        }
        Ok(members.into_iter().collect())
    }
}

/// In JSON only: a raw value has no form in another format.
impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let text = String::from_utf8_lossy(self.bytes()).into_owned();
        let value = serde_json::value::RawValue::from_string(text);
        value.map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = Box::<serde_json::value::RawValue>::deserialize(from)?;
        let text = Bytes::from(String::from(Box::<str>::from(value)));
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Shared texts, which serde knows only behind a feature of its own.
pub(crate) mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(from).map(Into::into)
    }

    /// The same, where there may be none.
    pub(crate) mod option {
        use std::sync::Arc;

        use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

        #[expect(clippy::ref_option, reason = "the signature that serde calls")]
        pub(crate) fn serialize<S: Serializer>(
            text: &Option<Arc<str>>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            text.as_deref().serialize(to)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Arc<str>>, D::Error> {
            Ok(Option::<String>::deserialize(from)?.map(Into::into))
        }
    }
}
