//! The names of a type's members as JSON has them.
//!
//! A derived `Deserialize` hands its names to the deserializer before it reads anything; this one takes them and stops.
//! The schema has the same names and much more, and takes far longer to build.

use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The names of the members of a type, in their order, without their spellings in kebab-case; none for a type that is no
/// struct.
pub fn field_names<T: DeserializeOwned>() -> Vec<String> {
    let mut names: &'static [&'static str] = &[];
    let _stopped = T::deserialize(Names(&mut names));
    names.iter().filter(|name| !name.contains('-')).map(|name| (*name).to_owned()).collect()
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only a struct has names"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{McpServer, Settings, schema};

    #[test]
    fn the_names_are_those_of_the_schema() {
        let schema = schema::settings();
        let of_schema = |pointer: &str| -> BTreeSet<String> {
            schema.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
        };
        let names = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(names(field_names::<Settings>()), of_schema("/properties"));
        assert_eq!(names(field_names::<McpServer>()), of_schema("/$defs/McpServer/properties"));
        assert_eq!(field_names::<Vec<String>>(), Vec::<String>::new());
    }
}
