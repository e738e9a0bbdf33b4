//! Lists of names that allow or deny.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What a list of names in the configuration allows: `["*"]` everything, `[]` nothing, else just those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowList {
    /// Everything, also what will come later.
    All,
    /// Just these; no names deny everything.
    Only(Names),
}

/// Names, each once and sorted. Copies are the same list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Names(Arc<[Box<str>]>);

impl AllowList {
    /// Allows nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Only(Names::default())
    }

    /// Allows just these names.
    pub fn only<I: IntoIterator<Item = S>, S: Into<Box<str>>>(names: I) -> Self {
        let sorted: BTreeSet<Box<str>> = names.into_iter().map(Into::into).collect();
        Self::Only(Names(sorted.into_iter().collect()))
    }

    /// Whether the name is allowed.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    /// Whether the list names it, rather than allowing it with everything else.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        matches!(self, Self::Only(names) if names.contains(name))
    }

    /// The names, if it is a list of names.
    #[must_use]
    pub fn as_names(&self) -> Option<&[Box<str>]> {
        match self {
            Self::All => None,
            Self::Only(names) => Some(&names.0),
        }
    }
}

impl Names {
    fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|known| (**known).cmp(name)).is_ok()
    }
}
