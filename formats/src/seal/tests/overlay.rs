use proptest::prelude::*;

use super::*;

#[test]
fn every_bit_flip_and_every_truncation_of_an_overlay_is_rejected() {
    let bytes = overlay_bytes(&[Lock::Key(raw(1))]);
    let trusted = [SecretKey::from_seed(&[9; 32]).public("")];
    let check = |bytes: &[u8]| {
        let overlay = Overlay::parse(bytes)?;
        overlay.verify(&trusted)?;
        overlay.verify_items()
    };
    let opens = |bytes: &[u8]| {
        let overlay = Overlay::parse(bytes)?;
        overlay.check_for(&ROOT, Some("web1"))?;
        let open = overlay.open(&[KeySource::Key(raw(1))])?;
        open.read_file(0).map(drop)
    };
    assert_eq!((check(&bytes), opens(&bytes)), (Ok(()), Ok(())));
    let mut bad = bytes.clone();
    for bit in 0..bytes.len() * 8 {
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&bad).is_err(), "bit {bit}");
        // Without a signature check too, all but the signature itself and the numbers that say where it is.
        if bit / 8 < bytes.len() - 96 {
            assert!(opens(&bad).is_err(), "bit {bit}");
        }
        bad[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..bytes.len() {
        assert!(
            check(&bytes[..len]).is_err() && opens(&bytes[..len]).is_err(),
            "length {len}"
        );
    }
    assert!(check(&[&bytes[..], b"x"].concat()).is_err());
}

#[test]
fn an_overlay_opens_and_holds_what_was_put_in() {
    let bytes = overlay_bytes(&all_locks());
    let overlay = Overlay::parse(&bytes).unwrap();
    assert_eq!((overlay.host(), overlay.base_root()), ("web1", &ROOT));
    let open = overlay.open(&all_keys()[3..]).unwrap().into_owned();
    assert_eq!(open.vars(), &content().vars);
    assert_eq!(open.secrets(), &content().secrets);
    assert_eq!(open.files()[0].mode, Some(0o600));
    let position = open.find_file("templates/app.conf").unwrap();
    assert_eq!(
        *open.read_file(position).unwrap(),
        *content().files[0].content
    );
    assert!(open.read_file(1).is_err());
}

#[test]
fn overlays_are_for_one_base_and_one_host() {
    let bytes = overlay_bytes(&[Lock::Key(raw(1))]);
    let overlay = Overlay::parse(&bytes).unwrap();
    let trusted = [SecretKey::from_seed(&[8; 32]).public("")];
    let unsigned = write_overlay(
        &content(),
        &ROOT,
        &[Lock::Key(raw(1))],
        Padding::Exact,
        None,
        &mut Counted::new("u"),
    )
    .unwrap();
    let errors = [
        overlay.check_for(&[0; 32], None).unwrap_err(),
        overlay.check_for(&ROOT, Some("web2")).unwrap_err(),
        overlay.verify(&trusted).unwrap_err(),
        Overlay::parse(&unsigned)
            .unwrap()
            .verify(&trusted)
            .unwrap_err(),
        overlay.open(&[]).unwrap_err(),
        Overlay::parse(b"\x7fELF").unwrap_err(),
        Overlay::parse(&[0; 100]).unwrap_err(),
        Overlay::parse(&bytes[..bytes.len() - 1]).unwrap_err(),
    ];
    let text: Vec<String> = errors.iter().map(|e| e.to_string()).collect();
    insta::assert_snapshot!(text.join("\n"));
    assert!(overlay.check_for(&ROOT, Some("web1")).is_ok());
}

