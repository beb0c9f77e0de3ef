//! Asks the questions of `vars_prompt`.

use std::io::IsTerminal as _;

use indexmap::IndexMap;
use rustle_formats::Value;
use rustle_playbook::Problem;
use rustle_playbook::play::Question;
use zeroize::Zeroizing;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::playbook_source::Parts;
use crate::terminal;

/// Asks what the extra variables do not answer: the questions of all plays, before the first one runs. Without a terminal the
/// defaults count, as under Ansible.
///
/// # Errors
/// Where a question is not written as it should be, or its answer cannot be encrypted.
pub(super) fn ask(
    parts: &Parts<'_>,
    console: &Console,
) -> Result<IndexMap<String, Value>, Problem> {
    let mut out = IndexMap::new();
    let interactive = std::io::stdin().is_terminal();
    let mut said = interactive;
    for play in &parts.playbook.plays {
        for question in parts.reader.questions(play)? {
            if parts.extra.get(&question.name).is_some() {
                continue;
            }
            if !said {
                said = true;
                let message =
                    "nobody is asked for the variables of `vars_prompt`: there is no terminal";
                console.say(&Diagnostic::new(Level::Warning, message));
            }
            let answer = match interactive {
                true => answer(&question),
                false => question.default.clone().map(Zeroizing::new),
            };
            let value = parts
                .reader
                .answered(&question, answer.as_ref().map(|a| a.as_str()))?;
            out.insert(question.name, value);
        }
    }
    Ok(out)
}

/// Asks until both answers agree; nothing counts as the default.
fn answer(question: &Question) -> Option<Zeroizing<String>> {
    let shown = question.shown();
    loop {
        let first = terminal::question(&shown, question.private)?;
        if question.confirm {
            let second = terminal::question(&format!("confirm {shown}"), question.private)?;
            if *first != *second {
                terminal::tell("***** VALUES ENTERED DO NOT MATCH ****\n");
                continue;
            }
        }
        return match (first.is_empty(), &question.default) {
            (true, Some(default)) => Some(Zeroizing::new(default.clone())),
            _ => Some(first),
        };
    }
}
