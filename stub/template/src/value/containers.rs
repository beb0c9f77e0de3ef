//! Lists and dictionaries: shared and mutable, as in Python.
//!
//! Variables hold text that may be a template. Such a container is handed out as it is and its elements are
//! rendered when they are read, so each container remembers whether there is anything to render in it.

use std::cell::{Cell, Ref, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use indexmap::{Equivalent, IndexMap};

use super::{Value, equal, number};
use crate::Error;

/// Whether a container holds templates, as far as anybody has looked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Templates {
    /// Nobody has looked yet, or it changed since.
    Unknown,
    /// None, all the way down.
    No,
    /// At least one.
    Yes,
}

struct Shared<T> {
    items: RefCell<T>,
    templates: Cell<Templates>,
    /// Belongs to the variables: templates work on a copy instead of changing it.
    frozen: Cell<bool>,
}

impl<T> Shared<T> {
    fn new(items: T) -> Rc<Self> {
        Rc::new(Shared {
            items: RefCell::new(items),
            templates: Cell::new(Templates::Unknown),
            frozen: Cell::new(false),
        })
    }
}

/// A shared, mutable list.
#[derive(Clone)]
pub struct List(Rc<Shared<Vec<Value>>>);

impl List {
    /// A new list.
    pub fn new(items: Vec<Value>) -> Self {
        List(Shared::new(items))
    }

    /// The elements. Keep the borrow short: nothing that may run template code.
    pub fn borrow(&self) -> Ref<'_, Vec<Value>> {
        self.0.items.borrow()
    }

    /// A copy of the elements.
    pub fn to_vec(&self) -> Vec<Value> {
        self.borrow().clone()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.borrow().len()
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.borrow().is_empty()
    }

    /// The element at an index from the start.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.borrow().get(index).cloned()
    }

    /// Changes the list in place.
    pub fn edit<R>(&self, change: impl FnOnce(&mut Vec<Value>) -> R) -> R {
        self.0.templates.set(Templates::Unknown);
        change(&mut self.0.items.borrow_mut())
    }

    /// Something that is the same for two handles of one list only.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).cast::<u8>() as usize
    }

    /// True if the list belongs to the variables.
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.frozen.get()
    }

    pub(crate) fn holds_templates(&self, depth: usize) -> bool {
        remembered(&self.0.templates, || {
            self.borrow()
                .iter()
                .any(|item| has_templates(item, depth + 1))
        })
    }
}

/// A shared, mutable dictionary in insertion order.
#[derive(Clone)]
pub struct Dict(Rc<Shared<IndexMap<Key, Value>>>);

impl Default for Dict {
    fn default() -> Self {
        Self::new()
    }
}

impl Dict {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::from_map(IndexMap::new())
    }

    /// A dictionary of these entries.
    pub fn from_map(map: IndexMap<Key, Value>) -> Self {
        Dict(Shared::new(map))
    }

    /// The entries. Keep the borrow short: nothing that may run template code.
    pub fn borrow(&self) -> Ref<'_, IndexMap<Key, Value>> {
        self.0.items.borrow()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.borrow().len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.borrow().is_empty()
    }

    /// The value under a text key.
    pub fn get_str(&self, key: &str) -> Option<Value> {
        self.borrow().get(&StrKey(key)).cloned()
    }

    /// The value under any key; an error for values that cannot be keys.
    pub fn get(&self, key: &Value) -> Result<Option<Value>, Error> {
        match key {
            Value::Str(s) => Ok(self.get_str(s)),
            other => Ok(self.borrow().get(&Key::new(other.clone())?).cloned()),
        }
    }

    /// Sets one entry.
    pub fn insert(&self, key: Key, value: Value) {
        self.edit(|map| map.insert(key, value));
    }

    /// Changes the dictionary in place.
    pub fn edit<R>(&self, change: impl FnOnce(&mut IndexMap<Key, Value>) -> R) -> R {
        self.0.templates.set(Templates::Unknown);
        change(&mut self.0.items.borrow_mut())
    }

    /// The keys, as values.
    pub fn keys(&self) -> Vec<Value> {
        self.borrow().keys().map(|key| key.0.clone()).collect()
    }

    /// The values.
    pub fn values(&self) -> Vec<Value> {
        self.borrow().values().cloned().collect()
    }

    /// The entries, as pairs of values.
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        self.borrow()
            .iter()
            .map(|(key, value)| (key.0.clone(), value.clone()))
            .collect()
    }

    /// Something that is the same for two handles of one dictionary only.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).cast::<u8>() as usize
    }

    /// True if the dictionary belongs to the variables.
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.frozen.get()
    }

    pub(crate) fn holds_templates(&self, depth: usize) -> bool {
        remembered(&self.0.templates, || {
            self.borrow()
                .values()
                .any(|item| has_templates(item, depth + 1))
        })
    }
}