#[test]
fn an_overlay_beside_a_signed_base_is_signed_by_the_same_key() {
    let key = |n| SecretKey::from_seed(&[n; 32]);
    let signed = overlay_bytes(&[Lock::Key(raw(1))]);
    let signed = Overlay::parse(&signed).unwrap();
    let base = |n| crate::sign::sign_root(&key(n), &ROOT);
    let own = key(9).public("");
    assert_eq!(signed.verify_beside(&[], None), Ok(None));
    assert_eq!(
        signed.verify_beside(&[], Some(&base(9))),
        Ok(Some(own.id()))
    );
    assert!(signed.verify_beside(&[], Some(&base(8))).is_err());
    // Trusted keys decide alone.
    assert!(signed.verify_beside(&[own], Some(&base(8))).is_ok());
    assert!(
        signed
            .verify_beside(&[key(8).public("")], Some(&base(9)))
            .is_err()
    );
    let unsigned = write_overlay(
        &content(),
        &ROOT,
        &[Lock::Recipient(identity(7).recipient(""))],
        Padding::Exact,
        None,
        &mut Counted::new("u"),
    )
    .unwrap();
    let unsigned = Overlay::parse(&unsigned).unwrap();
    assert!(unsigned.verify_beside(&[], None).is_ok());
    assert!(unsigned.verify_beside(&[], Some(&base(9))).is_err());
}

#[test]
fn an_open_lock_takes_variables_and_nothing_else() {
    let mut content = content();
    let write = |content: &OverlayContent| {
        write_overlay(
            content,
            &ROOT,
            &[Lock::Open],
            Padding::Exact,
            None,
            &mut Counted::new("o"),
        )
    };
    let refused = write(&content).unwrap_err().to_string();
    assert_eq!(
        refused,
        "the secret \"db_password\" needs a key, a passphrase or a recipient to be sealed for"
    );
    content.secrets = SecretMap::new();
    assert!(write(&content).is_err());
    content.files.clear();
    let bytes = write(&content).unwrap();
    let overlay = Overlay::parse(&bytes).unwrap();
    assert!(overlay.section().is_open());
    assert_eq!(overlay.open(&[]).unwrap().vars(), &content.vars);
}

#[test]
fn nothing_secret_shows_in_bytes_debug_or_errors() {
    let bytes = overlay_bytes(&all_locks());
    let overlay = Overlay::parse(&bytes).unwrap();
    let open = overlay.open(&all_keys()[..1]).unwrap();
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        content(),
        all_locks(),
        all_keys(),
        overlay,
        open,
        open.vars(),
        overlay
            .open(&[KeySource::Passphrase(pass("hunter3"))])
            .unwrap_err(),
    );
    let digest = blake3::hash(b"hunter2hunter2");
    let needles: [&[u8]; 10] = [
        b"hunter2",
        b"hunter3",
        b"clear-text",
        b"correct horse",
        b"battery staple",
        b"db_password",
        b"app.conf",
        &[0x42; 8],
        &[7; 8],
        digest.as_bytes(),
    ];
    for needle in needles {
        assert!(
            !contains(&bytes, needle),
            "{}",
            String::from_utf8_lossy(needle)
        );
    }
    // Names of secrets and files may be shown by who has opened them.
    for needle in [
        "hunter2",
        "hunter3",
        "clear-text",
        "correct horse",
        "battery",
        "66, 66",
        "BBBB",
    ] {
        assert!(!shown.contains(needle), "{needle} in {shown}");
    }
}

#[test]
fn large_files_are_sealed_in_pieces() {
    let mut content = content();
    content.files[0].content = Zeroizing::new((0..700_001u32).map(|i| i as u8).collect());
    let bytes = write_overlay(
        &content,
        &ROOT,
        &[Lock::Key(raw(1))],
        Padding::Padme,
        None,
        &mut Counted::new("l"),
    )
    .unwrap();
    let overlay = Overlay::parse(&bytes).unwrap();
    let open = overlay.open(&[KeySource::Key(raw(1))]).unwrap();
    assert_eq!(*open.read_file(0).unwrap(), *content.files[0].content);
}

