//! What is kept of runs on the machine that controls them: their events, as they came, and an audit log.
//!
//! A recorded run is its event stream and nothing else: what is printed, the report and the page are folds over it, when
//! the run happens and a year later. What was vaulted is masked by the caller before an event gets here; what a task with
//! `no_log` tells is not in its event. All of it is private to the user all the same.
//!
//! The library reads no environment and prints nothing.

mod audit;
mod junit;
pub mod page;
mod record;
mod store;

pub use audit::{Audit, AuditError, Deed, Entry, Verified, Who};
pub use junit::junit;
pub use record::{Asked, Recorder, local_time, new_id};
pub use store::{Found, Meta, Store, StoreError};