fn remembered(state: &Cell<Templates>, look: impl FnOnce() -> bool) -> bool {
    match state.get() {
        Templates::Yes => true,
        Templates::No => false,
        Templates::Unknown => {
            // Said before looking, so that a list that contains itself comes to an end.
            state.set(Templates::No);
            let found = look();
            state.set(if found { Templates::Yes } else { Templates::No });
            found
        }
    }
}

/// How deep nested data may be before it counts as too deep to look into.
pub(crate) const MAX_DATA_DEPTH: usize = 200;

/// True if rendering the value would change it.
pub(crate) fn has_templates(value: &Value, depth: usize) -> bool {
    if depth > MAX_DATA_DEPTH {
        return false;
    }
    match value {
        Value::Str(s) => s.is_template(),
        Value::List(list) => list.holds_templates(depth),
        Value::Dict(dict) => dict.holds_templates(depth),
        Value::Tuple(items) => items.iter().any(|item| has_templates(item, depth + 1)),
        _ => false,
    }
}

/// Marks a value, all the way down, as belonging to the variables. Done once for each container.
pub(crate) fn freeze(value: &Value, depth: usize) {
    if depth > MAX_DATA_DEPTH {
        return;
    }
    match value {
        Value::List(list) if !list.0.frozen.replace(true) => {
            list.borrow()
                .iter()
                .for_each(|item| freeze(item, depth + 1));
        }
        Value::Dict(dict) if !dict.0.frozen.replace(true) => {
            dict.borrow()
                .values()
                .for_each(|item| freeze(item, depth + 1));
        }
        Value::Tuple(items) => items.iter().for_each(|item| freeze(item, depth + 1)),
        _ => {}
    }
}

/// A copy that may be changed, all the way down.
pub(crate) fn thaw(value: &Value, depth: usize) -> Value {
    if depth > MAX_DATA_DEPTH {
        return value.clone();
    }
    match value {
        Value::List(list) => Value::list(
            list.borrow()
                .iter()
                .map(|item| thaw(item, depth + 1))
                .collect(),
        ),
        Value::Dict(dict) => Value::Dict(Dict::from_map(
            dict.borrow()
                .iter()
                .map(|(key, item)| (key.clone(), thaw(item, depth + 1)))
                .collect(),
        )),
        other => other.clone(),
    }
}

/// A dictionary key: any value that Python can hash.
#[derive(Clone)]
pub struct Key(Value);

impl Key {
    /// The key for a value; lists, dictionaries and undefined values are none.
    pub fn new(value: Value) -> Result<Key, Error> {
        match &value {
            Value::Undefined(u) => Err(u.error()),
            Value::List(_) | Value::Dict(_) => Err(Error::type_error(format!(
                "unhashable type: '{}'",
                value.type_name()
            ))),
            Value::Tuple(items) => {
                for item in items.iter() {
                    Key::new(item.clone())?;
                }
                Ok(Key(value))
            }
            _ => Ok(Key(value)),
        }
    }

    /// The key for text.
    #[allow(clippy::should_implement_trait)] // cannot fail, and takes anything that becomes shared text
    pub fn from_str(text: impl Into<Rc<str>>) -> Key {
        Key(Value::str(text))
    }

    /// The key as a value.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_value(&self.0, state);
    }
}

/// Values that are equal must hash alike, across types too: `1 == True == 1.0`.
fn hash_value<H: Hasher>(value: &Value, state: &mut H) {
    match value {
        Value::Str(s) => StrKey(s).hash(state),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Big(_) => {
            2u8.hash(state);
            number::hash_bits(value).hash(state);
        }
        Value::Tuple(items) => {
            3u8.hash(state);
            for item in items.iter() {
                hash_value(item, state);
            }
        }
        Value::Bytes(bytes) => {
            4u8.hash(state);
            bytes.hash(state);
        }
        _ => 5u8.hash(state),
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Str(a), Value::Str(b)) => a.as_str() == b.as_str(),
            (a, b) => equal(a, b).unwrap_or(false),
        }
    }
}

impl Eq for Key {}

/// A borrowed text key, for looking up without allocating.
pub struct StrKey<'a>(pub &'a str);

impl Hash for StrKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        1u8.hash(state);
        self.0.hash(state);
    }
}

impl Equivalent<Key> for StrKey<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        key.0.as_str() == Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one_key() {
        let dict = Dict::new();
        dict.insert(Key::new(Value::Int(1)).unwrap(), Value::str("a"));
        assert_eq!(dict.get(&Value::Float(1.0)).unwrap(), Some(Value::str("a")));
        assert_eq!(dict.get(&Value::Bool(true)).unwrap(), Some(Value::str("a")));
        assert!(dict.get(&Value::list(vec![])).is_err());
    }

    #[test]
    fn a_list_in_itself_comes_to_an_end() {
        let list = List::new(vec![]);
        list.edit(|items| items.push(Value::List(list.clone())));
        assert!(!has_templates(&Value::List(list.clone()), 0));
        list.edit(Vec::clear);
    }
}
