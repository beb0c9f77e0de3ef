//! Packing again: what is taken over, and that it changes nothing.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::{make_tree, packed, request, text};
use rustle_formats::artifact::Container;
use rustle_packer::{AssetSource, Method, PackReport, attach_overlay, diff, inspect};

/// Lets the files of a tree look as if they had not been touched for a minute.
fn settle(dir: &Path) {
    // The inode's own change time cannot be set back: wait until it counts as settled.
    std::thread::sleep(Duration::from_millis(2100));
    assert!(fs::metadata(dir).unwrap().modified().unwrap() < SystemTime::now());
}

fn run(
    output: &Path,
    tree: &Path,
    base: Option<&Path>,
    cache: Option<&Path>,
    frames: bool,
) -> (PackReport, Vec<u8>) {
    let mut request = request(output);
    request.assets = vec![AssetSource::path("tree", tree)];
    request.base = base.map(Into::into);
    request.cache = cache.map(Into::into);
    request.cache_frames = frames;
    packed(request)
}

#[test]
fn taking_over_gives_the_bytes_of_a_full_pack() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    settle(&tree);
    let (old, cache) = (dir.path().join("old"), dir.path().join("cache"));
    let (first, bytes) = run(&old, &tree, None, Some(&cache), true);
    assert_eq!(first.reused_frames, 0);
    // Nothing changed.
    let new = dir.path().join("new");
    for (base, cache) in [
        (Some(old.as_path()), None),
        (None, Some(cache.as_path())),
        (Some(&old), Some(&cache)),
    ] {
        let (report, again) = run(&new, &tree, base, cache, false);
        assert_eq!(report.reused_frames, report.data_frames);
        assert!(again == bytes);
    }
    // One file changed, one is new, one is gone.
    fs::write(tree.join("deep/er/f100"), "changed").unwrap();
    fs::write(tree.join("deep/er/f100b"), text(900, 77)).unwrap();
    fs::remove_file(tree.join("deep/er/f200")).unwrap();
    let (_, full) = run(&new, &tree, None, None, false);
    for (base, cache) in [
        (Some(old.as_path()), None),
        (None, Some(cache.as_path())),
        (Some(&old), Some(&cache)),
    ] {
        let (report, again) = run(&new, &tree, base, cache, false);
        assert!(report.reused_frames + 3 >= report.data_frames, "{report:?}");
        assert!(report.reused_frames > 0 && again == full);
    }
    let changes = diff(&old, &new).unwrap();
    assert_eq!(changes.assets.changed, ["tree/deep/er/f100"]);
    assert_eq!(changes.assets.added, ["tree/deep/er/f100b"]);
    assert_eq!(changes.assets.removed, ["tree/deep/er/f200"]);
    assert!(changes.tasks.is_empty() && !changes.plan_changed && !changes.same);
    assert!(
        changes.bytes_to_send < fs::metadata(&new).unwrap().len() / 2,
        "{changes:?}"
    );
}

#[test]
fn a_file_replaced_by_one_of_the_same_size_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("f"), "one").unwrap();
    settle(&tree);
    let cache = dir.path().join("cache");
    let out = dir.path().join("out");
    run(&out, &tree, None, Some(&cache), true);
    let modified = fs::metadata(tree.join("f")).unwrap().modified().unwrap();
    fs::write(tree.join("f"), "two").unwrap();
    fs::File::options()
        .write(true)
        .open(tree.join("f"))
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let (_, bytes) = run(&out, &tree, None, Some(&cache), true);
    let container = Container::open_file(bytes).unwrap();
    assert_eq!(common::content(&container, "tree/f"), b"two");
}

#[test]
fn a_damaged_cache_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    settle(&tree);
    let cache = dir.path().join("cache");
    let out = dir.path().join("out");
    let (_, bytes) = run(&out, &tree, None, Some(&cache), true);
    let mut pending = vec![cache.clone()];
    while let Some(at) = pending.pop() {
        if at.is_dir() {
            pending.extend(fs::read_dir(&at).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let mut content = fs::read(&at).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 0x10;
        fs::write(&at, content).unwrap();
    }
    let (report, again) = run(&out, &tree, None, Some(&cache), true);
    assert_eq!(report.reused_frames, 0);
    assert!(again == bytes);
}

#[test]
fn an_artifact_of_another_method_gives_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let mut other = request(&old);
    other.assets = vec![AssetSource::path("tree", &tree)];
    other.method = Method::Lz4;
    packed(other);
    let (report, bytes) = run(&new, &tree, Some(&old), None, false);
    assert_eq!(report.reused_frames, 0);
    assert!(bytes == run(&new, &tree, None, None, false).1);
}

#[test]
fn an_overlay_can_be_given_later() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    let (base, host) = (dir.path().join("base"), dir.path().join("host"));
    let mut with = request(&dir.path().join("with"));
    with.assets = vec![AssetSource::path("tree", &tree)];
    with.overlay = Some(Box::new(|_| Ok(b"host".to_vec())));
    let (_, at_once) = packed(with);
    run(&base, &tree, None, None, false);
    attach_overlay(&base, b"another", &host).unwrap();
    attach_overlay(&host, b"host", &host).unwrap();
    assert!(fs::read(&host).unwrap() == at_once);
    let shown = inspect(&host).unwrap();
    assert_eq!(
        (shown.overlay_size, shown.placement, shown.signer),
        (4, "append", None)
    );
    assert_eq!(
        shown.assets.len() as u32,
        Container::open_file(at_once).unwrap().asset_count()
    );
    assert!(shown.assets.iter().any(|a| a.path == "tree/caf\\xe9"));
}
