use super::text::{PREFIX, replace_all};
use super::*;

fn seal(secret: &str) -> Seal {
    Seal::derive(&Secret::new(secret), &[7; SALT_BYTES]).unwrap()
}

fn here() -> Context<'static> {
    Context { kind: "k", id: "i", field: "f" }
}

#[test]
fn a_sealed_text_is_what_was_sealed() {
    for plain in ["", "x", "ü\0\n\"", &"long".repeat(10_000)] {
        let text = seal("a").seal(here(), &Secret::new(plain)).unwrap();
        assert_eq!(seal("a").unseal(here(), &text).unwrap().reveal(), plain);
    }
}

#[test]
fn every_change_of_a_sealed_text_is_noticed() {
    let seal = seal("a");
    let text = seal.seal(here(), &Secret::new("secret")).unwrap();
    for place in 0..text.len() {
        for other in ['A', 'B', ':', '"', '='] {
            let mut changed = text.clone();
            changed.replace_range(place..=place, &other.to_string());
            assert!(changed == text || seal.unseal(here(), &changed).is_err(), "{changed}");
        }
        assert!(seal.unseal(here(), &text[..place]).is_err());
    }
    assert!(seal.unseal(here(), &format!("{text}A")).is_err());
}

#[test]
fn a_key_of_another_salt_is_told_apart() {
    let text = seal("a").seal(here(), &Secret::new("secret")).unwrap();
    let other = Seal::derive(&Secret::new("a"), &[8; SALT_BYTES]).unwrap();
    assert!(matches!(other.unseal(here(), &text), Err(SealError::OtherKey)));
    assert!(matches!(seal("b").unseal(here(), &text), Err(SealError::Damaged)));
}

#[test]
fn sealed_values_are_found_in_documents() {
    let seal = seal("a");
    let text = seal.seal(here(), &Secret::new("secret")).unwrap();
    let replaced = |document: &str| {
        let mut fields = Vec::new();
        let done = replace_all(document, |sealed| {
            fields.push(sealed.field.clone());
            Ok::<_, SealError>(Some("NEW".to_owned()))
        });
        (done.unwrap(), fields.len())
    };
    let document = format!(r#"{{"a":"{text}","b":["{text}",1.0],"c":"x"}}"#);
    assert_eq!(replaced(&document), (Some(r#"{"a":"NEW","b":["NEW",1.0],"c":"x"}"#.to_owned()), 2));
    let untouched = [
        String::new(),
        format!("\"{PREFIX}\""),
        format!("\"{text}"),
        format!("\" {text}\""),
        format!("\"x\\\"{text}\""),
        format!("\"{PREFIX}AAAA:A:A\""),
        format!("\"{PREFIX}AAAAAA:{PREFIX}:\""),
    ];
    for document in untouched {
        assert_eq!(replaced(&document), (None, 0), "{document}");
    }
    let after_others = format!("[\"x\\\"{PREFIX}\",\"{PREFIX}\",\"{text}\"]");
    assert_eq!(replaced(&after_others).1, 1);
}

/// Made by the version that kept tokens in a file, with the encryption key `old key`.
const KEYRING: &[u8] = include_bytes!("tests/virtual-keys.json");

#[test]
fn a_keyring_of_an_older_version_is_opened() {
    let tokens = open_keyring(&Secret::new("old key"), KEYRING).unwrap();
    let tokens: Vec<_> = tokens.iter().map(|(id, token)| (id.as_str(), token.reveal())).collect();
    let expected =
        [("vk-a", "sk-bf-4VQA6fjauadLNzkOxt5owiQy70abCkll"), ("vk-b", "sk-bf-JSYbb7YDjhBb0m1M5zgfSA3_rs0XolrB")];
    assert_eq!(tokens, expected);
}

#[test]
fn a_keyring_is_opened_by_its_key_only_and_as_a_whole() {
    assert!(matches!(open_keyring(&Secret::new("other"), KEYRING), Err(SealError::OtherKey)));
    let text = String::from_utf8(KEYRING.to_vec()).unwrap();
    let swapped = text.replace("vk-a", "vk-x");
    assert!(open_keyring(&Secret::new("old key"), swapped.as_bytes()).is_err());
    assert!(matches!(open_keyring(&Secret::new("old key"), &KEYRING[1..]), Err(SealError::Damaged)));
    assert!(open_keyring(&Secret::new("any"), br#"{"salt": "", "tokens": {}}"#).unwrap().is_empty());
}
