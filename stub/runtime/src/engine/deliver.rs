//! Handing a file that `fetch` has read on to the controller.

use base64::Engine as _;
use rustle_formats::session::Bytes;
use rustle_formats::{Map, Value};
use serde::{Deserialize, Serialize};

use super::driver::{READ_CHUNK, Reply, Request};
use super::invoke::Call;
use super::result;
use crate::args::{boolean, text};
use crate::context::Variables as _;

/// The name under which a host that does the task for another knows that one.
pub(super) const FOR: &str = "_rustle_fetched_for";

/// A file, or part of it, that the controller shall keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// The host that it is of, as the inventory calls it.
    pub host: String,
    /// Where it lies there.
    pub source: String,
    /// Where the controller shall put it, as the task says.
    pub dest: String,
    /// Whether `dest` is the place itself, without host and folders.
    pub flat: bool,
    /// The SHA-1 of the whole content, in hexadecimal.
    pub checksum: String,
    /// A part of the content: where it begins, and its bytes. None: it is only asked for the place, and whether the file is
    /// there already.
    pub part: Option<(u64, Bytes)>,
    /// Whether that was all.
    pub last: bool,
    /// Whether what was written is compared with the checksum.
    pub validate: bool,
}

/// Brings what the module has read to the controller, and makes the result of it.
pub(super) fn deliver(call: &Call<'_, '_, '_>, map: &mut Map) {
    let Some(Value::Str(content)) = map.shift_remove("content") else {
        if result::is(map, "skipped") {
            map.shift_remove("failed");
        }
        return;
    };
    let found = |name: &str| map.get(name).map(text).unwrap_or_default();
    let flag = |name: &str, default: bool| match call.args.get(name) {
        None | Some(Value::Null) => default,
        Some(value) => boolean(value).unwrap_or(false),
    };
    let asker = call.templar.get(FOR).ok().flatten();
    let host = asker.map_or_else(|| call.play.run.store.host.to_owned(), |name| text(&name));
    let (source, checksum, md5) = (found("source"), found("checksum"), found("md5sum"));
    let delivery = Delivery {
        host,
        source: source.clone(),
        dest: call.args.get("dest").map(text).unwrap_or_default(),
        flat: flag("flat", false),
        checksum: checksum.clone(),
        part: None,
        last: false,
        validate: flag("validate_checksum", true),
    };
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(content.as_bytes())
        .unwrap_or_default();
    for brought in ["source", "checksum", "md5sum"] {
        map.shift_remove(brought);
    }
    match hand_over(call, delivery, &bytes) {
        Err(why) => {
            *map = result::failed(&why);
            map.insert(
                "_ansible_told".into(),
                match why.starts_with("Task failed: ") {
                    true => why,
                    false => format!("Task failed: {why}"),
                }
                .into(),
            );
        }
        Ok((dest, changed)) => {
            let mut put = |name: &str, value: Value| map.insert(name.into(), value);
            put("changed", changed.into());
            put("md5sum", md5.into());
            put("dest", dest.into());
            if changed {
                put("remote_md5sum", Value::Null);
                put("remote_checksum", checksum.as_str().into());
            } else {
                put("file", source.into());
            }
            put("checksum", checksum.into());
        }
    }
}

/// Where the file is now, and whether that is new.
fn hand_over(
    call: &Call<'_, '_, '_>,
    delivery: Delivery,
    bytes: &[u8],
) -> Result<(String, bool), String> {
    let driver = call.play.run.store.driver;
    let ask = |delivery: Delivery| match driver.ask(Request::Keep(Box::new(delivery))) {
        Reply::Value(Value::Str(dest)) => Ok((dest, false)),
        Reply::Text(dest) => Ok((dest, true)),
        Reply::Refused(why) => Err(why),
        _ => Err("the controller does not answer".to_owned()),
    };
    let (dest, wanted) = ask(delivery.clone())?;
    if !wanted {
        return Ok((dest, false));
    }
    let mut offset = 0;
    loop {
        let end = bytes.len().min(offset + READ_CHUNK);
        let last = end == bytes.len();
        ask(Delivery {
            part: Some((offset as u64, bytes[offset..end].to_vec().into())),
            last,
            ..delivery.clone()
        })?;
        if last {
            return Ok((dest, true));
        }
        offset = end;
    }
}
