//! Who can have limits: each such entity of a file, with its place and what stands on it.

use std::fmt;

use super::entity::Shape;
use super::path::Path;
use super::{
    BudgetShape, GovernanceShape, InlineBudget, InlineRateLimit, LimitsShape, ModelConfigShape, ProviderConfigShape,
    VirtualKeyShape,
};

/// What limits hang on, by the names in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner<'a> {
    /// A virtual key, by its id.
    VirtualKey(&'a str),
    /// An entry of a key's `provider_configs`, by its id.
    ProviderConfig(&'a str),
    /// One without an id.
    UnnamedConfig {
        /// The id of the key.
        key: &'a str,
        /// The provider.
        provider: &'a str,
    },
    /// A team, by its id.
    Team(&'a str),
    /// A customer, by its id.
    Customer(&'a str),
    /// A provider, whoever uses it.
    Provider(&'a str),
    /// A model, whoever uses it.
    Model {
        /// The provider; `None`: whichever serves it.
        provider: Option<&'a str>,
        /// The model.
        model: &'a str,
    },
}

impl<'a> Owner<'a> {
    /// An entry of a key's `provider_configs`.
    pub(super) fn of_config(key: &'a VirtualKeyShape, config: &'a ProviderConfigShape) -> Self {
        match config.id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => Self::ProviderConfig(id),
            None => Self::UnnamedConfig { key: key.id.as_str(), provider: config.provider.as_str() },
        }
    }
}

/// What the ids of its limits begin with, where they are written on it without one: `virtual_key:vk-1`, `model:openai/gpt-4o`.
/// Accounts are kept under these ids, so they must stay as they are.
impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::VirtualKey(id) => write!(f, "virtual_key:{id}"),
            Self::ProviderConfig(id) => write!(f, "provider_config:{id}"),
            Self::UnnamedConfig { key, provider } => write!(f, "provider_config:{key}/{provider}"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::Customer(id) => write!(f, "customer:{id}"),
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Model { provider: Some(provider), model } => write!(f, "model:{provider}/{model}"),
            Self::Model { provider: None, model } => write!(f, "model:{model}"),
        }
    }
}

impl ModelConfigShape {
    /// The model.
    pub(super) fn owner(&self) -> Owner<'_> {
        Owner::Model { provider: self.provider.as_ref().map(|name| name.as_str()), model: self.model.as_str() }
    }
}

impl BudgetShape {
    /// The fields that say whose it is, each with whom it names. One is meant to be there at most.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&'static str, Owner<'_>)> {
        let fields = [
            ("virtual_key_id", self.virtual_key.as_ref().map(|id| Owner::VirtualKey(id.as_str()))),
            ("provider_config_id", self.provider_config.as_deref().map(Owner::ProviderConfig)),
            ("team_id", self.team.as_ref().map(|id| Owner::Team(id.as_str()))),
            ("customer_id", self.customer.as_ref().map(|id| Owner::Customer(id.as_str()))),
        ];
        fields.into_iter().filter_map(|(field, owner)| Some((field, owner?)))
    }
}

/// Something that can have limits.
pub(super) struct Entity<'a> {
    /// Which.
    pub(super) owner: Owner<'a>,
    /// What stands on it.
    pub(super) limits: &'a LimitsShape,
    /// Whether all of its budgets begin where the calendar says.
    pub(super) calendar_aligned: bool,
    /// Its place.
    pub(super) place: Place,
}

/// The place of an [`Entity`].
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The list of the file, and where in it. `None`: the entity is the document.
    item: Option<(&'static str, usize)>,
    config: Option<usize>,
}

