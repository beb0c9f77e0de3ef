//! What `groupby` gives: a pair that also has names.

use std::any::Any;

use crate::Error;
use crate::eval::Interp;
use crate::value::{Object, Value};

struct Group {
    key: Value,
    items: Value,
}

/// A group under its key.
pub(super) fn group(key: Value, items: Vec<Value>) -> Value {
    Value::object(Group {
        key,
        items: Value::list(items),
    })
}

impl Group {
    fn pair(&self) -> Vec<Value> {
        vec![self.key.clone(), self.items.clone()]
    }
}

impl Object for Group {
    fn type_name(&self) -> &str {
        "GroupTuple"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn get_attr(&self, _: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        Ok(match name {
            "grouper" => Some(self.key.clone()),
            "list" => Some(self.items.clone()),
            _ => None,
        })
    }

    fn get_item(&self, _: &mut Interp<'_>, key: &Value) -> Result<Option<Value>, Error> {
        Ok(match key.as_int() {
            Some(0 | -2) => Some(self.key.clone()),
            Some(1 | -1) => Some(self.items.clone()),
            _ => None,
        })
    }

    fn iterate(&self) -> Option<Result<Vec<Value>, Error>> {
        Some(Ok(self.pair()))
    }

    fn len(&self) -> Option<usize> {
        Some(2)
    }

    fn text(&self) -> String {
        crate::value::repr(&Value::tuple(self.pair())).unwrap_or_default()
    }

    fn to_data(&self) -> Option<Value> {
        Some(Value::list(self.pair()))
    }
}
