//! Bodies of the fuzz targets for plans: any bytes in, no panic and no boundless memory. Tests call them too.

use super::ExecutionPlan;
use super::json::read;

/// Reads bytes as a plan's JSON, in any of the shapes that are known; one that is accepted is written and read again.
///
/// # Panics
/// Where a plan that was read does not come back as it was written.
pub fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if read(text).is_ok()
        && let Ok(plan) = ExecutionPlan::from_json(text)
    {
        let written = plan.to_json().expect("what was read can be written");
        let again = ExecutionPlan::from_json(&written).expect("what was written can be read");
        assert_eq!(again.to_json().ok(), Some(written));
    }
}

/// Reads bytes as the plan in an artifact, behind its decompression.
pub fn postcard(bytes: &[u8]) {
    let _ = postcard::take_from_bytes::<ExecutionPlan>(bytes);
}
