//! Variables: where they are set, which one wins, and the files of group_vars/ and host_vars/.
//!
//! `variables` is a set of them, `level` the levels of precedence, `layers` joins several sets, `files` reads
//! group_vars/ and host_vars/, `inventory` gives the layers of a host before any play, `play` those of a play,
//! `extra` reads `--extra-vars`.

mod extra;
mod files;
mod inventory;
mod layers;
mod level;
mod play;
mod variables;

pub use extra::parse_extra;
pub use files::VarsFiles;
pub use inventory::{InventoryVars, Roots};
pub use layers::{Layer, Setting, explain, in_order, merge};
pub use level::Level;
pub use play::play_layers;
pub use variables::{HashBehaviour, Variables, combine};
