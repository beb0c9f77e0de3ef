use proptest::prelude::*;

use super::*;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

#[test]
fn the_test_vector_of_rfc_8032_section_7_1_holds() {
    let seed: [u8; 32] =
        hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap()
            .try_into()
            .unwrap();
    let key = SecretKey::from_seed(&seed);
    assert_eq!(
        hex::encode(key.public("").as_bytes()),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
}

#[test]
fn texts_read_back_and_say_what_they_are() {
    let secret = key(7);
    let text = secret.to_text();
    insta::assert_snapshot!(text.as_str());
    let again = SecretKey::parse(&text).unwrap();
    assert_eq!(again.public("x"), secret.public("x"));

    let list = format!(
        "# trusted\n\n{}\r\n  {}\n",
        key(1).public("ops, main site").to_line(),
        key(2).public("a\nb\u{1b}[2J").to_line()
    );
    let keys = PublicKey::parse_list(&list).unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].comment(), "ops, main site");
    assert_eq!(keys[1].comment(), "a b [2J");
}

#[test]
fn wrong_files_are_named_without_their_text() {
    let secret = key(7).to_text();
    let public = key(7).public("me").to_line();
    let bad = [
        SecretKey::parse(&public).unwrap_err(),
        SecretKey::parse("").unwrap_err(),
        SecretKey::parse("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n").unwrap_err(),
        SecretKey::parse("rustle-ed25519-secret-key\nhunter2\n").unwrap_err(),
        SecretKey::parse("rustle-ed25519-secret-key\n").unwrap_err(),
        SecretKey::parse(&format!("{}hunter2\n", secret.as_str())).unwrap_err(),
        SecretKey::parse("rustle-x25519-secret-key\nhunter2\n").unwrap_err(),
        PublicKey::parse_list(&secret).unwrap_err(),
        PublicKey::parse_list("# nothing\n").unwrap_err(),
        PublicKey::parse_list("hunter2").unwrap_err(),
        PublicKey::parse_list("rustle-ed25519 hunter2").unwrap_err(),
        PublicKey::parse_list("rustle-ed25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .unwrap_err(),
        PublicKey::parse_list(&"#".repeat(MAX_KEY_TEXT + 1)).unwrap_err(),
    ];
    let text: Vec<String> = bad.iter().map(|e| e.to_string()).collect();
    insta::assert_snapshot!(text.join("\n"));
    assert!(!text.join("").contains("hunter2"));
    assert!(!format!("{bad:?}").contains("hunter2"));
}

#[test]
fn debug_shows_no_secret() {
    let secret = key(7);
    let shown = format!("{secret:?}");
    assert_eq!(shown, format!("SecretKey({})", secret.public("").id()));
}

#[test]
fn statements_are_never_confused() {
    let root = [5u8; 32];
    let other = [6u8; 32];
    let signer = key(1);
    let trusted = [signer.public("")];
    let over = |statement: &Statement<'_>, with: &Statement<'_>| {
        verify(&trusted, statement, Some(&signer.sign(with))).is_ok()
    };
    let base = Statement::Base { root: &root };
    let overlay = |base_root, host, overlay_root| Statement::Overlay {
        base_root,
        host,
        overlay_root,
    };
    let all = [
        base,
        Statement::Base { root: &other },
        overlay(&root, "web1", &other),
        overlay(&root, "web2", &other),
        overlay(&root, "", &other),
        overlay(&other, "web1", &root),
        overlay(&other, "web1", &other),
    ];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(over(a, b), i == j, "{a:?} against {b:?}");
        }
    }
}

#[test]
fn every_bit_of_a_signature_counts() {
    let root = [9u8; 32];
    let signer = key(3);
    let trusted = [key(1).public(""), signer.public("")];
    let good = sign_root(&signer, &root).to_bytes();
    assert_eq!(
        verify_root(&trusted, &root, Some(&Signature::from_bytes(&good))).unwrap(),
        &trusted[1]
    );
    for bit in 0..SIGNATURE_LEN * 8 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_root(&trusted, &root, Some(&Signature::from_bytes(&bad))).is_err());
    }
}

#[test]
fn a_second_encoding_of_a_signature_is_refused() {
    // S + L is the same number modulo the group's order.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let signer = key(3);
    let root = [1u8; 32];
    let mut signature = sign_root(&signer, &root);
    let mut carry = 0u16;
    for (byte, add) in signature.bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(
        verify_root(&[signer.public("")], &root, Some(&signature)),
        Err(SignError::BadSignature(signature.key_id()))
    );
}

#[test]
fn weak_and_second_encodings_of_keys_are_refused() {
    let mut one = [0u8; 32];
    one[0] = 1;
    // y = p + 1, the identity in an encoding that is not its own.
    let mut identity_again = [0xffu8; 32];
    identity_again[0] = 0xee;
    identity_again[31] = 0x7f;
    // y = p + 3, a full-order point (y = 3) written above the modulus.
    let mut three_again = [0xffu8; 32];
    three_again[0] = 0xf0;
    three_again[31] = 0x7f;
    for bytes in [[0u8; 32], one, identity_again, three_again] {
        assert_eq!(PublicKey::from_bytes(&bytes, ""), Err(SignError::WeakKey));
    }
}

#[test]
fn what_is_wrong_is_said() {
    let root = [1u8; 32];
    let signature = sign_root(&key(3), &root);
    let errors = [
        verify_root(&[], &root, Some(&signature)).unwrap_err(),
        verify_root(&[key(1).public("")], &root, None).unwrap_err(),
        verify_root(&[key(1).public("")], &root, Some(&signature)).unwrap_err(),
        verify_root(&[key(3).public("")], &[2; 32], Some(&signature)).unwrap_err(),
    ];
    let text: Vec<String> = errors.iter().map(|e| e.to_string()).collect();
    insta::assert_snapshot!(text.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(rustle-(ed|x)25519(-secret-key)?[ \n])?[A-Za-z0-9+/= \n#]{0,120}") {
        let _ = SecretKey::parse(&text);
        let _ = PublicKey::parse_list(&text);
    }

    #[test]
    fn any_key_reads_back(seed: [u8; 32], comment in "\\PC{0,40}") {
        let secret = SecretKey::from_seed(&seed);
        prop_assert_eq!(SecretKey::parse(&secret.to_text()).unwrap().public(""), secret.public(""));
        let public = secret.public(&comment);
        prop_assert_eq!(&PublicKey::parse_list(&public.to_line()).unwrap()[0], &public);
    }
}
