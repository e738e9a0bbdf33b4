//! Lists that lie in the data folder or in a file; what comes over the network is tested with a whole gateway.

use policy::money::NanoUsd;
use policy::usage::Usage;

use super::*;

const URL: &str = "https://prices.example/list?token=secret";

fn list(usd: &str) -> String {
    format!(r#"{{"own": {{"litellm_provider":"openai","mode":"chat","input_cost_per_token":{usd}}}}}"#)
}

/// What a million tokens of a model cost, in nano-dollars.
fn million(catalog: &Catalog, model: &str) -> Option<NanoUsd> {
    let price = catalog.find("openai", &model.into())?.price.as_ref()?;
    Some(price.cost(&Usage { input: 1_000_000, ..Usage::default() }))
}

fn url() -> PriceSource {
    PriceSource::Url(URL.into())
}

#[test]
fn a_list_lies_on_top_of_the_built_in_ones() {
    let built_in = at_start(&PriceSource::BuiltIn, None).unwrap().catalog;
    let catalog = on_top(&built_in, &list("3e-06")).unwrap();
    assert_eq!(catalog.len(), built_in.len() + 1);
    assert_eq!(million(&catalog, "own"), Some(NanoUsd(3_000_000_000)));
    assert_eq!(million(&catalog, "gpt-4o"), million(&built_in, "gpt-4o"));
}

#[test]
fn a_list_without_any_price_is_none() {
    let built_in = at_start(&PriceSource::BuiltIn, None).unwrap().catalog;
    for bad in ["{}", r#"{"m": {"litellm_provider":"openai","mode":"chat"}}"#] {
        assert_eq!(on_top(&built_in, bad).unwrap_err(), "no model in it has a price");
    }
}

#[test]
fn a_kept_list_is_used_at_the_next_start_by_its_own_url_only() {
    let data = tempfile::tempdir().unwrap();
    Kept::new(URL, &Validators::default(), 7).write(data.path(), &list("3e-06")).unwrap();
    let started = at_start(&url(), Some(data.path())).unwrap();
    assert_eq!(million(&started.catalog, "own"), Some(NanoUsd(3_000_000_000)));
    assert_eq!((started.mark, started.seen_ms), (Mark::Url(Validators::default()), 7));
    let other = at_start(&PriceSource::Url("https://other".into()), Some(data.path())).unwrap();
    assert_eq!((million(&other.catalog, "own"), other.mark), (None, Mark::Nothing));
}

#[test]
fn a_kept_list_is_for_its_owner_only_and_holds_no_url() {
    use std::os::unix::fs::PermissionsExt;

    let data = tempfile::tempdir().unwrap();
    Kept::new(URL, &Validators::default(), 7).write(data.path(), &list("3e-06")).unwrap();
    let path = data.path().join("price-list.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(path).unwrap().contains("secret"));
}

#[test]
fn a_kept_list_that_is_damaged_is_passed_over() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("price-list.json");
    let built_in = at_start(&PriceSource::BuiltIn, None).unwrap().catalog.len();
    Kept::new(URL, &Validators::default(), 7).write(data.path(), "{}").unwrap();
    let without_prices = fs::read_to_string(&path).unwrap();
    for damaged in [without_prices.as_str(), "", "{", "\u{0}"] {
        fs::write(&path, damaged).unwrap();
        let started = at_start(&url(), Some(data.path())).unwrap();
        assert_eq!((started.catalog.len(), started.mark), (built_in, Mark::Nothing), "{damaged}");
    }
}

#[test]
fn a_file_must_be_there_and_be_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    let source = PriceSource::File(path.to_str().unwrap().into());
    assert!(at_start(&source, None).unwrap_err().contains("prices.json: "));
    for (text, message) in [("[]", "invalid type"), ("{}", "no model in it has a price")] {
        fs::write(&path, text).unwrap();
        let error = at_start(&source, None).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    fs::write(&path, format!("\u{feff}{}", list("3e-06"))).unwrap();
    assert_eq!(million(&at_start(&source, None).unwrap().catalog, "own"), Some(NanoUsd(3_000_000_000)));
}

#[test]
fn a_list_is_not_read_beyond_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    File::create(&path).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert_eq!(read_file(path.to_str().unwrap()).unwrap_err(), "it is larger than 64 MiB");
}
