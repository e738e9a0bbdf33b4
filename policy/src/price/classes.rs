//! What price classes do to the rates of a model, and what it costs to choose a region.

use super::{ModelPrice, Rate, Unit};
use crate::demand::Demand;
use crate::money::PicoUsd;
use crate::usage::ServiceTier;

/// How many times the standard rate a token costs in fast mode where a model has no rates for it: the largest factor that
/// Anthropic publishes (<https://platform.claude.com/docs/en/about-claude/pricing>, 2026-11).
const FAST_FACTOR: u64 = 6;

/// A rate where the client may have chosen the region: a tenth more for each token (the same page, "Data residency pricing").
pub(super) fn in_region(rate: PicoUsd, unit: Unit, is_regional: bool) -> PicoUsd {
    let is_dearer = is_regional && unit != Unit::Search;
    if is_dearer { PicoUsd(rate.0.saturating_add(rate.0.div_ceil(10))) } else { rate }
}

impl ModelPrice {
    /// The rate of a unit in a price class: the highest step that applies, else that of the standard class. In a class that nobody
    /// knows, the dearest rate that is written for the unit, and never less than in the standard class.
    pub(super) fn in_class(&self, unit: Unit, tier: ServiceTier, step: u64) -> Option<PicoUsd> {
        if tier == ServiceTier::Unknown {
            let of_unit = self.rates.iter().filter(|rate| rate.unit == unit && rate.applies(step));
            let dearest = of_unit.map(|rate| rate.price).max();
            return dearest.map(|price| price.max(self.rate(unit, ServiceTier::Standard, step)));
        }
        let standard = || self.highest_step(unit, ServiceTier::Standard, step);
        match self.highest_step(unit, tier, step) {
            Some(own) => Some(own.price),
            None => standard().map(|rate| self.for_fast(rate, tier == ServiceTier::Fast)),
        }
    }

    /// The highest rate that any of these units can be charged at. A unit without a rate is charged at that of its stand-in,
    /// which is among the same units, so the written rates are all that matters.
    pub(super) fn dearest(&self, units: &[Unit], demand: &Demand, step: u64) -> PicoUsd {
        let is_open = demand.tier_is_open || demand.is_fast;
        let may_apply = |rate: &&Rate| {
            units.contains(&rate.unit) && rate.applies(step) && (is_open || rate.tier == ServiceTier::Standard)
        };
        let price = |rate| in_region(self.for_fast(rate, demand.is_fast), rate.unit, demand.is_regional);
        self.rates.iter().filter(may_apply).map(price).max().unwrap_or_default()
    }

    /// What a rate is in fast mode.
    fn for_fast(&self, rate: &Rate, is_fast: bool) -> PicoUsd {
        let is_multiplied = is_fast && rate.tier == ServiceTier::Standard && rate.unit != Unit::Search;
        if is_multiplied && !self.rates.iter().any(|rate| rate.tier == ServiceTier::Fast) {
            return PicoUsd(rate.price.0.saturating_mul(FAST_FACTOR));
        }
        rate.price
    }
}
