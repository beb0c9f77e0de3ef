//! Finding every `{"__rustle_secret": NAME}` in a plan, in whatever field it stands.
//!
//! A list of fields would miss the next one. So this is a serializer that writes nothing: whatever is written with a plan
//! is also looked at, without a copy of it.

use std::fmt;

use serde::ser::{self, Serialize};

/// How the name of a secret begins that nobody could open when the plan was made; the reason follows. There is no text for
/// it: what uses it fails with the name as message.
pub const UNDECRYPTABLE: &str = "Attempt to use undecryptable variable: ";

/// Calls `found` with the name of every secret that `item` refers to, in the order of the document.
///
/// Of the outermost struct the fields named in `skip` are left out: `("batches", "handlers")` of a play, say.
pub fn find_secrets<T: Serialize + ?Sized>(item: &T, skip: &[&str], found: &mut dyn FnMut(&str)) {
    let mut finder = Finder {
        found,
        skip,
        depth: 0,
        is_secret: false,
    };
    // The finder itself never fails, and plan and values write everything that they can hold.
    let walked = item.serialize(&mut finder);
    debug_assert!(walked.is_ok());
}

struct Finder<'a> {
    found: &'a mut dyn FnMut(&str),
    skip: &'a [&'a str],
    /// How many structs are open.
    depth: u32,
    /// Whether the next text is the name of a secret.
    is_secret: bool,
}

type Done = Result<(), fmt::Error>;

/// Methods for scalars, which hold no reference.
macro_rules! nothing {
    ($($method:ident($type:ty))*) => {
        $(fn $method(self, _: $type) -> Done { Ok(()) })*
    };
}

impl ser::Serializer for &mut Finder<'_> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    nothing! {
        serialize_bool(bool) serialize_char(char) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64) serialize_unit_struct(&'static str)
    }

    /// Values tell their variants apart on the wire only; in JSON a reference would be a mapping like any other.
    fn is_human_readable(&self) -> bool {
        false
    }
    fn serialize_str(self, text: &str) -> Done {
        if std::mem::take(&mut self.is_secret) {
            (self.found)(text);
        }
        Ok(())
    }
    fn serialize_none(self) -> Done {
        Ok(())
    }
    fn serialize_unit(self) -> Done {
        Ok(())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Done {
        Ok(())
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.is_secret = name == "WireRef" && variant == "Secret";
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        Ok(self)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, fmt::Error> {
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, fmt::Error> {
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, fmt::Error> {
        self.depth += 1;
        Ok(self)
    }
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Self, fmt::Error> {
        self.serialize_struct(name, len)
    }
}

/// Elements without names.
macro_rules! elements {
    ($($of:ident::$method:ident)*) => {
        $(impl ser::$of for &mut Finder<'_> {
            type Ok = ();
            type Error = fmt::Error;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                value.serialize(&mut **self)
            }
            fn end(self) -> Done {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

impl ser::SerializeMap for &mut Finder<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut **self)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut **self)
    }
    fn end(self) -> Done {
        Ok(())
    }
}

impl ser::SerializeStruct for &mut Finder<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        if self.depth == 1 && self.skip.contains(&key) {
            return Ok(());
        }
        value.serialize(&mut **self)
    }
    fn end(self) -> Done {
        self.depth -= 1;
        Ok(())
    }
}

impl ser::SerializeStructVariant for &mut Finder<'_> {
    type Ok = ();
    type Error = fmt::Error;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        ser::SerializeStruct::serialize_field(self, key, value)
    }
    fn end(self) -> Done {
        ser::SerializeStruct::end(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlayPlan, Task};

    fn names<T: Serialize>(item: &T, skip: &[&str]) -> Vec<String> {
        let mut out = Vec::new();
        find_secrets(item, skip, &mut |name| out.push(name.to_owned()));
        out
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let json = r#"{
            "id": "Secret", "module": "x",
            "args": {"a": {"__rustle_secret": "one"}, "b": [{"c": {"__rustle_secret": "two"}}],
                "d": {"__rustle_pairs": [[1, {"__rustle_secret": "three"}]]}, "e": "__rustle_secret",
                "f": {"__ansible_unsafe": "Secret"}},
            "environment": [{"PW": {"__rustle_secret": "four"}}],
            "when": [{"__rustle_secret": "five"}],
            "loop": [{"__rustle_secret": "six"}],
            "become_user": {"__rustle_secret": "seven"}
        }"#;
        let task: Task = serde_json::from_str(json).unwrap();
        let mut found = names(&task, &[]);
        found.sort();
        assert_eq!(
            found,
            ["five", "four", "one", "seven", "six", "three", "two"]
        );
    }

    #[test]
    fn fields_of_the_outermost_struct_can_be_left_out() {
        let json = r#"{"play_id": "p", "vars": {"batches": {"__rustle_secret": "kept"}},
            "batches": [{"tasks": [{"module": "x", "args": {"a": {"__rustle_secret": "inside"}}}]}]}"#;
        let play: PlayPlan = serde_json::from_str(json).unwrap();
        assert_eq!(names(&play, &["batches"]), ["kept"]);
        assert_eq!(names(&play, &[]).len(), 2);
    }
}
