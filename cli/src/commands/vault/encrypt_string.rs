//! `rustle vault encrypt-string`: strings as YAML values with the tag `!vault`.

use std::fmt::Write as _;
use std::io::Write as _;

use zeroize::Zeroizing;

use super::{STANDARD, done, encrypt, read, refused, write};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::Surroundings;
use crate::vault_options::VaultOptions;

/// Encrypts strings for use in YAML. Without strings: standard input.
#[derive(Debug, clap::Args)]
pub(crate) struct EncryptString {
    /// The strings; -: standard input.
    #[arg(value_name = "STRING")]
    strings: Vec<String>,
    /// Ask for a string.
    #[arg(short, long)]
    prompt: bool,
    /// Show what is typed.
    #[arg(long)]
    show_input: bool,
    /// The variable's name. May be given once for each string.
    #[arg(short, long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// The variable's name for standard input.
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<String>,
    /// Write to this file; -: standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The vault id that encrypts, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

/// A string and where it is from.
struct Given {
    text: Zeroizing<Vec<u8>>,
    name: Option<String>,
    from: &'static str,
}

/// How far the lines of a value are indented, as by ansible-vault.
const INDENT: &str = "          ";

impl EncryptString {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let surroundings = Surroundings::load(console)?;
        let id = self.encrypt_vault_id.as_deref();
        let secret = self.vault.new_secret(&surroundings, console, id)?;
        let given = self.given(console)?;
        let mut out = String::new();
        for (at, string) in given.iter().enumerate() {
            let sealed = encrypt(&secret, secret.id(), &string.text, &surroundings.config)
                .map_err(|e| refused(string.from, &e))?;
            if given.len() > 1 {
                let number = at + 1;
                console.info(&match &string.name {
                    Some(name) => format!(
                        "# The encrypted version of variable (\"{name}\", the string #{number} from {}).",
                        string.from
                    ),
                    None => {
                        format!("# The encrypted version of the string #{number} from {}.", string.from)
                    }
                });
            }
            if let Some(name) = &string.name {
                let _ = write!(out, "{name}: ");
            }
            out.push_str("!vault |\n");
            for line in sealed.lines() {
                let _ = writeln!(out, "{INDENT}{line}");
            }
        }
        let to = self.output.as_deref().unwrap_or(STANDARD);
        write(to, out.as_bytes(), None)?;
        done(console, "Encryption successful");
        Ok(Exit::Done)
    }

    /// The strings: of the prompt, of standard input, of the command line.
    fn given(&self, console: &Console) -> Result<Vec<Given>, Failure> {
        let mut given = Vec::new();
        if self.prompt {
            given.push(self.asked()?);
        }
        let nothing = self.strings.is_empty() && !self.prompt;
        if nothing || self.strings.iter().any(|s| s == STANDARD) {
            let text = read(STANDARD, "plaintext")?;
            given.push(Given {
                text: not_empty(text, "standard input")?,
                name: self.stdin_name.clone(),
                from: "stdin",
            });
        }
        let strings: Vec<&String> = self.strings.iter().filter(|s| *s != STANDARD).collect();
        if !self.names.is_empty() && self.names.len() != strings.len() && !strings.is_empty() {
            console.info("The number of --name options do not match the number of args.");
            if let Some(last) = self.names.last() {
                console.info(&format!(
                    "The last named variable will be \"{last}\". The rest will not have names."
                ));
            }
        }
        for (at, string) in strings.into_iter().enumerate() {
            let text = Zeroizing::new(string.as_bytes().to_vec());
            given.push(Given {
                text: not_empty(text, "the string on the command line")?,
                name: self.names.get(at).cloned(),
                from: "the command line args",
            });
        }
        Ok(given)
    }

    fn asked(&self) -> Result<Given, Failure> {
        let name = visible("Variable name (enter for no name): ")?;
        let text = if self.show_input {
            visible("String to encrypt:")?
        } else {
            crate::terminal::ask("String to encrypt (hidden): ")
                .ok_or_else(|| Failure::text(Exit::Plan, "nobody typed a string"))?
        };
        let text = Zeroizing::new(text.as_bytes().to_vec());
        Ok(Given {
            text: not_empty(text, "the string of the prompt")?,
            name: (!name.is_empty()).then(|| name.to_string()),
            from: "the interactive prompt",
        })
    }
}

/// Asks for a line that is shown while it is typed.
fn visible(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    let _ = std::io::stdout()
        .write_all(prompt.as_bytes())
        .and_then(|()| std::io::stdout().flush());
    let mut line = Zeroizing::new(String::with_capacity(1024));
    match std::io::stdin().read_line(&mut line) {
        Ok(n) if n > 0 => {}
        _ => return Err(Failure::text(Exit::Plan, "nobody answered the question")),
    }
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Ok(line)
}

fn not_empty(text: Zeroizing<Vec<u8>>, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if text.is_empty() {
        return Err(Failure::text(
            Exit::Options,
            format!("{what} is empty: nothing was encrypted"),
        ));
    }
    Ok(text)
}
