//! Whether a request fits a budget with given totals, and what to do when it does not.

use crate::limit::{Amounts, Budget, Dimension, Mode, OnShortage};

use super::protocol::AdmissionRequest;
use super::sums::{Totals, signed};
use super::waiting::is_patient;

/// The part of what is free that a request takes when it no longer waits for all it asked: one in
/// so many, so that others who wait get theirs.
const SHARE: u64 = 4;
/// Output that such a request may take whole: few answers are longer.
const SMALL_OUTPUT: u64 = 1_024;

/// What to do with a request at one budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It fits.
    Fits,
    /// Requests in flight hold what this dimension lacks.
    Held(Dimension),
    /// It fits with this much output.
    Shrink(u64),
    /// It may fit once the input is counted exactly.
    Count,
    /// What is used leaves no room in this dimension.
    Exceeded(Dimension),
}

/// Decides from the totals of a budget whether it admits so much output.
#[must_use]
pub fn decide(budget: &Budget, request: &AdmissionRequest, output: u64, totals: &Totals) -> Decision {
    if budget.mode != Mode::Enforce {
        return Decision::Fits;
    }
    let least = match budget.on_shortage {
        OnShortage::Shrink => output.min(budget.min_max_tokens),
        OnShortage::Refuse => output,
    };
    let count = request.may_count && exact_count_may_fit(budget, request, least, totals);
    if let Some(dimension) = over(budget, request.amounts(least), &|d| totals.used.get(d)) {
        let counted = count && dimension != Dimension::Output;
        return if counted { Decision::Count } else { Decision::Exceeded(dimension) };
    }
    let committed = |d| totals.committed.get(d);
    let Some(short) = over(budget, request.amounts(output), &committed) else { return Decision::Fits };
    if count && short != Dimension::Output {
        return Decision::Count;
    }
    let free = affordable_output(budget, request, totals).min(output);
    let in_flight = budget.limit.each().any(|(d, _)| totals.reserved(d) > 0);
    let wanted = if in_flight { free.min((free / SHARE).max(SMALL_OUTPUT).max(least)) } else { free };
    let patient = in_flight && is_patient(request.waited_seconds);
    let fits = wanted >= least && wanted > 0 && over(budget, request.amounts(wanted), &committed).is_none();
    if patient || !fits { Decision::Held(short) } else { Decision::Shrink(wanted) }
}

/// The first dimension in which amounts do not fit beside what is taken.
fn over(budget: &Budget, amounts: Amounts, taken: &dyn Fn(Dimension) -> i64) -> Option<Dimension> {
    let left = |(d, limit): (Dimension, u64)| (d, signed(limit).saturating_sub(taken(d)));
    budget.limit.each().map(left).find(|(d, left)| signed(amounts.get(*d)) > *left).map(|(d, _)| d)
}

/// The most output that what is free would pay for.
fn affordable_output(budget: &Budget, request: &AdmissionRequest, totals: &Totals) -> u64 {
    let most = |(dimension, limit): (Dimension, u64)| {
        let free = signed(limit).saturating_sub(totals.committed.get(dimension));
        let free = u64::try_from(free).unwrap_or(0);
        match dimension {
            Dimension::Output => free,
            Dimension::Cost => request
                .rates
                .map_or(u64::MAX, |rates| rates.affordable_output(request.input, free).unwrap_or(0)),
            // The input is what it is, however long the answer.
            Dimension::Input => u64::MAX,
        }
    };
    budget.limit.each().map(most).min().unwrap_or(u64::MAX)
}

/// Whether the request may fit beside what is used once its input is counted exactly. Only the
/// count tells how far the bound is above it: a long run of spaces is one token, and a document
/// of a few words may have the size of the model's context for its bound.
fn exact_count_may_fit(budget: &Budget, request: &AdmissionRequest, least: u64, totals: &Totals) -> bool {
    let fewest = AdmissionRequest { input: request.input.min(1), ..request.clone() }.amounts(least);
    over(budget, fewest, &|d| totals.used.get(d)).is_none()
}
