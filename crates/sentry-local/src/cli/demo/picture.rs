//! The texts of the demonstration: its bar, its lines and its closing sentence.

use std::time::Duration;

use sentry_core::money::usd_text;

/// Characters of the bar.
const WIDTH: u64 = 60;

/// The state of the demonstration at one moment. Money is in nano-dollars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    pub elapsed: Duration,
    pub budget: u64,
    /// What the models have billed.
    pub spent: u64,
    /// What the ledger holds beyond that, for requests in flight.
    pub held: u64,
    pub answered: u64,
    pub shortened: u64,
    /// Let through to the model, those that are answered included.
    pub admitted: u64,
    pub waiting: u64,
    pub refused: u64,
    pub failed: u64,
}

impl Moment {
    pub fn budget_holds(&self) -> bool {
        self.spent <= self.budget
    }

    /// Whether anything but the elapsed time differs.
    pub fn differs(&self, other: &Moment) -> bool {
        Moment { elapsed: other.elapsed, ..self.clone() } != *other
    }

    fn counts(&self) -> String {
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        format!(
            "{} admitted ({} answered), {} waiting, {} refused{failed}",
            self.admitted, self.answered, self.waiting, self.refused
        )
    }
}

/// The introduction.
pub(super) fn headline(requests: u64, budgeted: u64, budget: u64) -> String {
    format!(
        "{requests} requests at once, and a budget for {budgeted} of them: {}. The model is simulated and takes a second.\n",
        usd_text(budget)
    )
}

/// The picture for a terminal.
pub(super) fn bar(moment: &Moment) -> Vec<String> {
    let cells = |nano_usd: u64| {
        let share = u128::from(nano_usd) * u128::from(WIDTH) / u128::from(moment.budget.max(1));
        usize::try_from(share).unwrap_or(usize::MAX)
    };
    let width = cells(moment.budget);
    // Spending above the budget is drawn beyond the end of the bar, so that it is seen.
    let spent = cells(moment.spent).min(2 * width);
    let held = cells(moment.spent.saturating_add(moment.held)).min(2 * width) - spent;
    let free = width.saturating_sub(spent + held);
    vec![
        format!("  [{}{}{}]", "#".repeat(spent), "+".repeat(held), ".".repeat(free)),
        format!(
            "  # {} spent of {}   + {} held for requests in flight",
            usd_text(moment.spent),
            usd_text(moment.budget),
            usd_text(moment.held)
        ),
        format!("  {}   {:.1} s", moment.counts(), moment.elapsed.as_secs_f64()),
    ]
}

/// The line for a file or a pipe.
pub(super) fn short(moment: &Moment) -> String {
    format!(
        "{:>5.1} s  {}; {} spent and {} held of {}",
        moment.elapsed.as_secs_f64(),
        moment.counts(),
        usd_text(moment.spent),
        usd_text(moment.held),
        usd_text(moment.budget)
    )
}

/// The closing sentence: whether the budget held, and how the requests ended.
pub(super) fn verdict(moment: &Moment) -> String {
    let (spent, budget) = (usd_text(moment.spent), usd_text(moment.budget));
    if !moment.budget_holds() {
        return format!(
            "\nThe budget did not hold: {spent} spent of {budget}. That is a bug; please report it."
        );
    }
    let per_mille = u128::from(moment.spent) * 1_000 / u128::from(moment.budget.max(1));
    let shortened = match moment.shortened {
        0 => String::new(),
        number => format!(", {number} of them shortened to what was left"),
    };
    let failed = match moment.failed {
        0 => String::new(),
        number => format!(" {number} failed for other reasons."),
    };
    format!(
        "\nThe budget held: {spent} spent of {budget} ({}.{} %). {} answered{shortened}; {} refused with the time to retry after.{failed}",
        per_mille / 10,
        per_mille % 10,
        moment.answered,
        moment.refused
    )
}
