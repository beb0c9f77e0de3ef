//! The `#jinja2:` line at the top of a template file, which overrides how the file is read.

use crate::syntax::Syntax;
use crate::{Error, ErrorKind};

const HEADER: &str = "#jinja2:";

/// Applies the header, if there is one, and returns what follows it.
pub(crate) fn read<'s>(source: &'s str, syntax: &mut Syntax) -> Result<&'s str, Error> {
    let Some(rest) = source.strip_prefix(HEADER) else {
        return Ok(source);
    };
    let (line, body) = rest.split_once('\n').unwrap_or((rest, ""));
    for pair in line.split(',') {
        let Some((key, value)) = pair.split_once(':') else {
            return Err(bad(format!(
                "unable to parse the template override '{}'",
                pair.trim()
            )));
        };
        set(syntax, key.trim(), value.trim())?;
    }
    Ok(body)
}

fn bad(message: String) -> Error {
    Error::new(ErrorKind::Syntax, message).at(1, 1)
}

fn set(syntax: &mut Syntax, key: &str, value: &str) -> Result<(), Error> {
    let text = || {
        let quoted = ['\'', '"']
            .into_iter()
            .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        match quoted.unwrap_or(value) {
            "" => Err(bad(format!("the template override '{key}' needs a value"))),
            text => Ok(text.to_owned()),
        }
    };
    let flag = || match value {
        "True" | "true" => Ok(true),
        "False" | "false" => Ok(false),
        other => Err(bad(format!(
            "the template override '{key}' is True or False, not '{other}'"
        ))),
    };
    match key {
        "block_start_string" => syntax.block_start = text()?,
        "block_end_string" => syntax.block_end = text()?,
        "variable_start_string" => syntax.variable_start = text()?,
        "variable_end_string" => syntax.variable_end = text()?,
        "comment_start_string" => syntax.comment_start = text()?,
        "comment_end_string" => syntax.comment_end = text()?,
        "newline_sequence" => {
            syntax.newline_sequence = text()?.replace("\\r", "\r").replace("\\n", "\n")
        }
        "trim_blocks" => syntax.trim_blocks = flag()?,
        "lstrip_blocks" => syntax.lstrip_blocks = flag()?,
        "keep_trailing_newline" => syntax.keep_trailing_newline = flag()?,
        other => return Err(bad(format!("unknown template override '{other}'"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_taken_and_applied() {
        let mut syntax = Syntax::default();
        let rest = read(
            "#jinja2: trim_blocks: False, variable_start_string:'[%'\nx\n",
            &mut syntax,
        )
        .unwrap();
        assert_eq!(
            (rest, syntax.trim_blocks, syntax.variable_start.as_str()),
            ("x\n", false, "[%")
        );
        assert!(read("#jinja2: nonsense: True\n", &mut syntax).is_err());
    }
}