impl Place {
    /// Shows the path, which lives on the stack.
    pub(super) fn show<T>(self, then: impl FnOnce(Path<'_>) -> T) -> T {
        let root = Path::Root;
        let governance = root.field("governance");
        let (list, index) = self.item.unwrap_or_default();
        let list = governance.field(list);
        let item = if self.item.is_some() { list.item(index) } else { root };
        match self.config {
            None => then(item),
            Some(config) => {
                let configs = item.field("provider_configs");
                then(configs.item(config))
            }
        }
    }
}

impl GovernanceShape {
    /// All that can have limits.
    pub(super) fn entities(&self) -> impl Iterator<Item = Entity<'_>> {
        let keys =
            self.virtual_keys.iter().zip(places("virtual_keys")).flat_map(|(key, place)| with_configs(key, place));
        let teams = self.teams.iter().zip(places("teams")).map(|(team, place)| Entity {
            calendar_aligned: team.calendar_aligned,
            ..Entity::new(Owner::Team(team.id.as_str()), &team.limits, place)
        });
        let customers = self.customers.iter().zip(places("customers")).map(|(customer, place)| Entity {
            calendar_aligned: customer.calendar_aligned,
            ..Entity::new(Owner::Customer(customer.id.as_str()), &customer.limits, place)
        });
        let models = self.model_configs.iter().zip(places("model_configs"));
        let models = models.map(|(config, place)| Entity::new(config.owner(), &config.limits, place));
        let providers = self.provider_limits.iter().zip(places("providers"));
        let providers = providers.map(|(one, place)| Entity {
            calendar_aligned: one.calendar_aligned,
            ..Entity::new(Owner::Provider(one.name.as_str()), &one.limits, place)
        });
        keys.chain(teams).chain(customers).chain(models).chain(providers)
    }
}

impl<'a> Entity<'a> {
    /// Shows the id of each budget that it names, with its place.
    pub(super) fn each_named_budget(&self, mut show: impl FnMut(&'a str, Path<'_>)) {
        self.place.show(|path| {
            if let Some(id) = &self.limits.budget_id {
                show(id, path.field("budget_id"));
            }
            let list = path.field("budget_ids");
            for (index, id) in self.limits.budget_ids.iter().enumerate() {
                show(id, list.item(index));
            }
        });
    }

    /// Shows each budget that is written on it, with its place.
    pub(super) fn each_budget(&self, mut show: impl FnMut(&'a InlineBudget, Path<'_>)) {
        self.place.show(|path| {
            if let Some(budget) = &self.limits.budget {
                show(budget, path.field("budget"));
            }
            let list = path.field("budgets");
            for (index, budget) in self.limits.budgets.iter().enumerate() {
                show(budget, list.item(index));
            }
        });
    }

    /// Shows the rate limit that is written on it, with its place.
    pub(super) fn each_rate_limit(&self, mut show: impl FnMut(&'a InlineRateLimit, Path<'_>)) {
        if let Some(limit) = &self.limits.rate_limit {
            self.place.show(|path| show(limit, path.field("rate_limit")));
        }
    }

    fn new(owner: Owner<'a>, limits: &'a LimitsShape, place: Place) -> Self {
        Self { owner, limits, calendar_aligned: false, place }
    }
}

/// What of an entity that stands alone can have limits: itself, and the configs of a key.
pub(super) fn owners_of(shape: &Shape) -> Vec<Entity<'_>> {
    let place = Place { item: None, config: None };
    let (owner, limits) = match shape {
        Shape::VirtualKey(key) => return with_configs(key, place).collect(),
        Shape::Team(team) => (Owner::Team(team.id.as_str()), &team.limits),
        Shape::Customer(customer) => (Owner::Customer(customer.id.as_str()), &customer.limits),
        Shape::ModelConfig(config) => (config.owner(), &config.limits),
        Shape::ProviderLimits(one) => (Owner::Provider(one.name.as_str()), &one.limits),
        _ => return Vec::new(),
    };
    vec![Entity::new(owner, limits, place)]
}

fn places(list: &'static str) -> impl Iterator<Item = Place> {
    (0..).map(move |index| Place { item: Some((list, index)), config: None })
}

/// A key and its `provider_configs`, which follow the calendar if the key does.
fn with_configs(key: &VirtualKeyShape, place: Place) -> impl Iterator<Item = Entity<'_>> {
    let calendar_aligned = key.calendar_aligned;
    let itself = Entity::new(Owner::VirtualKey(key.id.as_str()), &key.limits, place);
    let configs = key.providers.iter().flatten().enumerate().map(move |(index, config)| {
        Entity::new(Owner::of_config(key, config), &config.limits, Place { config: Some(index), ..place })
    });
    std::iter::once(itself).chain(configs).map(move |entity| Entity { calendar_aligned, ..entity })
}
