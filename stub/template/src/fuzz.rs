//! Bodies of the fuzz targets: any bytes in, no panic and no endless recursion. Tests call them too.

use crate::{Engine, FileOptions};

/// Reads bytes as a template in a plan, as a bare expression, and as a template file. Nothing is rendered: what a template computes is
/// its author's affair.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let engine = Engine::new();
    let _ = (engine.check_syntax(text), engine.check_expr(text));
    let _ = engine.check_file(text, "fuzz", &FileOptions::default());
}

/// Reads bytes as YAML.
pub fn yaml(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = crate::parse_yaml(text);
    }
}
