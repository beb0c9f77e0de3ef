//! Vectors with wrong assets, manifests and plans in a right container.

use super::*;

/// Wrong assets in a right container.
pub(super) fn bad_assets() -> Vec<Vector> {
    let of = |entries: &[_], data: &[&[u8]]| Forge::new(entries, data).build();
    let named = |path: &str| {
        assert!(check_path(path.as_bytes()).is_err());
        of(&[file(path, 0, 0, b"x")], &[b"x"])
    };
    let one = |change: fn(&mut Forge)| forged(change);
    let hard = |to: &str| Kind::Hardlink { to: to.into() };
    vec![
        bad(
            "path-climbs",
            "a path with ..",
            "component",
            named("a/../../b"),
        ),
        bad(
            "path-absolute",
            "a path that begins with /",
            "absolute",
            named("/etc/passwd"),
        ),
        bad(
            "path-double",
            "a path with an empty component",
            "component",
            named("a//b"),
        ),
        bad("path-nul", "a path with a NUL byte", "NUL", named("a\0b")),
        bad("path-order", "paths that are not in order", "order", {
            of(&[file("b", 0, 0, b"x"), file("a", 0, 0, b"x")], &[b"x"])
        }),
        bad(
            "path-twice",
            "a path twice",
            "order",
            of(&[file("a", 0, 0, b"x"), file("a", 0, 0, b"x")], &[b"x"]),
        ),
        bad("below-a-file", "a file below a file", "no folder", {
            of(&[file("a", 0, 0, b"x"), file("a/b", 0, 0, b"x")], &[b"x"])
        }),
        bad(
            "below-a-link",
            "a file below a symbolic link",
            "no folder",
            {
                of(
                    &[
                        entry(
                            "a",
                            Kind::Symlink {
                                target: b"/etc".to_vec(),
                            },
                        ),
                        file("a/b", 0, 0, b"x"),
                    ],
                    &[b"x"],
                )
            },
        ),
        bad("link-empty", "a symbolic link to nothing", "target", {
            of(&[entry("a", Kind::Symlink { target: Vec::new() })], &[])
        }),
        bad(
            "hardlink-forward",
            "a hard link to a later path",
            "point back",
            of(&[entry("a", hard("b")), file("b", 0, 0, b"x")], &[b"x"]),
        ),
        bad("hardlink-lost", "a hard link to no asset", "no file", {
            of(&[file("b", 0, 0, b"x"), entry("c", hard("a"))], &[b"x"])
        }),
        bad("mode", "a mode above 0o7777", "mode", {
            let mut entry = file("a", 0, 0, b"x");
            entry.mode = 0o10000;
            of(&[entry], &[b"x"])
        }),
        bad(
            "asset-digest",
            "a content that does not have its digest",
            "digest",
            of(&[file("a", 0, 0, b"y")], &[b"x"]),
        ),
        bad(
            "asset-frame",
            "an asset in a frame that is not there",
            "not there",
            of(&[file("a", 9, 0, b"x")], &[b"x"]),
        ),
        bad(
            "asset-index-frame",
            "an asset in a frame of the index",
            "not there",
            of(&[file("a", 1, 0, b"x")], &[b"x"]),
        ),
        bad(
            "asset-outside",
            "an asset behind its frame's end",
            "outside its frame",
            of(&[file("a", 0, 1, b"x")], &[b"x"]),
        ),
        bad("asset-overlap", "two assets that overlap", "overlap", {
            of(
                &[file("a", 0, 0, b"firs"), file("b", 0, 3, b"st")],
                &[b"first"],
            )
        }),
        bad(
            "frame-gap",
            "bytes of a frame that belong to no asset",
            "fill",
            of(&[file("a", 0, 0, b"x")], &[b"xy"]),
        ),
        bad(
            "frame-unused",
            "a frame that no asset uses",
            "fill",
            of(&[file("a", 0, 0, b"x")], &[b"x", b"z"]),
        ),
        bad(
            "page-junk",
            "bytes behind a page",
            "after an index page",
            one(|f| f.pages[0].push(0)),
        ),
        bad(
            "page-short",
            "a page that ends early",
            "ends early",
            one(|f| f.pages[0].truncate(20)),
        ),
        bad(
            "page-other",
            "a page that does not fit the directory",
            "directory",
            {
                one(|f| {
                    f.pages[0] = page(&[file("A", 0, 0, b"first"), file("b/c", 0, 5, b"second")])
                })
            },
        ),
        bad(
            "page-kind",
            "a kind of asset that nobody knows",
            "kind",
            one(|f| f.pages[0][0] = 9),
        ),
        bad(
            "page-varint",
            "a number in more bytes than it needs",
            "shortest",
            {
                one(|f| {
                    f.pages[0].splice(1..2, [0x80, 0x00]);
                })
            },
        ),
        bad(
            "directory-junk",
            "bytes behind the directory",
            "after the asset directory",
            one(|f| f.directory.push(0)),
        ),
        bad(
            "directory-shape",
            "a shape of the index that nobody knows",
            "shape",
            one(|f| f.directory[0] = 1),
        ),
        bad(
            "manifest-junk",
            "bytes behind the manifest",
            "manifest",
            one(|f| f.manifest.push(0)),
        ),
        bad(
            "manifest-counts",
            "the manifest miscounts the assets",
            "miscounts",
            {
                let mut forge = base();
                forge.manifest = Forge::new(&[file("a", 0, 0, b"first")], &[b"first"]).manifest;
                forge.build()
            },
        ),
        bad(
            "plan-junk",
            "bytes behind the plan",
            "after the plan",
            one(|f| f.plan.push(0)),
        ),
        bad(
            "plan-broken",
            "a plan that is none",
            "plan cannot be read",
            one(|f| f.plan = vec![0xff; 40]),
        ),
    ]
}
