//! Text in, text out: Python's formatting, regular expressions and dates, which filters, tests and methods share.

mod brace;
pub(crate) mod crypt;
mod datetime;
mod json;
mod number_format;
mod pattern;
mod percent;
mod twister;

pub(crate) use brace::brace_format;
pub(crate) use datetime::{DateTime, strftime};
pub(crate) use json::{JsonStyle, write_json};
pub(crate) use pattern::{Pattern, escape, expand};
pub(crate) use percent::percent_format;
pub(crate) use twister::Twister;
