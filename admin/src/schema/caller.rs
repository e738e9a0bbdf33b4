//! Who calls: virtual keys, teams and customers.

use super::limited;

limited! {
    /// A virtual key.
    as kept:
    body VirtualKeyBody, reply VirtualKey;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// Its name. No other key has it.
        name: String,
    }
    said {
        /// What it is for.
        description: String,
        /// Whether it opens anything. A new one does unless it says no.
        is_active: bool,
        /// From when on it opens nothing (RFC 3339).
        expires_at: String,
        /// Its team.
        team_id: String,
        /// Its customer.
        customer_id: String,
        /// Whether providers that are not listed are allowed, too.
        allow_all_providers: bool,
        /// The operations that it may ask for; absent: all.
        allowed_request_types: Vec<String>,
        /// Whether all its budgets begin where the calendar says.
        calendar_aligned: bool,
        /// How its calls are spread: `weighted` or `adaptive`.
        load_balancing: String,
        /// Whether what is said in its calls is kept out of the request log; absent: as the `client` section says.
        disable_content_logging: bool,
    }
    body {
        /// What it may use of each provider: all that there are from now on.
        provider_configs: Vec<ProviderConfigBody>,
    }
    reply {
        /// Its token: in the reply to its creation and rotation only; else asterisks, or the environment variable that holds it.
        value: Option<String>,
        /// What it may use of each provider.
        provider_configs: Option<Vec<ProviderConfig>>,
    }
}

limited! {
    /// What a virtual key may use of a provider.
    as entity:
    body ProviderConfigBody, reply ProviderConfig;
    known {
        /// The provider's name.
        provider: String,
    }
    said {
        /// Its id. In a request the one that it is to replace; absent: that of the same provider.
        id: String,
        /// Its share; `null`: reached only by name.
        #[schema(minimum = 0)]
        weight: f64,
        /// Models: `["*"]` or absent: all; `[]`: none.
        allowed_models: Vec<String>,
        /// Models that it may not use, whatever `allowed_models` says.
        blacklisted_models: Vec<String>,
        /// Names of the provider's keys: `["*"]` or absent: all; `[]`: none.
        key_ids: Vec<String>,
    }
    body {}
    reply {}
}

limited! {
    /// A team.
    as kept:
    body TeamBody, reply Team;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// Its name. No other team has it.
        name: String,
    }
    said {
        /// Its customer.
        customer_id: String,
        /// Whether all its budgets begin where the calendar says.
        calendar_aligned: bool,
    }
    body {}
    reply {}
}

limited! {
    /// A customer.
    as kept:
    body CustomerBody, reply Customer;
    known {
        /// Its id; a new one that names none is given one.
        id: String,
        /// Its name.
        name: String,
    }
    said {
        /// Whether all its budgets begin where the calendar says.
        calendar_aligned: bool,
    }
    body {}
    reply {}
}
