//! The unwinder that a program needs which never unwinds.
//!
//! The standard library comes compiled for programs that unwind, so it calls an unwinder: to raise a panic, which
//! `panic = "abort"` replaces, and to print a backtrace. A stub has no symbols and no unwind tables (`stub/link.ld`), so
//! a backtrace could not say anything; yet its printing brings in an unwinder and a reader of DWARF, 300 kB together.
//! These definitions take the place of libunwind's and say that the stack is empty, and all of that falls away.
//!
//! Their names and types are those of the Itanium C++ ABI for exception handling, level I.

use std::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

/// Functions of the unwinder that only a raised exception leads to. None is ever raised.
macro_rules! never {
    ($($name:ident)*) => {$(
        // SAFETY: the name is libunwind's, which is a static library: its own definition is left out where there is
        // another. No argument is looked at, so the caller's number of them does not matter.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> usize {
            std::process::abort()
        }
    )*};
}

never! {
    _Unwind_RaiseException _Unwind_Resume _Unwind_DeleteException _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo
    _Unwind_GetCFA _Unwind_SetGR _Unwind_SetIP _Unwind_FindEnclosingFunction
}

/// Walks over no frame.
// SAFETY: as above; the arguments are those of the ABI, and neither is used.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(
    _visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    _argument: *mut c_void,
) -> c_int {
    END_OF_STACK
}
