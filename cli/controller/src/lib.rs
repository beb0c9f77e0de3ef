//! Other machines: connections, deploying artifacts, and watching them run.
//!
//! Nothing here prints or reads the environment. What the process knows (the home folder, the agent's socket, how to
//! ask for a password) comes in through [`ssh::SshOptions`]; what happens comes out through callbacks.

pub mod bootstrap;
pub mod channel;
mod conversation;
pub mod destination;
pub mod fleet;
pub mod local;
pub mod offer;
mod orders;
mod process;
pub mod program;
pub mod push;
pub mod ssh;
pub mod survival;
pub mod sweep;

pub use channel::{Channel, Connection, Input};
pub use destination::Destination;
pub use orders::Orders;
