//! How routes do at one moment, as gauges. They are made anew for each page: a route that is forgotten is told no more.

use engine::health::RouteReport;
use policy::route::health::{Mark, State};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};

const ROUTE: [&str; 3] = ["provider", "credential", "model"];
const MARKED_ROUTE: [&str; 4] = ["provider", "credential", "model", "reason"];

/// The gauges of these routes; none where there is no route.
pub(super) fn families(reports: &[RouteReport]) -> Vec<MetricFamily> {
    let circuits = gauges("tollgate_circuit_state", "0: closed; 1: one call may try it; 2: open, not asked.", &ROUTE);
    let marks = gauges("tollgate_route_marked", "1 while a vendor turns the route away.", &MARKED_ROUTE);
    let (Ok(circuits), Ok(marks)) = (circuits, marks) else { return Vec::new() };
    for RouteReport { provider, credential, model, reading } in reports {
        let model = model.as_ref().map_or("other", |model| model.as_str());
        let labels = [provider.as_str(), credential.as_str(), model];
        let gauge = circuits.with_label_values(&labels);
        // Models that nobody configured are watched in groups: the worst one is told.
        gauge.set(gauge.get().max(circuit(reading.state)));
        if let State::Marked { mark, .. } = reading.state {
            let [provider, credential, model] = labels;
            marks.with_label_values(&[provider, credential, model, reason(mark)]).set(1);
        }
    }
    let families = circuits.collect().into_iter().chain(marks.collect());
    families.filter(|family| !family.get_metric().is_empty()).collect()
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

const fn circuit(state: State) -> i64 {
    match state {
        State::Up | State::Marked { .. } => 0,
        State::Probe => 1,
        State::Down { .. } => 2,
    }
}

const fn reason(mark: Mark) -> &'static str {
    match mark {
        Mark::Refused => "credential_refused",
        Mark::NotForModel => "not_for_credential",
        Mark::Throttled => "throttled",
    }
}

#[cfg(test)]
mod tests {
    use policy::route::health::Reading;

    use super::*;

    fn report(model: Option<&str>, state: State) -> RouteReport {
        let reading = Reading { state, ..Reading::WELL };
        RouteReport { provider: "p".into(), credential: "c".into(), model: model.map(Into::into), reading }
    }

    fn told(reports: &[RouteReport]) -> Vec<(String, Vec<String>, f64)> {
        let values = |family: MetricFamily| {
            let metrics: Vec<_> = family.get_metric().to_vec();
            metrics.into_iter().map(move |metric| {
                let labels = metric.get_label().iter().map(|label| label.value().to_owned()).collect();
                (family.name().to_owned(), labels, metric.get_gauge().get_value())
            })
        };
        let mut told: Vec<_> = families(reports).into_iter().flat_map(values).collect();
        told.sort_by(|one, other| one.partial_cmp(other).unwrap());
        told
    }

    #[test]
    fn an_open_circuit_is_told_and_so_is_a_mark_with_its_reason() {
        let state = State::Marked { until_ms: 9, mark: Mark::Throttled };
        let told = told(&[report(Some("a"), State::Down { until_ms: 1 }), report(None, state)]);
        let row = |name: &str, labels: &[&str], value| {
            (name.to_owned(), labels.iter().map(|&label| label.to_owned()).collect(), value)
        };
        let expected = [
            row("tollgate_circuit_state", &["c", "a", "p"], 2.0),
            row("tollgate_circuit_state", &["c", "other", "p"], 0.0),
            row("tollgate_route_marked", &["c", "other", "p", "throttled"], 1.0),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn of_routes_with_the_same_labels_the_worst_is_told() {
        for states in [[State::Down { until_ms: 1 }, State::Up], [State::Up, State::Down { until_ms: 1 }]] {
            let told = told(&states.map(|state| report(None, state)));
            assert_eq!(told.iter().map(|row| row.2).collect::<Vec<_>>(), [2.0]);
        }
    }

    #[test]
    fn without_routes_nothing_is_told() {
        assert!(told(&[]).is_empty());
    }
}
