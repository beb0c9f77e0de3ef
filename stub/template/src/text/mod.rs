//! Text in, text out: Python's formatting, regular expressions and dates, which filters, tests and methods share.

mod brace;
mod datetime;
mod number_format;
mod pattern;
mod percent;

pub(crate) use brace::brace_format;
pub(crate) use datetime::{DateTime, TimeDelta};
pub(crate) use number_format::{Spec, format_float};
pub(crate) use pattern::{Pattern, escape, expand};
pub(crate) use percent::percent_format;
