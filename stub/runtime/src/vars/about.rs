//! What a template file knows of itself.

use rustle_formats::Map;

use crate::assets::Assets;

/// The variables `template_…`, `template_destpath` apart, and `ansible_managed` where nobody set it (`managed` says whether
/// somebody did). Moments are templates, because only templating has values for them; the rest is data.
pub(crate) fn about_template(assets: &dyn Assets, path: &[u8], src: &str, managed: bool) -> Map {
    let mut about = Map::new();
    let mut put = |key: &str, value: String| about.insert(key.into(), value.into());
    put("template_path", src.to_owned());
    put("template_run_date", "{{ now() }}".to_owned());
    if !managed {
        put("ansible_managed", "Ansible managed".to_owned());
    }
    match assets.origin(path) {
        Some(origin) => {
            put("template_fullpath", origin.path);
            put("template_host", origin.node);
            put("template_uid", origin.owner);
            let modified = origin.modified;
            put(
                "template_mtime",
                format!("{{{{ '{modified}' | to_datetime('%Y-%m-%d %H:%M:%S.%f') }}}}"),
            );
        }
        // An artifact says the same whoever packed it and whenever: it knows neither machine nor owner nor time.
        None => {
            let path = String::from_utf8_lossy(path).into_owned();
            put("template_fullpath", path);
        }
    }
    about
}

/// Whether it is a template: moments are.
pub(super) fn is_moment(name: &str) -> bool {
    matches!(name, "template_mtime" | "template_run_date")
}
