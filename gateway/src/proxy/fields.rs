//! Header fields, as `policy` and `providers` see them.

use http::HeaderMap;
use policy::request::Fields;

/// The header fields of a request or an answer.
#[derive(Debug)]
pub(crate) struct HeaderFields<'a>(pub(crate) &'a HeaderMap);

impl Fields for HeaderFields<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        for (name, value) in self.0 {
            if let Ok(value) = value.to_str() {
                show(name.as_str(), value);
            }
        }
    }
}
