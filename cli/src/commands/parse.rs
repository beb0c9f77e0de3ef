//! `rustle parse`: a playbook and its inventory as one JSON document.

use std::path::PathBuf;

use rustle_planner::documents::ParsedPlaybook;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_cache::{self, Answer};
use crate::planning::{Input, Made, SourceOptions};

/// Reads a playbook with its roles, includes, variables and inventory, and prints it as one JSON document (`rustle schema
/// parsed`), for `rustle facts` and `rustle plan`. What is vaulted stays encrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct Parse {
    /// The playbook; `-`: standard input.
    #[arg(value_name = "PLAYBOOK")]
    playbook: PathBuf,
    /// The inventory, as with -i.
    #[arg(value_name = "INVENTORY")]
    sources: Vec<String>,
    #[command(flatten)]
    options: SourceOptions,
}

impl Parse {
    /// Prints it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let options = self.options.with_inventory(&self.sources);
        let input = Input::read(&self.playbook)?;
        if matches!(input, Input::Document(_)) {
            return Err(Failure::text(
                Exit::Refused,
                format!("{} is a document and no playbook", self.playbook.display()),
            ));
        }
        let question = format!("parse {self:?}");
        plan_cache::answer(input, &options, &question, console, written)?.give(console)
    }
}

fn written(mut made: Made) -> Result<Answer, Failure> {
    made.sound()?;
    let vault_ids = made.vault_ids();
    let mut document = ParsedPlaybook::of(made.plan, made.patterns, made.name);
    document.vault_ids = vault_ids;
    Ok(Answer {
        text: super::document(&document, &made.ciphertexts)?,
        after: Vec::new(),
        exit: Exit::Done,
        lasting: true,
    })
}
