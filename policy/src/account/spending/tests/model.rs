//! Random steps on a budget, against a list of everything that was held and charged.

use proptest::prelude::*;

use super::*;

/// What may happen. Which hold or charge is meant is a number, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    SetBack(u64),
    Limit(u64),
    Mode(Mode),
    Window(usize),
    Hold(u64),
    Release(usize),
    Settle(usize, u64),
    Void(usize),
}

/// Windows that often begin together or end at the same moment.
fn windows() -> [BudgetWindow; 7] {
    [
        window("1s"),
        window("1h"),
        window("1d"),
        window("1M"),
        aligned("1d", "UTC"),
        aligned("1M", "UTC"),
        aligned("1d", "Europe/Berlin"),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    let wait = prop_oneof![0..3_u64, 900..1_100_u64, 0..2 * HOUR, 0..40 * DAY];
    prop_oneof![
        3 => wait.prop_map(Step::Wait),
        1 => prop_oneof![0..3_u64, 0..3 * DAY].prop_map(Step::SetBack),
        1 => (0..200_u64).prop_map(Step::Limit),
        1 => prop_oneof![3 => Just(Mode::Hard), 1 => Just(Mode::Soft)].prop_map(Step::Mode),
        1 => (0..7_usize).prop_map(Step::Window),
        10 => (0..60_u64).prop_map(Step::Hold),
        2 => any().prop_map(Step::Release),
        5 => (any(), 0..80_u64).prop_map(|(which, cost)| Step::Settle(which, cost)),
        1 => any().prop_map(Step::Void),
    ]
}

/// One amount, and the window that it belongs to: by number, and as the account names it.
#[derive(Clone, Copy, Debug)]
struct Amount {
    window: u32,
    mark: SpendingMark,
    nano: u64,
}

#[derive(Debug)]
struct World {
    spending: Spending,
    budget: Budget,
    now_ms: u64,
    /// The window under way, told by its number: how many there were before.
    window: u32,
    tiling: BudgetWindow,
    period: Period,
    holds: Vec<Amount>,
    charges: Vec<Amount>,
}

impl World {
    fn new(start_ms: u64) -> Self {
        let tiling = window("1d");
        Self {
            spending: Spending::new(tiling.clone(), start_ms),
            budget: budget(100, tiling.clone()),
            now_ms: start_ms,
            window: 0,
            period: tiling.at(start_ms, start_ms),
            tiling,
            holds: Vec::new(),
            charges: Vec::new(),
        }
    }

    fn roll(&mut self) {
        let foreseen = self.spending.standing(&self.budget, self.now_ms);
        self.spending.roll(&self.budget, self.now_ms);
        assert_eq!(self.spending.standing(&self.budget, self.now_ms), foreseen);
        let began_ms = self.spending.began_ms();
        let mut next = self.period;
        if self.budget.window != self.tiling {
            assert_eq!(began_ms, self.now_ms.max(self.period.start_ms + 1));
            self.tiling = self.budget.window.clone();
            next = self.tiling.at(began_ms, began_ms);
        }
        if self.now_ms >= next.end_ms {
            next = self.tiling.at(began_ms, self.now_ms);
        }
        assert!(next == self.period || next.start_ms > self.period.start_ms, "windows only move forward");
        self.window += u32::from(next != self.period);
        self.period = next;
    }

    fn in_window(&self, amounts: &[Amount]) -> u64 {
        amounts.iter().filter(|one| one.window == self.window).map(|one| one.nano).sum()
    }

    fn compare(&self) {
        let standing = self.spending.standing(&self.budget, self.now_ms);
        assert_eq!(standing.spent.0, self.in_window(&self.charges));
        assert_eq!(standing.held.0, self.in_window(&self.holds));
        assert_eq!(standing.resets_at_ms, self.period.end_ms);
        assert_eq!(self.spending.total().0, self.charges.iter().map(|one| one.nano).sum::<u64>());
        assert_eq!(self.spending.held_in_all().0, self.holds.iter().map(|one| one.nano).sum::<u64>());
    }

    /// What a budget should say, from the lists.
    fn verdict(&self, nano: u64) -> Result<(), Short> {
        let (spent, held, limit) = (self.in_window(&self.charges), self.in_window(&self.holds), self.budget.limit.0);
        let is_hard = self.budget.mode == Mode::Hard;
        if spent >= limit || is_hard && spent + nano > limit {
            Err(Short::Spent)
        } else if is_hard && spent + held + nano > limit {
            Err(Short::Reserved)
        } else {
            Ok(())
        }
    }

    fn hold(&mut self, nano: u64) {
        self.roll();
        let verdict = self.spending.check(&self.budget, NanoUsd(nano));
        assert_eq!(verdict, self.verdict(nano));
        if verdict.is_err() {
            return;
        }
        let mark = self.spending.hold(NanoUsd(nano));
        assert_eq!(mark.window_ms, self.period.start_ms);
        self.holds.push(Amount { window: self.window, mark, nano });
        let standing = self.spending.standing(&self.budget, self.now_ms);
        let used = standing.spent.0 + standing.held.0;
        assert!(self.budget.mode == Mode::Soft || used <= self.budget.limit.0, "overspent: {used}");
    }

    fn take(amounts: &mut Vec<Amount>, which: usize) -> Option<Amount> {
        let which = which.checked_rem(amounts.len())?;
        Some(amounts.swap_remove(which))
    }

    fn settle(&mut self, which: usize, cost: u64) {
        let Some(hold) = Self::take(&mut self.holds, which) else { return };
        self.spending.settle(hold.mark, NanoUsd(hold.nano), NanoUsd(cost));
        self.charges.push(Amount { nano: cost, ..hold });
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => self.now_ms += ms,
            Step::SetBack(ms) => self.now_ms = self.now_ms.saturating_sub(ms),
            Step::Limit(limit) => self.budget.limit = NanoUsd(limit),
            Step::Mode(mode) => self.budget.mode = mode,
            Step::Window(which) => self.budget.window = windows()[which].clone(),
            Step::Hold(nano) => self.hold(nano),
            Step::Settle(which, cost) => self.settle(which, cost),
            Step::Release(which) => {
                if let Some(hold) = Self::take(&mut self.holds, which) {
                    self.spending.release(hold.mark, NanoUsd(hold.nano));
                }
            }
            Step::Void(which) => {
                if let Some(charge) = Self::take(&mut self.charges, which) {
                    self.spending.void(charge.mark.window_ms, NanoUsd(charge.nano));
                }
            }
        }
        self.roll();
        self.compare();
    }

    /// The same after the end of the process, with what was kept of it.
    fn restarted(&self) -> Spending {
        let (spent, total) = (self.in_window(&self.charges), self.spending.total());
        let began_ms = self.spending.began_ms();
        Spending::restored(self.tiling.clone(), began_ms, self.period.start_ms, NanoUsd(spent), total)
    }
}

