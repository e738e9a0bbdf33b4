//! The ledger at one moment: gauges of the tightest budgets, made anew for each page, and counts that the ledger keeps itself.

use engine::ledger::{BudgetReport, Counts};
use policy::usage::UsageSource;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use store::Statistics;

/// So many budgets are shown, those first of which the largest share is used: labels are bounded however many there are.
pub(crate) const MOST_BUDGETS: usize = 200;

const SOURCES: [UsageSource; 4] =
    [UsageSource::Reported, UsageSource::Partial, UsageSource::Estimated, UsageSource::Abandoned];

/// The gauges of these budgets, out of `count` in all.
pub(super) fn of_budgets(budgets: &[BudgetReport], count: usize) -> Vec<MetricFamily> {
    made(budgets, count).unwrap_or_default()
}

fn made(budgets: &[BudgetReport], count: usize) -> prometheus::Result<Vec<MetricFamily>> {
    let gauge = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["budget"]);
    let limit = gauge("tollgate_budget_limit_nanodollars", "What a budget allows in a window.")?;
    let spent = gauge("tollgate_budget_spent_nanodollars", "What was charged to it in the window under way.")?;
    let held = gauge("tollgate_budget_held_nanodollars", "What calls in flight have reserved of it.")?;
    let total = IntGauge::new("tollgate_budgets", "Budgets in all; the fullest of them are shown.")?;
    total.set(i64::try_from(count).unwrap_or(i64::MAX));
    let value = |nano: u64| i64::try_from(nano).unwrap_or(i64::MAX);
    for one in budgets {
        let label = [one.id.as_str()];
        limit.with_label_values(&label).set(value(one.limit_nano));
        spent.with_label_values(&label).set(value(one.spent_nano));
        held.with_label_values(&label).set(value(one.held_nano));
    }
    let families = limit.collect().into_iter().chain(spent.collect()).chain(held.collect()).chain(total.collect());
    Ok(families.filter(|family| !family.get_metric().is_empty()).collect())
}

/// How the journal does.
pub(super) fn of_journal(journal: Statistics) -> Vec<MetricFamily> {
    let counts = [
        ("tollgate_journal_folds_total", "Times that the journal was folded into the database.", journal.folds),
        (
            "tollgate_journal_fold_failures_total",
            "Times that it, or its data, could not be written to disk; it is kept and tried again.",
            journal.fold_failures.saturating_add(journal.sync_failures),
        ),
        (
            "tollgate_request_log_rows_dropped_total",
            "Refused calls that have no row in the request log, because too many wait to be written.",
            journal.calls_dropped,
        ),
    ];
    let gauges = [
        ("tollgate_journal_bytes", "Bytes of the journal's newest segment.", journal.segment_bytes),
        ("tollgate_journal_closes_waiting", "Ends of attempts that are still to be written.", journal.closes_waiting),
    ];
    let counts = counts.into_iter().filter_map(|(name, help, value)| {
        let counter = IntCounter::new(name, help).ok()?;
        counter.inc_by(value);
        Some(counter.collect())
    });
    let gauges = gauges.into_iter().filter_map(|(name, help, value)| {
        let gauge = IntGauge::new(name, help).ok()?;
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        Some(gauge.collect())
    });
    counts.chain(gauges).flatten().collect()
}

/// The counts of the ledger, as they stand.
pub(super) fn of_counts(counts: &Counts) -> Vec<MetricFamily> {
    counted(counts).unwrap_or_default()
}

fn counted(counts: &Counts) -> prometheus::Result<Vec<MetricFamily>> {
    let mut families = Vec::new();
    let mut count = |name: &str, help: &str, value: u64| -> prometheus::Result<()> {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        families.extend(counter.collect());
        Ok(())
    };
    count(
        "tollgate_output_clamped_total",
        "Attempts whose output limit was lowered to what a budget affords.",
        counts.clamped(),
    )?;
    count("tollgate_hold_exceeded_total", "Attempts that cost more than they had reserved.", counts.exceeded())?;
    count(
        "tollgate_abandoned_attempts_total",
        "Attempts charged in full because nobody saw their end.",
        counts.settled(UsageSource::Abandoned),
    )?;
    count("tollgate_abandoned_nanodollars_total", "What those attempts were charged.", counts.abandoned_nano())?;
    count(
        "tollgate_unsettled_attempts_total",
        "Those of them that were dropped without a word on how they ended, as after a panic.",
        counts.unsettled(),
    )?;
    count(
        "tollgate_journal_failures_total",
        "Attempts that could not be written down before they were to be sent.",
        counts.unwritten(),
    )?;
    let settled = IntCounterVec::new(
        Opts::new("tollgate_settlements_total", "Attempts charged, by who says how much was used."),
        &["source"],
    )?;
    for source in SOURCES {
        settled.with_label_values(&[source.as_str()]).inc_by(counts.settled(source));
    }
    families.extend(settled.collect());
    Ok(families)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_budgets_are_shown_and_all_are_counted() {
        let report = BudgetReport { id: "b".into(), limit_nano: 3, spent_nano: 2, held_nano: 1 };
        let families = of_budgets(&[report], 7);
        let value = |name: &str| {
            let family = families.iter().find(|family| family.name() == name).unwrap();
            family.get_metric()[0].get_gauge().get_value()
        };
        assert_eq!(value("tollgate_budget_limit_nanodollars"), 3.0);
        assert_eq!(value("tollgate_budget_spent_nanodollars"), 2.0);
        assert_eq!(value("tollgate_budget_held_nanodollars"), 1.0);
        assert_eq!(value("tollgate_budgets"), 7.0);
    }

    #[test]
    fn without_budgets_only_their_number_is_told() {
        assert_eq!(of_budgets(&[], 0).len(), 1);
    }

    #[test]
    fn the_journal_is_told_with_what_went_wrong() {
        let families = of_journal(Statistics {
            folds: 3,
            fold_failures: 1,
            sync_failures: 1,
            closes_waiting: 4,
            calls_dropped: 7,
            ..Statistics::default()
        });
        let names: Vec<_> = families.iter().map(|family| family.name()).collect();
        let failures = names.iter().position(|name| *name == "tollgate_journal_fold_failures_total").unwrap();
        assert_eq!(families[failures].get_metric()[0].get_counter().get_value(), 2.0);
        assert!(names.contains(&"tollgate_journal_closes_waiting"), "{names:?}");
        let dropped = names.iter().position(|name| *name == "tollgate_request_log_rows_dropped_total").unwrap();
        assert_eq!(families[dropped].get_metric()[0].get_counter().get_value(), 7.0);
    }

    #[test]
    fn every_source_is_told() {
        let families = of_counts(&Counts::default());
        let settled = families.iter().find(|family| family.name() == "tollgate_settlements_total").unwrap();
        assert_eq!(settled.get_metric().len(), SOURCES.len());
    }
}