/// The vectors under `fixtures/seal/` are kept forever: what was sealed once opens in every later version.
#[test]
fn the_vectors_open_and_are_made_again_byte_for_byte() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/seal/");
    let signer = SecretKey::from_seed(&[9; 32]);
    let vectors: [(&str, Vec<u8>); 7] = [
        ("section-all-locks.bin", small(&all_locks())),
        ("overlay-signed.bin", overlay_bytes(&all_locks())),
        ("overlay-fuzz-key.bin", {
            let mut content = content();
            content.host = "fuzz".into();
            let lock = [Lock::Key(RawKey::from_bytes(&fuzz::FUZZ_KEY))];
            write_overlay(
                &content,
                &ROOT,
                &lock,
                Padding::Exact,
                None,
                &mut Counted::new("fuzz"),
            )
            .unwrap()
        }),
        ("raw.key", raw(0x42).to_text().as_bytes().to_vec()),
        ("host.key", identity(7).to_text().as_bytes().to_vec()),
        ("site.key", signer.to_text().as_bytes().to_vec()),
        (
            "site.key.pub",
            format!("{}\n", signer.public("test vectors").to_line()).into_bytes(),
        ),
    ];
    for (name, bytes) in &vectors {
        let path = format!("{folder}{name}");
        if std::env::var_os("RUSTLE_WRITE_VECTORS").is_some()
            && !std::path::Path::new(&path).exists()
        {
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!(&std::fs::read(&path).unwrap(), bytes, "{name}");
    }
    for key in all_keys() {
        let secrets = open(&vectors[0].1, std::slice::from_ref(&key), &WEB1).unwrap();
        assert_eq!(secrets.get("token"), Some(&b"s3cr3t-t0ken"[..]));
        let overlay = Overlay::parse(&vectors[1].1).unwrap();
        assert!(overlay.verify(&[signer.public("")]).is_ok());
        assert_eq!(overlay.open(&[key]).unwrap().secrets(), &content().secrets);
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        "\\PC{0,12}".prop_map(Value::Str),
        "\\PC{0,12}".prop_map(Value::Unsafe),
        "[a-z]{1,8}".prop_map(Value::Secret),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[a-z]{1,4}", inner.clone()), 0..4)
                .prop_map(|m| Value::Map(m.into_iter().collect())),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Pairs),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_comes_back(
        host in "[a-zé.-]{0,20}",
        vars in prop::collection::vec(("[a-z_]{1,8}", value()), 0..6),
        secrets in prop::collection::btree_map("\\PC{1,20}", prop::collection::vec(any::<u8>(), 0..300), 0..6),
        files in prop::collection::btree_map("[a-z/]{1,20}", prop::collection::vec(any::<u8>(), 0..300), 0..4),
        exact: bool,
        seed in "[a-z]{8}",
    ) {
        let mut content = OverlayContent { host, vars: HostVars::new(vars.into_iter().collect()), ..Default::default() };
        for (name, text) in secrets {
            content.secrets.insert(name, Zeroizing::new(text));
        }
        for (name, bytes) in files {
            content.files.push(SealedFile { name, mode: None, content: Zeroizing::new(bytes) });
        }
        let padding = if exact { Padding::Exact } else { Padding::Padme };
        let bytes = write_overlay(&content, &ROOT, &[Lock::Key(raw(3))], padding, None, &mut Counted::new(&seed)).unwrap();
        let overlay = Overlay::parse(&bytes).unwrap();
        prop_assert!(overlay.verify_items().is_ok());
        let open = overlay.open(&[KeySource::Key(raw(3))]).unwrap();
        prop_assert_eq!(open.vars(), &content.vars);
        prop_assert_eq!(open.secrets(), &content.secrets);
        for (position, file) in content.files.iter().enumerate() {
            prop_assert_eq!(&*open.read_file(position).unwrap(), &*file.content);
        }
    }

    #[test]
    fn hostile_bytes_give_errors(mut bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400, with: u8) {
        fuzz::section(&bytes);
        fuzz::overlay(&bytes);
        fuzz::key_text(&bytes);
        bytes.splice(0..0, *b"RUSTSEAL\x01\0\0\0");
        fuzz::section(&bytes);
        let mut overlay = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/seal/overlay-fuzz-key.bin")).unwrap();
        let at = at % overlay.len();
        overlay[at] = with;
        fuzz::overlay(&overlay);
    }
}
