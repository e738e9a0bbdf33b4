//! The price list in force: those that are built in, and what the operator's file or URL has on top.

use policy::catalog::Catalog;
use policy::declare::PriceSource;

const BUILT_IN: [&str; 2] =
    [include_str!("../../conf/model-prices.json"), include_str!("../../conf/model-prices-extra.json")];

/// The lists that are built in.
fn built_in() -> Result<Catalog, String> {
    let mut catalog = Catalog::default();
    for list in BUILT_IN {
        catalog.extend_from_json(list).map_err(|error| error.to_string())?;
    }
    Ok(catalog)
}

/// The price list that a start needs: what stands in a file must be there, what comes from a URL may come later.
pub(crate) fn at_start(source: &PriceSource) -> Result<Catalog, String> {
    let mut catalog = built_in()?;
    if let PriceSource::File(path) = source {
        let text = std::fs::read_to_string(&**path).map_err(|error| format!("price list {path}: {error}"))?;
        catalog.extend_from_json(&text).map_err(|error| format!("price list {path}: {error}"))?;
    }
    Ok(catalog)
}
