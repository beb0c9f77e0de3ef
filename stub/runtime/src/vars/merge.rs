//! Mappings laid over each other, where the plan says that they are merged (`hash_behaviour = merge`).

use rustle_template::{Dict, Key, Value as Rendered};

/// A value laid over a weaker one: mappings are merged all the way down, anything else replaces.
pub(crate) fn merged(weaker: &Rendered, stronger: &Rendered) -> Rendered {
    let (Rendered::Dict(low), Rendered::Dict(high)) = (weaker, stronger) else {
        return stronger.clone();
    };
    let out = Dict::from_map(low.borrow().clone());
    for (key, value) in high.borrow().iter() {
        let value = match low.borrow().get(key) {
            Some(below) => merged(below, value),
            None => value.clone(),
        };
        out.insert(Key::clone(key), value);
    }
    Rendered::Dict(out)
}
