//! `community.general.json_query`: JMESPath, over values as they are, so that mappings keep their order.

mod evaluate;
mod functions;
mod syntax;

use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::filters::{Filter, filter};
use crate::value::{Value, to_text};

pub(super) const TABLE: &[Filter] = &[filter("json_query", json_query)];

fn json_query(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [expression] = args.bind("json_query", ["expr"], 1)?;
    let text = to_text(&expression.or_none())?;
    let wrong = |message: String| {
        Error::value(format!(
            "Error in jmespath.search in json_query filter plugin:\n{message}"
        ))
    };
    let query = syntax::parse(&text).map_err(wrong)?;
    evaluate::search(&query, &value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(query: &str, json: &str) -> String {
        let data = Value::from_json(&serde_json::from_str(json).unwrap(), false);
        let query = match syntax::parse(query) {
            Ok(query) => query,
            Err(message) => return format!("syntax: {message}"),
        };
        match evaluate::search(&query, &data) {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn paths_projections_and_functions() {
        let data = r#"{"a": [{"n": 1, "k": "x"}, {"n": 2}, 3], "b": {"z": 1, "c": [[1, 2], [3]]}}"#;
        for (query, found) in [
            ("a[0].k", "'x'"),
            ("a[*].n", "[1, 2]"),
            ("a[-1]", "3"),
            ("a[?n > `1`]", "[{'n': 2}]"),
            ("a[?n == `1`].k | [0]", "'x'"),
            ("b.c[]", "[1, 2, 3]"),
            ("b.c[*][0]", "[1, 3]"),
            (
                "b.{second: c, first: z}",
                "{'second': [[1, 2], [3]], 'first': 1}",
            ),
            ("b.[z, missing]", "[1, None]"),
            ("length(a)", "3"),
            ("a[:2].n", "[1, 2]"),
            ("a[::-1] | [0]", "3"),
            ("keys(b)", "['z', 'c']"),
            ("b.*", "[1, [[1, 2], [3]]]"),
            ("sort_by(a[?n], &n)[-1].n", "2"),
            ("join(',', ['p', 'q'])", "'p,q'"),
            ("\"a\"[0].\"n\"", "1"),
            ("!missing && b.z", "1"),
            ("missing || 'raw'", "'raw'"),
            ("@.b.z", "1"),
            ("a[?contains(k || '', 'x')].n", "[1]"),
        ] {
            assert_eq!(ask(query, data), found, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for query in [
            "", "a.", "a[", "a[?", "foo(", "`{`", "'x", "a b", "a[1:2:0]", "&", "-",
        ] {
            assert!(
                ask(query, "{\"a\": [1]}").len() > 8,
                "{query}: {}",
                ask(query, "{\"a\": [1]}")
            );
        }
        assert!(syntax::parse(&"[".repeat(100_000)).is_err());
        assert!(syntax::parse(&format!("{}a", "!".repeat(100_000))).is_err());
    }
}
