//! Text in, text out: Python's formatting, regular expressions and dates, which filters, tests and methods share.

mod brace;
mod datetime;
mod number_format;
mod pattern;
mod percent;

pub(crate) use brace::brace_format;
pub(crate) use datetime::{DateTime, TimeDelta};
pub(crate) use number_format::{format_float, Spec};
pub(crate) use pattern::{Pattern, expand, escape};
pub(crate) use percent::percent_format;
