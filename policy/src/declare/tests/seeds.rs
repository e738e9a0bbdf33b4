//! Every JSON example of the documents that Tollgate is compatible with.

use super::*;

#[test]
fn every_page_is_read() {
    for name in [
        "admin-authentication",
        "virtual-keys",
        "budgets",
        "rate-limits",
        "routing-rules",
        "customers-and-teams",
        "full-example",
    ] {
        let text = std::fs::read_to_string(format!("{}/tests/seeds/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
        println!("--- {name}\n{}", problems(&text).join("\n"));
    }
}
