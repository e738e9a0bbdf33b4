//! Random steps: what may happen to calls and limits, and how time passes between.

use policy::limit::{Mode, RateLimit};
use policy::money::NanoUsd;
use policy::usage::UsageSource;
use policy::window::BudgetWindow;
use proptest::prelude::*;

use super::world::{Ask, Goal, KEYS, ask, budget_window, goal, limit, mode, rate_limit};

/// One step. Numbers pick one of those that are there.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A call begins with its first attempt.
    Call { key: Option<usize>, goal: Goal, ask: Ask, may_clamp: bool },
    /// A call makes another attempt.
    Again { call: usize, goal: Goal },
    /// An attempt is not sent after all.
    Drop { hold: usize },
    /// It is sent; the journal can be written or not.
    Dispatch { hold: usize, is_full: bool },
    /// It ends with a usage, in percent of the most that it was allowed.
    Settle { sent: usize, source: UsageSource, input: u64, output: u64 },
    /// It was refused.
    SettleFree { sent: usize },
    /// It did not reach anybody.
    TakeBack { sent: usize },
    /// Nobody saw its end.
    Abandon { sent: usize },
    /// A call is over.
    End { call: usize },
    /// A budget is edited.
    EditBudget { at: usize, limit: NanoUsd, mode: Mode, window: Option<BudgetWindow> },
    /// A rate limit is edited.
    EditRate { at: usize, limit: RateLimit },
}

/// Time between two steps: steadily forward, and the wall clock is set besides.
pub(super) type Pause = (u64, i64);

fn pause() -> impl Strategy<Value = Pause> {
    const HOUR: i64 = 3_600_000;
    let steady = prop_oneof![
        4 => Just(0),
        6 => 0_u64..3_000,
        3 => 0_u64..120_000,
        2 => 0_u64..7_200_000,
        1 => 0_u64..3_500_000_000,
    ];
    let set = prop_oneof![12 => Just(0), 1 => -3 * HOUR..3 * HOUR, 1 => -900 * HOUR..900 * HOUR];
    (steady, set)
}

fn call() -> impl Strategy<Value = Step> {
    let key = prop::option::weighted(0.85, 0..KEYS);
    (key, goal(), ask(), any::<bool>()).prop_map(|(key, goal, ask, may_clamp)| Step::Call { key, goal, ask, may_clamp })
}

fn settle() -> impl Strategy<Value = Step> {
    let sources = vec![UsageSource::Reported, UsageSource::Partial, UsageSource::Estimated, UsageSource::Abandoned];
    let share = || prop_oneof![1 => Just(0), 6 => 0_u64..=100, 1 => 100_u64..300];
    (any::<usize>(), prop::sample::select(sources), share(), share())
        .prop_map(|(sent, source, input, output)| Step::Settle { sent, source, input, output })
}

fn edit() -> impl Strategy<Value = Step> {
    let window = prop::option::weighted(0.3, budget_window());
    let budget = (any::<usize>(), limit(), mode(), window).prop_map(|(at, limit, mode, window)| Step::EditBudget {
        at,
        limit,
        mode,
        window,
    });
    let rate = (any::<usize>(), rate_limit()).prop_map(|(at, limit)| Step::EditRate { at, limit });
    prop_oneof![budget, rate]
}

/// Random steps.
pub(super) fn steps() -> impl Strategy<Value = Vec<(Pause, Step)>> {
    let any = any::<usize>;
    let step = prop_oneof![
        10 => call(),
        3 => (any(), goal()).prop_map(|(call, goal)| Step::Again { call, goal }),
        2 => any().prop_map(|hold| Step::Drop { hold }),
        9 => (any(), prop::bool::weighted(0.15)).prop_map(|(hold, is_full)| Step::Dispatch { hold, is_full }),
        6 => settle(),
        1 => any().prop_map(|sent| Step::SettleFree { sent }),
        1 => any().prop_map(|sent| Step::TakeBack { sent }),
        1 => any().prop_map(|sent| Step::Abandon { sent }),
        5 => any().prop_map(|call| Step::End { call }),
        1 => edit(),
    ];
    prop::collection::vec((pause(), step), 1..120)
}
