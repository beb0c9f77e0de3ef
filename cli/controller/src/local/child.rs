//! A runner in a process of its own on this machine, spoken to as one over ssh is.

use std::io;
use std::path::PathBuf;
use std::process::Command;

use crate::channel::{Channel, Connection};
use crate::process::ProcessChannel;

/// This machine: the runner as a program, and a folder for its cache.
#[derive(Debug, Clone)]
pub struct ChildConnection {
    /// The runner.
    pub program: PathBuf,
    /// The folder that it puts artifacts into.
    pub cache: PathBuf,
}

impl Connection for ChildConnection {
    fn exec(&mut self, command: &str) -> io::Result<Box<dyn Channel + '_>> {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(command);
        Ok(Box::new(ProcessChannel::start(shell)?))
    }

    fn has_runner(&self) -> bool {
        true
    }

    fn runner(&mut self) -> io::Result<Box<dyn Channel + '_>> {
        let mut runner = Command::new(&self.program);
        runner.arg("--session").arg(&self.cache);
        Ok(Box::new(ProcessChannel::start(runner)?))
    }
}
