//! SIGINT, SIGTERM and SIGHUP end a run in an orderly way: the step is finished or aborted, the report written. A second
//! signal ends the program at once.
//!
//! SIGPIPE is ignored (Rust's default): a reader that goes away must not leave a machine half configured.

use std::sync::atomic::{AtomicI32, Ordering};

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: libc::c_int) {
    if CAUGHT.swap(signal, Ordering::SeqCst) != 0 {
        // SAFETY: `_exit` is async-signal-safe and takes any number.
        unsafe { libc::_exit(exit_code_of(signal)) }
    }
}

const fn exit_code_of(signal: libc::c_int) -> libc::c_int {
    // ansible-playbook's code for an interrupt; for others what a shell reports.
    if signal == libc::SIGINT {
        99
    } else {
        128 + signal
    }
}

/// Begins to catch signals. One that was ignored when the program started (`nohup`) stays ignored.
pub(crate) fn catch() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: both structures are plain data that is valid when zeroed; the handler only touches an atomic and calls
        // `_exit`, which are async-signal-safe.
        unsafe {
            let mut old: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut old) == 0
                && old.sa_sigaction == libc::SIG_IGN
            {
                continue;
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as *const () as libc::sighandler_t;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

extern "C" fn pass_over(_: libc::c_int) {}

/// From now on a terminal or a login that goes away does not end the run. What the run starts still hears of it: it is a
/// handler that does nothing, and not a signal that is ignored.
pub(crate) fn outlive_terminal() {
    // Who leads a session already has none to leave.
    let _ = rustix::process::setsid();
    // SAFETY: the structure is plain data that is valid when zeroed; the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = pass_over as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGHUP, &raw const action, std::ptr::null_mut());
    }
}

/// Whether a signal came.
pub(crate) fn caught() -> bool {
    CAUGHT.load(Ordering::Relaxed) != 0
}

/// The name and exit code of the signal that came, if one did.
pub(crate) fn ended_by() -> Option<(&'static str, u8)> {
    match CAUGHT.load(Ordering::Relaxed) {
        0 => None,
        libc::SIGINT => Some(("SIGINT", 99)),
        libc::SIGTERM => Some(("SIGTERM", 143)),
        _ => Some(("SIGHUP", 129)),
    }
}
