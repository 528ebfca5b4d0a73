use std::time::Duration;

use serde_json::json;

use super::picture::{Moment, bar, headline, short, verdict};
use super::{Endings, REQUESTS, moment};

fn in_the_middle() -> Moment {
    Moment {
        elapsed: Duration::from_millis(1_340),
        budget: 78_000_000,
        spent: 39_000_000,
        held: 19_500_000,
        answered: 5,
        shortened: 0,
        admitted: 7,
        waiting: 190,
        refused: 3,
        failed: 0,
    }
}

#[test]
fn the_picture_shows_what_is_spent_held_and_free() {
    assert_eq!(
        bar(&in_the_middle()),
        [
            "  [##############################+++++++++++++++...............]",
            "  # $0.039 spent of $0.078   + $0.0195 held for requests in flight",
            "  7 admitted (5 answered), 190 waiting, 3 refused   1.3 s",
        ]
    );
    assert_eq!(
        short(&in_the_middle()),
        "  1.3 s  7 admitted (5 answered), 190 waiting, 3 refused; $0.039 spent and $0.0195 held of $0.078"
    );
    assert!(
        headline(200, 10, 78_000_000)
            .starts_with("200 requests at once, and a budget for 10 of them: $0.078.")
    );
}

#[test]
fn an_overshoot_sticks_out_of_the_frame_and_is_said() {
    let over = Moment { spent: 117_000_000, held: 0, ..in_the_middle() };
    assert_eq!(bar(&over)[0], format!("  [{}]", "#".repeat(90)));
    assert!(!over.budget_holds());
    assert!(verdict(&over).contains("did not hold: $0.117 spent of $0.078"));
    let far_over = Moment { spent: u64::MAX, held: u64::MAX, ..in_the_middle() };
    assert_eq!(bar(&far_over)[0], format!("  [{}]", "#".repeat(120)));
}

#[test]
fn the_verdict_counts_what_was_answered_and_refused() {
    let end = Moment {
        spent: 77_499_999,
        held: 0,
        answered: 10,
        shortened: 1,
        admitted: 10,
        waiting: 0,
        refused: 190,
        ..in_the_middle()
    };
    assert!(end.budget_holds());
    assert_eq!(
        verdict(&end),
        "\nThe budget held: $0.077499999 spent of $0.078 (99.3 %). 10 answered, 1 of them shortened to what was left; \
         190 refused with the time to retry after."
    );
    let failed = Moment { failed: 4, ..end.clone() };
    assert!(verdict(&failed).ends_with("4 failed for other reasons."));
    assert!(end.differs(&failed) && !end.differs(&Moment { elapsed: Duration::ZERO, ..end.clone() }));
}

#[test]
fn a_moment_is_read_from_what_the_models_billed() {
    let usage = json!({
        "models": {
            "anthropic.claude-sonnet-4-6": {"inputTokens": 100, "outputTokens": 500, "cacheReadInputTokens": 0,
                "cacheWriteInputTokens": 0, "invocations": 1, "errors": {"ThrottlingException": 2}},
        },
        "calls": {"InvokeModel": 5, "Converse": 1, "CountTokens": 70},
    });
    let endings = Endings { answered: 1, shortened: 0, refused: 9, failed: 0 };
    let now = moment(&usage, endings, 78_000_000, 20_000_000, Duration::ZERO);
    assert_eq!((now.spent, now.held), (8_580_000, 11_420_000));
    assert_eq!((now.admitted, now.waiting), (4, REQUESTS - 13));
}