fn start_ms() -> impl Strategy<Value = u64> {
    // 1970-02-01, on which day, month and hour begin together; 2026-03-29, on which clocks are changed; any moment.
    prop_oneof![Just(31 * DAY), Just(1_774_738_800_000), DAY..20_000 * DAY]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Every figure is the sum of what the list says, after every step; nothing is overspent at a hold; in the end nothing is held.
    #[test]
    fn the_account_agrees_with_the_list(start_ms in start_ms(), steps in prop::collection::vec(any_step(), 1..120)) {
        let mut world = World::new(start_ms);
        for step in &steps {
            world.step(step);
        }
        while !world.holds.is_empty() {
            world.step(&Step::Settle(0, 7));
        }
        prop_assert_eq!(world.spending.held_in_all(), NanoUsd(0));
    }

    /// What goes on from what was kept stands as what never ended.
    #[test]
    fn a_restart_changes_nothing_but_what_is_held(
        start_ms in start_ms(),
        steps in prop::collection::vec(any_step(), 1..40),
        later in prop::collection::vec(any_step(), 1..40),
    ) {
        let mut world = World::new(start_ms);
        steps.iter().for_each(|step| world.step(step));
        world.holds.drain(..).for_each(|hold| world.spending.release(hold.mark, NanoUsd(hold.nano)));
        let restarted = world.restarted();
        prop_assert_eq!(&restarted, &world.spending);
        world.spending = restarted;
        later.iter().for_each(|step| world.step(step));
    }
}
