//! The runner: all of it is in the library, so that tests can reach it.

use std::process::ExitCode;

// Musl's is the static libunwind of the compiler; glibc's own code needs the one of libgcc.
#[cfg(all(panic = "abort", target_env = "musl"))]
mod unwinding;

fn main() -> ExitCode {
    ExitCode::from(rustle_stub::main())
}
