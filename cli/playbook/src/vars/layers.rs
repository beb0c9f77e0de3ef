//! Sets of variables on top of each other.

use std::borrow::Cow;

use super::level::Level;
use super::variables::{HashBehaviour, Variables};
use crate::yaml::Node;

/// One set of variables and where it belongs.
#[derive(Debug, Clone)]
pub struct Layer<'a> {
    /// Its level.
    pub level: Level,
    /// Whose it is, for people: the group, the role. Empty: nobody's in particular.
    pub owner: Cow<'a, str>,
    /// The variables.
    pub vars: Cow<'a, Variables>,
}

impl<'a> Layer<'a> {
    /// A layer of borrowed variables.
    pub fn new(level: Level, owner: &'a str, vars: &'a Variables) -> Layer<'a> {
        Layer {
            level,
            owner: Cow::Borrowed(owner),
            vars: Cow::Borrowed(vars),
        }
    }
}

/// One place that sets a variable.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The level.
    pub level: Level,
    /// Whose it is, for people.
    pub owner: String,
    /// The value there, with its position.
    pub value: Node,
}

/// The variables of all layers; a later layer wins.
pub fn merge(layers: &[Layer<'_>], behaviour: HashBehaviour) -> Variables {
    let mut out = Variables::default();
    for layer in layers {
        out.merge(&layer.vars, behaviour);
    }
    out
}

/// Every place that sets a variable, in order; the last one wins (or is merged with those before it).
pub fn explain(name: &str, layers: &[Layer<'_>]) -> Vec<Setting> {
    layers
        .iter()
        .filter_map(|layer| {
            Some(Setting {
                level: layer.level,
                owner: layer.owner.to_string(),
                value: layer.vars.get(name)?.clone(),
            })
        })
        .collect()
}

/// Puts layers of a play into order: by level, and within a level as they are given.
pub fn in_order<'a>(mut layers: Vec<Layer<'a>>) -> Vec<Layer<'a>> {
    layers.sort_by_key(|l| l.level);
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Position, Sources};

    #[test]
    fn the_higher_level_wins_and_every_place_is_told() {
        let file = Sources::default().add("x", "");
        let at = |line| Position {
            file,
            line,
            column: 1,
        };
        let set = |line: u32| {
            let mut vars = Variables::default();
            vars.set(
                "x",
                Node::text(format!("v{line}"), at(line)),
                HashBehaviour::Replace,
            );
            vars
        };
        let all = [
            Level::ExtraVars,
            Level::RoleDefaults,
            Level::TaskVars,
            Level::InventoryHost,
            Level::PlayVars,
            Level::InventoryAll,
        ];
        let vars: Vec<Variables> = (0..6).map(set).collect();
        let layers = in_order(
            all.iter()
                .zip(&vars)
                .map(|(l, v)| Layer::new(*l, "", v))
                .collect(),
        );
        let merged = merge(&layers, HashBehaviour::Replace);
        assert_eq!(merged.get("x").and_then(Node::as_str), Some("v0"));
        let numbers: Vec<u8> = explain("x", &layers)
            .iter()
            .map(|s| s.level.number())
            .collect();
        assert_eq!(numbers, [2, 3, 8, 12, 17, 22]);
        assert!(explain("y", &layers).is_empty());
    }
}
