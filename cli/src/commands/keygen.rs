//! `rustle keygen`: a key pair in two files, the secret one readable by its owner only.

use std::path::PathBuf;

use rustle_packer::keys::{
    Existing, OsRandom, generate_raw_key, generate_recipient_key, generate_signing_key,
};

use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;

/// Makes a key. Without an option: one that signs artifacts (Ed25519).
#[derive(Debug, clap::Args)]
pub(crate) struct Keygen {
    /// The file of the secret half (mode 0600); the public half goes to FILE.pub.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A key that receives secrets (X25519): its .pub is for `pack --recipient`.
    #[arg(long, conflicts_with = "symmetric")]
    x25519: bool,
    /// A key that both sides know, as for RUSTLE_ENCRYPTION_KEY. One file, no .pub.
    #[arg(long)]
    symmetric: bool,
    /// A comment in the public half: whose key it is.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    comment: String,
    /// Replace a key that is there already. What only the old one opens is lost.
    #[arg(long)]
    force: bool,
}

impl Keygen {
    /// Makes it; prints the public half.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let existing = if self.force {
            Existing::Replace
        } else {
            Existing::Keep
        };
        let random = &mut OsRandom;
        if self.symmetric {
            generate_raw_key(&self.output, existing, random)?;
            console.info(&format!("secret: {} (mode 0600)", self.output.display()));
            return Ok(Exit::Done);
        }
        let make = if self.x25519 {
            generate_recipient_key
        } else {
            generate_signing_key
        };
        let pair = make(&self.output, &self.comment, existing, random)?;
        console.info(&format!("secret: {} (mode 0600)", pair.secret.display()));
        console.info(&format!("public: {}", pair.public.display()));
        print(&format!("{}\n", pair.line))?;
        Ok(Exit::Done)
    }
}
