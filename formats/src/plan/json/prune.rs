//! Writes a document without the fields that say nothing: absent options, empty texts, lists and mappings.
//!
//! Postcard tells fields apart by their order alone, so the types themselves may not skip any; this goes between the
//! types and the JSON writer. What was given explicitly (`"loop": []`) is kept: only a field's own default goes.

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};

/// Writes its content without the fields of structures that are at their empty default.
pub(super) struct Pruned<'a, T: ?Sized>(pub(super) &'a T);

impl<T: Serialize + ?Sized> Serialize for Pruned<'_, T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Prune(s))
    }
}

struct Prune<S>(S);

macro_rules! pass {
    ($($method:ident($($ty:ty),*)),* $(,)?) => {
        $(fn $method(self, v: $($ty),*) -> Result<S::Ok, S::Error> { self.0.$method(v) })*
    };
}

impl<S: Serializer> Serializer for Prune<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Prune<S::SerializeSeq>;
    type SerializeTuple = Prune<S::SerializeTuple>;
    type SerializeTupleStruct = ser::Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = ser::Impossible<S::Ok, S::Error>;
    type SerializeMap = Prune<S::SerializeMap>;
    type SerializeStruct = Prune<S::SerializeMap>;
    type SerializeStructVariant = ser::Impossible<S::Ok, S::Error>;

    pass!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    );

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Pruned(value))
    }
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Pruned(value))
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0
            .serialize_newtype_variant(name, index, variant, &Pruned(value))
    }
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(len).map(Prune)
    }
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(len).map(Prune)
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(len).map(Prune)
    }
    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.0.serialize_map(None).map(Prune)
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        Err(unused())
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        Err(unused())
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        Err(unused())
    }
}

/// No type of the documents has this shape.
fn unused<E: ser::Error>() -> E {
    E::custom("a shape that documents do not use")
}

impl<S: SerializeSeq> SerializeSeq for Prune<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_element(&Pruned(value))
    }
    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: SerializeTuple> SerializeTuple for Prune<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_element(&Pruned(value))
    }
    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: SerializeMap> SerializeMap for Prune<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.0.serialize_key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_value(&Pruned(value))
    }
    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: SerializeMap> SerializeStruct for Prune<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        if value.serialize(Empty).is_ok() {
            return Ok(());
        }
        self.0.serialize_entry(key, &Pruned(value))
    }
    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

/// Succeeds where there is nothing to write, and stops at the first thing that there is.
struct Empty;

/// There is something.
#[derive(Debug)]
struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not empty")
    }
}
impl std::error::Error for Full {}
impl ser::Error for Full {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Full
    }
}

macro_rules! full {
    ($($method:ident($ty:ty)),* $(,)?) => {
        $(fn $method(self, _: $ty) -> Result<(), Full> { Err(Full) })*
    };
}

impl Serializer for Empty {
    type Ok = ();
    type Error = Full;
    type SerializeSeq = Empty;
    type SerializeTuple = ser::Impossible<(), Full>;
    type SerializeTupleStruct = ser::Impossible<(), Full>;
    type SerializeTupleVariant = ser::Impossible<(), Full>;
    type SerializeMap = Empty;
    type SerializeStruct = Empty;
    type SerializeStructVariant = ser::Impossible<(), Full>;

    full!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str),
    );

    fn serialize_str(self, text: &str) -> Result<(), Full> {
        if text.is_empty() { Ok(()) } else { Err(Full) }
    }
    fn serialize_none(self) -> Result<(), Full> {
        Ok(())
    }
    fn serialize_unit(self) -> Result<(), Full> {
        Err(Full)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Full> {
        Err(Full)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Full> {
        Err(Full)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Full> {
        value.serialize(Empty)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Full> {
        Err(Full)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Empty, Full> {
        Ok(Empty)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Full> {
        Err(Full)
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Full> {
        Err(Full)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Full> {
        Err(Full)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Empty, Full> {
        Ok(Empty)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Empty, Full> {
        Ok(Empty)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Full> {
        Err(Full)
    }
}

impl SerializeSeq for Empty {
    type Ok = ();
    type Error = Full;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Full> {
        Err(Full)
    }
    fn end(self) -> Result<(), Full> {
        Ok(())
    }
}

impl SerializeMap for Empty {
    type Ok = ();
    type Error = Full;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Full> {
        Err(Full)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Full> {
        Err(Full)
    }
    fn end(self) -> Result<(), Full> {
        Ok(())
    }
}

impl SerializeStruct for Empty {
    type Ok = ();
    type Error = Full;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Full> {
        value.serialize(Empty)
    }
    fn end(self) -> Result<(), Full> {
        Ok(())
    }
}
