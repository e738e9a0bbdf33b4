//! Where calls go: providers with their keys, and limits of providers and models, whoever uses them.

use std::collections::BTreeMap;

use super::{entity, kept, limited};

kept! {
    /// A provider.
    body ProviderBody, reply Provider;
    known {
        /// Its name.
        name: String,
    }
    said {
        /// Where it is, and how it is reached.
        #[schema(value_type = Option<Object>)]
        network_config: BTreeMap<String, String>,
        /// Whose API it has, if its name does not say.
        #[schema(value_type = Option<Object>)]
        custom_provider_config: BTreeMap<String, String>,
    }
    body {
        /// Its name, as others call this field.
        provider: String,
        /// Its keys: all that there are from now on. A `value` that is shown as asterisks stands for the one that is there.
        keys: Vec<ProviderKeyBody>,
    }
    reply {
        /// Its keys, without what opens the vendor's door.
        keys: Option<Vec<ProviderKey>>,
    }
}

entity! {
    /// A provider's key.
    body ProviderKeyBody, reply ProviderKey;
    known {
        /// Its name, unique within the provider.
        name: String,
    }
    said {
        /// The key itself, or `env.NAME`. In replies asterisks, or the environment variable that holds it.
        value: String,
        /// The models that it is for; absent: all.
        models: Vec<String>,
        /// Its share; `null`: used only where it is named.
        #[schema(minimum = 0)]
        weight: f64,
        /// What is asked for, and what the provider calls it.
        #[schema(value_type = Option<Object>)]
        aliases: BTreeMap<String, String>,
        /// Whether it is used.
        enabled: bool,
    }
    body {}
    reply {}
}

limited! {
    /// The limits of a provider, whoever uses it.
    as kept:
    body ProviderLimitsBody, reply ProviderLimits;
    known {}
    said {
        /// Whether all its budgets begin where the calendar says.
        calendar_aligned: bool,
    }
    body {}
    reply {
        /// The provider's name.
        name: String,
    }
}

limited! {
    /// The limits of a model, whoever uses it.
    as kept:
    body ModelConfigBody, reply ModelConfig;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// The model.
        model_name: String,
    }
    said {
        /// The provider; absent: whichever serves the model.
        provider: String,
        /// Whether all its budgets begin where the calendar says.
        calendar_aligned: bool,
    }
    body {}
    reply {}
}
